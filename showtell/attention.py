"""Where the model looked: attention maps laid over the photograph, and the paper's figure."""

import math
import unicodedata
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from showtell.captioner import Caption

# The authors' figures filter their maps, 224 pixels wide, with a Gaussian of 20 pixels.
_SIGMA = 20 / 224

# The figure, in pixels.
_COLUMNS = 6
_PANEL_WIDTH, _PANEL_HEIGHT = 220, 300  # the most that a photograph takes
_NARROWEST = 120  # panels of tall photographs stand this far apart, for the words above them
_GAP, _MARGIN, _LABEL, _LINE = 14, 28, 48, 36
_TITLE, _WORD, _SMALL = 26, 19, 12  # sizes of letters
_INK, _FAINT = (29, 29, 31), (142, 142, 147)


def upsample(alpha: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bring a map of attention to the size of the photograph, smoothly.

    As in the paper's figures the map is upsampled and filtered with a Gaussian (Xu et al., 2015,
    section 5.4). The model sees the photograph squashed, so the grid covers all of it.

    Parameters
    ----------
    alpha : (rows, cols) weights of one word.
    width, height : of the photograph, pixels.

    Returns
    -------
    float32 (height, width), on the scale of `alpha`: divide by its maximum to show it.
    """
    rows, cols = alpha.shape
    return _gaussian(height, rows) @ alpha.astype(np.float32) @ _gaussian(width, cols).T


def _gaussian(pixels: int, cells: int) -> np.ndarray:
    """Return how much each cell counts for each pixel of one axis, (pixels, cells); rows sum to 1.

    Coarse grids are filtered with at least half a cell, or the cells would show as blocks.
    """
    sigma = max(_SIGMA * cells, 0.5)
    pixel_at = (np.arange(pixels) + 0.5) * cells / pixels
    cell_at = np.arange(cells) + 0.5
    weights = np.exp(-0.5 * ((pixel_at[:, None] - cell_at) / sigma) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def overlay(image: Image.Image, alpha: np.ndarray) -> Image.Image:
    """Show where the model looked: bright there, dim and without colour elsewhere.

    Each map is shown on its own scale, its maximum the full light and 0 the dark: maps of a
    caption are compared by where they look, not by how much. A uniform map lights everything.

    Parameters
    ----------
    image : the photograph, upright, of mode RGB.
    alpha : (rows, cols) weights of one word.

    Returns
    -------
    Pillow image of mode RGB, of the size of `image`.
    """
    light = upsample(alpha, *image.size)
    light = (light / max(float(light.max()), np.finfo(np.float32).tiny))[..., None]
    pixels = np.asarray(image, dtype=np.float32)
    grey = np.asarray(image.convert("L"), dtype=np.float32)[..., None]
    dim = 0.2 * (0.8 * grey + 0.2 * pixels)
    # A little nearer to white than it was, so that light shows on dark photographs as well.
    bright = 255 - 0.75 * (255 - pixels)
    shown = dim + light * (bright - dim)
    return Image.fromarray(shown.round().astype(np.uint8))


def figure(image: Image.Image, caption: Caption) -> Image.Image:
    """Draw the photograph and, for each word, where the model looked (the paper's figures 2 and 3).

    Above each panel stand the word, its probability, and its gate (the paper's β, section 4.2.1:
    how much what is seen counts for the word).

    Parameters
    ----------
    image : the photograph, upright, of mode RGB.
    caption : its caption.

    Returns
    -------
    Pillow image of mode RGB, on white, at most six panels wide.
    """
    photograph = _fitted(image)
    panels = [photograph, *(overlay(photograph, alpha) for alpha in caption.attention)]
    rows = math.ceil(len(panels) / _COLUMNS)
    columns = math.ceil(len(panels) / rows)
    across = max(photograph.width, _NARROWEST) + _GAP
    down = _LABEL + photograph.height + _GAP

    width = columns * across - _GAP
    title = _wrapped(caption.text, width)
    top = _MARGIN + len(title) * _LINE + _GAP // 2
    size = (width + 2 * _MARGIN, top + rows * down - _GAP + _MARGIN)
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for i, text in enumerate(title):
        _write(draw, (_MARGIN, _MARGIN + i * _LINE), text, _TITLE, width)
    for i, panel in enumerate(panels):
        x, y = _MARGIN + i % columns * across, top + i // columns * down
        canvas.paste(panel, (x, y + _LABEL))
        if i:
            _label(draw, (x, y), caption, i - 1, across - _GAP)
    return canvas


def _fitted(image: Image.Image) -> Image.Image:
    """Return the photograph as large as a panel, its aspect ratio kept."""
    scale = min(_PANEL_WIDTH / image.width, _PANEL_HEIGHT / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _label(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], caption: Caption, i: int, width: int
) -> None:
    """Write the word `i` and its numbers above its panel."""
    x, y = at
    numbers = f"p {caption.probabilities[i]:.2f}   gate {caption.gates[i]:.2f}"
    _write(draw, (x, y + 2), caption.words[i], _WORD, width)
    _write(draw, (x, y + 27), numbers, _SMALL, width, _FAINT)


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    width: int,
    colour: tuple[int, int, int] = _INK,
) -> None:
    """Write one line, smaller when it would be wider than `width`."""
    text = _drawable(text)
    size = min(size, max(1, int(size * width / max(1, _length(text, size)))))
    draw.text(at, text, colour, _font(size))


def _wrapped(text: str, width: int) -> list[str]:
    """Break the title into lines that are no wider than `width`, where words allow it."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _length(longer, _TITLE) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _drawable(text: str) -> str:
    """Strip accents: Pillow's own font, the one that is everywhere, has none."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _length(text: str, size: int) -> float:
    return _font(size).getlength(text)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
