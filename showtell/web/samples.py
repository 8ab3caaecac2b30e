"""Pictures for a visitor without a photograph at hand, drawn with NumPy and Pillow alone."""

from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFilter

# What each picture shows, in the order in which they are offered.
SAMPLES = {
    "mountain": "A hiker on a mountain top at sunset",
    "dog": "A brown dog running over grass",
    "surfer": "A surfer on a wave",
}

WIDTH, HEIGHT = 480, 360
_FINE = 4  # bodies are drawn this much larger, for smooth edges
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)

# A limb is a list of knots (x, y, radius) with x to the right, y down and the ground at 0. A part
# is its dark, middle and light colour and its limbs; a body is its parts, from far to near.
Limb = list[tuple[float, float, float]]
Part = tuple[str, str, str, list[Limb]]
At = tuple[float, float, float]  # x and y of a body's origin, pixels, and its scale


def _noise(seed: int, width: float, height: float, octaves: int = 5) -> np.ndarray:
    """Return fractal noise (H, W), about -1..1; its coarsest cells are of this size in pixels."""
    rng = np.random.default_rng(seed)
    noise = np.zeros((HEIGHT, WIDTH), np.float32)
    for octave in range(octaves):
        cells = max(2, round(HEIGHT / height * 2**octave)), max(2, round(WIDTH / width * 2**octave))
        grid = Image.fromarray(rng.uniform(-1, 1, cells).astype(np.float32))
        noise += np.asarray(grid.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)) / 2**octave
    return noise


