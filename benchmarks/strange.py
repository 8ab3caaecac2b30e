"""Out-of-distribution pictures: drawn here, or cut out of pictures of scikit-image.

Each kind is a function of a random generator that returns one picture, uint8 (H, W, 3). The
pictures are JPEG files, as photographs are, so that only their content differs.
"""

from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from skimage import data

Draw = Callable[[np.random.Generator], np.ndarray]
_SENTENCE = "the result of each column was measured where light falls between a quarter and the end"
WORDS = _SENTENCE.split()
BETWEEN = Image.Resampling.BICUBIC


def text(rng: np.random.Generator) -> np.ndarray:
    """Draw a page of text, in lines of equal length, on white or tinted paper."""
    width, height = _size(rng)
    paper = tuple(int(x) for x in rng.integers(215, 256, 3))
    page = Image.new("RGB", (width, height), paper if rng.random() < 0.5 else "white")
    draw = ImageDraw.Draw(page)
    size = int(rng.integers(10, 30))
    font = ImageFont.load_default(size)
    margin = int(rng.integers(10, 60))
    for y in range(margin, height - margin, int(size * rng.uniform(1.2, 1.8))):
        line = " ".join(rng.choice(WORDS, 30))
        while draw.textlength(line, font) > width - 2 * margin:
            line = line.rpartition(" ")[0]
        if rng.random() < 0.9:
            draw.text((margin, y), line, (20, 20, 25), font)
    tilted = page.rotate(rng.normal(0, 1.5), BETWEEN, fillcolor=paper)
    return np.asarray(tilted.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1))))


def chart(rng: np.random.Generator) -> np.ndarray:
    """Plot lines, bars, points, shares or a matrix, with axes and a title."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=rng.uniform(4, 7, 2), dpi=80)
    x, n = np.arange(30), int(rng.integers(3, 9))
    kind = int(rng.integers(5))
    if kind == 0:
        axes.plot(x, rng.normal(0, 1, (30, n % 4 + 1)).cumsum(0))
    elif kind == 1:
        axes.bar(x[:n], rng.uniform(1, 9, n), color=f"C{n}")
    elif kind == 2:
        axes.scatter(*rng.normal(0, 1, (2, 80)), c=rng.uniform(0, 1, 80))
    elif kind == 3:
        axes.pie(rng.uniform(1, 5, n), labels=rng.choice(WORDS, n))
    else:
        axes.imshow(rng.uniform(0, 1, (n, n)))
    axes.set(title=" ".join(rng.choice(WORDS, 3)), xlabel=str(rng.choice(WORDS)))
    file = BytesIO()
    figure.savefig(file, format="png")
    pyplot.close(figure)
    return np.asarray(Image.open(file).convert("RGB"))


def line_drawing(rng: np.random.Generator) -> np.ndarray:
    """Draw a house, a matchstick man, a tree and a scribble with a pen on paper."""
    width, height = _size(rng)
    page = Image.new("RGB", (width, height), tuple(int(x) for x in rng.integers(235, 256, 3)))
    draw = ImageDraw.Draw(page)
    pen = int(rng.integers(1, 6))
    for _ in range(int(rng.integers(2, 7))):
        shape = _SHAPES[int(rng.integers(len(_SHAPES)))]
        scale, x, y = rng.uniform(50, 180), rng.uniform(0, width), rng.uniform(0, height)
        for stroke in shape:
            points = np.array(stroke) + rng.normal(0, 0.02, (len(stroke), 2))
            draw.line([(x + scale * u, y - scale * v) for u, v in points], "black", pen)
    scribble = width / 2 + rng.normal(0, 25, (60, 2)).cumsum(0)
    draw.line([(float(u), float(v)) for u, v in scribble], "black", pen)
    return np.asarray(page)


_RING = [(0.2 * np.cos(t), 1 + 0.2 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 20)]
_SHAPES: list[list[list[tuple[float, float]]]] = [
    [[(0, 0), (1, 0), (1, 1), (0.5, 1.5), (0, 1), (0, 0)], [(0, 1), (1, 1)],
     [(0.4, 0), (0.4, 0.5), (0.6, 0.5), (0.6, 0)]],
    [_RING, [(0, 0.8), (0, 0.3), (-0.3, -0.3)], [(0, 0.3), (0.3, -0.3)],
     [(-0.4, 0.5), (0, 0.7), (0.4, 0.5)]],
    [[(0, 0), (0, 0.8)], [(0.2 + 2 * x, 2 * y - 1) for x, y in _RING]],
]  # fmt: skip


def flat_colours(rng: np.random.Generator) -> np.ndarray:
    """Lay flat coloured shapes over each other, as in clip art and logos."""
    width, height = _size(rng)
    colour = lambda: tuple(int(x) for x in rng.integers(0, 256, 3))  # noqa: E731
    page = Image.new("RGB", (width, height), colour())
    draw = ImageDraw.Draw(page)
    for _ in range(int(rng.integers(3, 15))):
        (x, y), (w, h) = rng.uniform(0, (width, height)), rng.uniform(20, 200, 2)
        box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        paint = (draw.ellipse, draw.rectangle)[int(rng.integers(2))]
        paint(box, fill=colour(), outline=colour(), width=3)
    return np.asarray(page)


def gradient(rng: np.random.Generator) -> np.ndarray:
    """Fill a picture with a gradient between two colours, or with one colour."""
    width, height = _size(rng)
    corners = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    if rng.random() < 0.3:
        corners[:] = corners[0, 0]
    return np.asarray(Image.fromarray(corners).resize((width, height), BETWEEN))


def noise(rng: np.random.Generator) -> np.ndarray:
    """Draw random pixels or larger random cells."""
    width, height = _size(rng)
    cell, channels = int(rng.integers(1, 25)), int(rng.choice([1, 3]))
    cells = rng.integers(0, 256, (height // cell, width // cell, channels), dtype=np.uint8)
    coarse = Image.fromarray(np.broadcast_to(cells, (*cells.shape[:2], 3)).copy())
    how = (Image.Resampling.NEAREST, BETWEEN)[int(rng.integers(2))]
    return np.asarray(coarse.resize((width, height), how))


def x_ray(rng: np.random.Generator) -> np.ndarray:
    """Draw an X-ray of a chest, with bright spine and ribs and dark lungs, or a slice of a head."""
    if rng.random() < 0.3:
        shown = 255 * data.shepp_logan_phantom() * rng.uniform(0.6, 1.2)
    else:
        shown = _chest(rng)
    grain = shown + rng.normal(0, 6, shown.shape)
    grey = Image.fromarray(grain.clip(0, 255).astype(np.uint8))
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2))).convert("RGB"))


def _chest(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[-1:1:360j, -1:1:320j]
    x = x * rng.uniform(0.95, 1.25) + rng.normal(0, 0.04)
    shown = 150 * np.exp(-((np.abs(x) / 0.9) ** 6) - (np.abs(y + 0.1) / 1.2) ** 8)
    for side in (-1, 1):
        lung = ((x - 0.42 * side) / 0.32) ** 2 + ((y + 0.05) / 0.7) ** 2
        shown -= 105 / (1 + np.exp(12 * (lung - 1)))
    shown += 90 * np.exp(-((x / 0.09) ** 2))  # the spine
    shown += 60 * np.exp(-(((x - 0.15) / 0.22) ** 2) - ((y - 0.2) / 0.3) ** 2)  # the heart
    ribs = np.cos(2 * np.pi * (rng.uniform(4, 6) * (y + 0.35 * x**2) + rng.uniform()))
    return shown + 28 * ribs.clip(0) ** 2 * (np.abs(x) < 0.8)


def pattern(rng: np.random.Generator) -> np.ndarray:
    """Cut a piece out of a picture of a wall, a lawn or gravel, or draw stripes or squares."""
    name = rng.choice(["brick", "grass", "gravel", "stripes", "squares"])
    if name in ("brick", "grass", "gravel"):
        return _cut(rng, getattr(data, str(name))())
    width, height = _size(rng)
    y, x = np.mgrid[:height, :width] / rng.uniform(8, 60)
    waves = np.sin(x + y * rng.uniform(0, 2)) * (np.sin(y) if name == "squares" else 1)
    low, high = rng.integers(0, 256, (2, 3))
    return np.where(waves[..., None] > 0, high, low).astype(np.uint8)


def instrument(rng: np.random.Generator) -> np.ndarray:
    """Cut a piece out of a picture from a microscope or a telescope."""
    names = (
        "cell",
        "immunohistochemistry",
        "microaneurysms",
        "retina",
        "moon",
        "hubble_deep_field",
    )
    return _cut(rng, getattr(data, str(rng.choice(names)))())


def scan(rng: np.random.Generator) -> np.ndarray:
    """Cut a piece out of photographs of a printed page, of handwriting, or of coins in rows."""
    return _cut(rng, getattr(data, str(rng.choice(["page", "text", "coins"])))())


KINDS: tuple[Draw, ...] = (
    text, scan, chart, line_drawing, flat_colours, gradient, noise, pattern, x_ray, instrument,
)  # fmt: skip


def pictures(kind: Draw, count: int) -> Iterator[bytes]:
    """Return `count` pictures of a kind; the random seed is fixed."""
    seed = sum(map(ord, kind.__name__))
    return (jpeg(Image.fromarray(kind(np.random.default_rng([seed, i])))) for i in range(count))


def jpeg(picture: Image.Image) -> bytes:
    """Return a picture as a JPEG file."""
    file = BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()


def photographs() -> dict[str, np.ndarray]:
    """Return scikit-image's photographs by name; most show no people."""
    names = ("astronaut", "camera", "cat", "clock", "coffee", "rocket")
    return {name: _rgb(getattr(data, name)()) for name in names} | {
        "motorcycle": data.stereo_motorcycle()[0]
    }


def _size(rng: np.random.Generator) -> tuple[int, int]:
    width, height = rng.integers(300, 520, 2)
    return int(width), int(height)


def _cut(rng: np.random.Generator, whole: np.ndarray) -> np.ndarray:
    """Cut a piece of half to all of the width and the height, flipped at random."""
    whole = _rgb(whole)
    size = (np.array(whole.shape[:2]) * rng.uniform(0.5, 1, 2)).astype(int)
    top, left = rng.integers(0, np.array(whole.shape[:2]) - size + 1)
    piece = whole[top : top + size[0], left : left + size[1]]
    return np.ascontiguousarray(np.flip(piece, axis=tuple(np.flatnonzero(rng.integers(0, 2, 2)))))


def _rgb(picture: np.ndarray) -> np.ndarray:
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