def _rise(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    t = ((values - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t)


def _ramp(values: np.ndarray, *stops: tuple[float, str]) -> np.ndarray:
    """Return the colours (H, W, 3), 0..255, of `values` on a scale with these stops."""
    at = [value for value, _ in stops]
    colours = np.array([ImageColor.getrgb(colour) for _, colour in stops])
    return np.stack([np.interp(values, at, channel) for channel in colours.T], axis=-1)


def _mix(below: np.ndarray, above: np.ndarray | str, mask: np.ndarray) -> np.ndarray:
    """Lay a picture, or one colour, over another as far as the mask (H, W) covers."""
    if isinstance(above, str):
        above = np.array(ImageColor.getrgb(above))
    return below + mask.clip(0, 1)[..., None] * (above - below)


def _blur(mask: np.ndarray, radius: float) -> np.ndarray:
    fine = Image.fromarray((255 * mask).clip(0, 255).astype(np.uint8))
    return np.asarray(fine.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255


def _light(height: np.ndarray) -> np.ndarray:
    """Return how much of the light from above, and a little from the left, a relief catches."""
    down, right = np.gradient(height)
    return down + 0.3 * right


def _curve(knots: np.ndarray) -> np.ndarray:
    """Return points of the Catmull-Rom curve through the knots (n, 3), closely spaced."""
    padded = np.pad(knots, ((1, 1), (0, 0)), mode="edge")[:, None]
    t = np.linspace(0, 1, 90)[:, None]
    a, b, c, d = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    curve = b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return curve.reshape(-1, 3)


def _shape(limbs: list[Limb], at: At) -> np.ndarray:
    """Return the mask (H, W), 0..1, of limbs."""
    canvas = Image.new("L", (WIDTH * _FINE, HEIGHT * _FINE))
    draw = ImageDraw.Draw(canvas)
    x, y, scale = at
    for limb in limbs:
        for u, v, r in (_curve(np.array(limb)) * scale + (x, y, 0)) * _FINE:
            draw.ellipse((u - r, v - r, u + r, v + r), 255)
    return np.asarray(canvas.reduce(_FINE), np.float32) / 255


def _place(
    picture: np.ndarray, body: list[Part], at: At, fur: np.ndarray | None = None
) -> np.ndarray:
    """Paint a body, each part rounded by light from above; `fur` (H, W) roughens coat and edge."""
    for dark, middle, light, limbs in body:
        mask = _shape(limbs, at)
        lit = _light(8 * _blur(mask, 11) + 6 * _blur(mask, 5) + 3 * _blur(mask, 2.5))
        if fur is not None:
            soft = _blur(mask, 1.2)
            mask = _rise(soft + 4 * soft * (1 - soft) * fur, 0.3, 0.7)
            lit = lit + fur
        picture = _mix(picture, _ramp(lit, (-0.5, dark), (0.05, middle), (0.6, light)), mask)
    return picture


_HIKER: list[Part] = [
    ("#0d0a14", "#171122", "#49303a", [
        [(-27, -72, 1), (-34, 4, 0.8)],
        [(3, -51, 6), (7, -28, 4.3), (11, -13, 3.4), (15, 0, 2.6), (10, 2, 2)],
        [(-2, -51, 6), (-12, -31, 4.6), (-11, -16, 3.6), (-10, -3, 2.6), (-16, 0, 2)],
        [(0, -77, 8), (1, -64, 7.5), (1, -53, 7.6)], [(-2, -89, 3.2), (0, -80, 4.5)],
    ]),
    ("#0d0a14", "#171122", "#5c3a40", [
        [(11, -80, 5), (14, -70, 7), (12, -60, 6)],
        [(-3, -78, 4), (-12, -66, 3), (-23, -64, 2), (-27, -65, 2.2)],
        [(-3, -95, 5.4), (-2, -91, 5.2)],
    ]),
]  # fmt: skip


def _ridge(seed: int, cell: float) -> np.ndarray:
    """Return the outline of hills, (W,), about -1..1."""
    return _noise(seed, cell, HEIGHT, 6)[0]


def _mountain() -> np.ndarray:
    far = np.hypot(_X - 128, _Y - 128)  # from the sun, pixels
    picture = _ramp(_Y, (0, "#2b3a67"), (80, "#6d5a8d"), (150, "#c8728a"), (215, "#f39a6b"))
    cloud = _rise(_noise(11, 170, 26) - 0.5 * np.abs(_Y / 200 - 0.5), -0.15, 0.65)
    lit = _ramp(np.exp(-far / 150), (0, "#4a426f"), (0.35, "#a85f7e"), (0.7, "#ff9e6e"))
    picture = _mix(picture, lit, 0.75 * cloud)
    picture = _mix(picture, "#ffb968", 0.75 * np.exp(-((far / 95) ** 1.4)))
    picture = _mix(picture, "#fff3cf", np.exp(-((far / 34) ** 2)))
    picture = _mix(picture, "#fffbe9", _rise(far, 14, 12))
    for i, colour in enumerate(["#b98aa0", "#96718f", "#6b547a", "#453c60"]):
        below = _Y - 165 - 32 * i - 32 * _ridge(20 + i, 220)
        hazy = _ramp(below, (0, colour), (110, "#f0b08e"))
        picture = _mix(picture, hazy, _rise(below, -0.8, 0.8))
    slope = (np.abs(_X - 325) - 14).clip(0) * np.where(_X < 325, 0.5, 0.72)  # level at the top
    crag = _ridge(30, 90)
    peak = 222 + slope + 14 * (crag - crag[325])
    stone = 8 * _light(_noise(31, 70, 60, 7))
    stone = _ramp(stone, (-1, "#0c0914"), (0, "#1b1528"), (2, "#6b4a52"))
    picture = _mix(picture, stone, _rise(_Y - peak, -0.8, 0.8))
    return _place(picture, _HIKER, (322, 222, 1.3))


def _blades(seed: int, top: int, count: int) -> np.ndarray:
    """Return blades of grass, (H, W), each of its own brightness, the nearer the taller."""
    rng = np.random.default_rng(seed)
    canvas = Image.new("L", (WIDTH * _FINE, HEIGHT * _FINE))
    draw = ImageDraw.Draw(canvas)
    for y in np.sort(rng.uniform(top, HEIGHT + 40, count)):
        x, lean, tall = rng.uniform(-10, WIDTH + 10), rng.normal(0, 4), 5 + 0.1 * (y - top)
        blade = [(x, y), (x + lean, y - tall), (x + 3 * lean, y - 2 * tall)]
        draw.line([(_FINE * u, _FINE * v) for u, v in blade], round(rng.uniform(40, 255)), 5)
    return np.asarray(canvas.reduce(_FINE), np.float32) / 255


_DOG: list[Part] = [
    ("#1e1108", "#472a12", "#7a4c24", [
        [(24, -47, 9), (34, -28, 5.4), (47, -19, 3.6), (55, -14, 3.6)],
        [(-24, -50, 11), (-25, -34, 8), (-44, -24, 4.2), (-54, -9, 3.2), (-58, -7, 3.2)],
    ]),
    ("#7d3037", "#cf6670", "#f0a0a0", [[(63, -74, 2), (66, -67, 2.3), (63, -62, 2)]]),
    ("#2a180a", "#7c4a20", "#e0b070", [
        [(-38, -58, 5), (-54, -68, 5), (-69, -84, 2)],
        [(-30, -53, 12), (-12, -54, 11), (10, -51, 13.5), (28, -52, 14.5)],
        [(28, -57, 13), (41, -69, 10), (48, -76, 9)],
        [(50, -80, 9), (60, -77, 6.6), (67, -75, 4.6), (73, -74, 3.8)],
        [(56, -74, 5), (63, -70, 3), (68, -70, 2)],
        [(28, -47, 10), (45, -33, 5.6), (60, -27, 3.8), (70, -24, 4)],
        [(-29, -51, 12.5), (-37, -37, 8.6), (-54, -31, 4.6), (-66, -16, 3.6), (-71, -14, 3.6)],
    ]),
    ("#1c0f06", "#502c10", "#94602e", [[(48, -83, 3.6), (41, -80, 5), (38, -72, 3.6)]]),
    ("#0c0806", "#1c120c", "#6a5a50", [[(75.5, -76, 2.4), (76, -75, 2.2)], [(59, -80, 1.4)] * 2]),
]  # fmt: skip


def _dog() -> np.ndarray:
    trees = _noise(5, 120, 90, 2) - (_Y - 60) / 160
    picture = _ramp(trees, (-1.2, "#2f4a2a"), (0, "#4d6b3a"), (0.8, "#9fb56a"), (1.4, "#dfe6b0"))
    meadow = 0.25 * _noise(6, 90, 20, 3) + (_Y - 220) / 200
    grass = _ramp(meadow, (-1, "#55783a"), (0, "#7d9c48"), (1, "#a9bd5c"))
    picture = _mix(picture, grass, _rise(_Y, 120, 190))
    blades = _blades(7, 190, 4000)
    blades += _rise(_Y, 312, 345) * (_blur(blades, 3) - blades)  # too near to be sharp
    lawn = _ramp(blades, (0, "#3c6328"), (0.5, "#6b9440"), (1, "#b4c96c"))
    picture = _mix(picture, lawn, _rise(_Y, 205, 260))
    shadow = np.exp(-(((_X - 232) / 125) ** 2 + ((_Y - 310) / 12) ** 2))
    picture = _mix(picture, "#1f3a18", 0.75 * shadow)
    return _place(picture, _DOG, (228, 308, 2.05), fur=0.22 * _noise(8, 10, 3, 3))


_SURFER: list[Part] = [
    ("#8f9ba0", "#f0efe6", "#ffffff", [
        [(-52, -1, 0.8), (-30, 0, 4), (0, 3, 4.6), (34, 4, 3.6), (54, -1, 0.6)],
    ]),
    ("#6a3a22", "#c08058", "#f0c098", [
        [(22, -72, 5.2), (22, -69, 5)], [(44, -54, 2.3), (49, -52, 2.1)],
        [(-17, -70, 2.2), (-20, -74, 2)], [(20, -1, 2.6), (25, 1, 2)],
        [(-24, -4, 2.6), (-18, -2, 2)],
    ]),
    ("#06070a", "#16191f", "#59626e", [
        [(-6, -39, 7), (3, -50, 8), (14, -61, 8)], [(16, -63, 4), (31, -61, 3), (44, -54, 2.3)],
        [(10, -63, 4), (-6, -61, 3), (-17, -70, 2.3)],
        [(-4, -38, 7), (13, -27, 5.4), (17, -12, 4), (20, -2, 2.8)],
        [(-7, -38, 7), (-19, -26, 5.4), (-21, -14, 4), (-24, -4, 2.8)],
    ]),
    ("#1a1008", "#3a2412", "#7a5430", [[(22, -76, 4.2), (18, -74, 4)]]),
]  # fmt: skip


def _surfer() -> np.ndarray:
    swell = _noise(53, 70, 9) + _Y / 90
    picture = _ramp(swell, (-1, "#7fb0bb"), (0.2, "#4f8b9b"), (1, "#2f7384"), (2, "#1f5c6c"))
    crest = np.interp(_X[0], [0, 110, 220, 320, 480], [34, 44, 92, 124, 150]) + 6 * _ridge(50, 90)
    below = _Y - crest
    # The streaks fan out towards the foot of the wave.
    bent = np.abs(_X - 0.5 * below - 0.004 * below**2).astype(int).clip(0, WIDTH - 1)
    streaks = _noise(51, 9, 120, 4)[_Y.astype(int), bent]
    face = below / 210 + 0.1 * streaks
    face = _ramp(face, (0, "#bfe6d2"), (0.12, "#5fbfb0"), (0.4, "#1f8a8c"), (0.8, "#0e5a68"))
    picture = _mix(picture, face, _rise(below, -1, 1))
    foam = _noise(52, 70, 50, 7)
    white = _ramp(foam + 6 * _light(foam), (-1.4, "#8fb3bd"), (-0.3, "#d5e5e8"), (0.5, "#ffffff"))
    broken = _rise(0.7 * foam + (160 - _X + 0.3 * (_Y - 150)) / 130, -0.15, 0.25)
    lip = _rise(0.7 * foam + 0.9 - np.abs(below - 4) / (20 - 16 * _X / WIDTH), 0, 0.6)
    above = np.maximum(broken, lip) * _rise(below + 10 * foam, -16, 4)
    picture = _mix(picture, white, above)
    at = 290, 250, 1.35
    trail = _blur(_shape([[(-5, 8, 2), (-40, 2, 6), (-79, -14, 13), (-117, -32, 20)]], at), 7)
    picture = _mix(picture, white, _rise(trail + 0.22 * foam, 0.35, 0.7))
    picture = _place(picture, _SURFER, at)
    splash = _blur(_shape([[(-69, -9, 8), (-44, 1, 6), (-17, 6, 5), (13, 10, 3)]], at), 5)
    return _mix(picture, white, _rise(splash + 0.3 * foam, 0.3, 0.7))


_SCENES = {"mountain": _mountain, "dog": _dog, "surfer": _surfer}


@cache
def draw(name: str) -> bytes:
    """Draw one of the samples, the same at every call.

    Parameters
    ----------
    name : a key of ``SAMPLES``.

    Returns
    -------
    A JPEG file, 480 x 360 pixels.

    Raises
    ------
    KeyError : there is no sample of that name.
    """
    picture = _SCENES[name]()
    grain = np.random.default_rng(0).normal(0, 1.8, (HEIGHT, WIDTH, 1))
    return _jpeg(Image.fromarray((picture + grain).clip(0, 255).astype(np.uint8)))


@cache
def thumbnail(name: str) -> bytes:
    """Return the picture of :func:`draw` at half its width and height."""
    return _jpeg(Image.open(BytesIO(draw(name))).reduce(2))


def _jpeg(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", quality=80, optimize=True)
    return file.getvalue()
