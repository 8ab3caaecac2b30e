"""Attention maps over a photograph: as overlays, as a figure and as an animation."""

import math
import unicodedata
from collections.abc import Iterator
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from showtell.caption import Caption
from showtell.region import crop
from showtell.vocab import detokenize

# The authors' figures filter their maps, 224 pixels wide, with a Gaussian of 20 pixels.
_SIGMA = 20 / 224

# Layout of the figure, in pixels.
_COLUMNS = 6
_PANEL_WIDTH, _PANEL_HEIGHT = 220, 300  # maximum size of a photograph
_NARROWEST = 120  # minimum width of a panel, so that the word above it has room
_GAP, _MARGIN, _LABEL, _LINE = 14, 28, 48, 36
_TITLE, _WORD, _SMALL = 26, 19, 12  # font sizes
_INK, _FAINT, _GLOW = (29, 29, 31), (142, 142, 147), (255, 223, 158)

# The animation: sizes in pixels, durations in milliseconds, colours per frame.
_SIDE, _NARROWEST_PAGE = 480, 320
_FIRST_MS, _WORD_MS, _GLIDE_MS, _LAST_MS = 600, 580, 60, 2000
_GLIDE = (1 / 3, 2 / 3)  # positions of the transition frames between two words
# Transition frames are shown briefly, so fewer colours are enough and keep the file small.
_COLOURS, _GLIDE_COLOURS = 240, 40


def upsample(alpha: np.ndarray, width: int, height: int) -> np.ndarray:
    """Upsample an attention map to the size of the photograph.

    As in the paper's figures, the map is upsampled and filtered with a Gaussian (Xu et al., 2015,
    section 5.4). The grid covers the whole photograph, whatever its aspect ratio.

    Parameters
    ----------
    alpha : (rows, cols) attention weights of one word.
    width, height : size of the photograph in pixels.

    Returns
    -------
    float32 (height, width), on the scale of `alpha`. Divide it by its maximum to display it.
    """
    rows, cols = alpha.shape
    return _gaussian(height, rows) @ alpha.astype(np.float32) @ _gaussian(width, cols).T


def _gaussian(pixels: int, cells: int) -> np.ndarray:
    """Return the weight of each cell for each pixel of one axis, (pixels, cells); rows sum to 1.

    The standard deviation is at least half a cell, so that cells do not show as blocks.
    """
    sigma = max(_SIGMA * cells, 0.5)
    pixel_at = (np.arange(pixels) + 0.5) * cells / pixels
    cell_at = np.arange(cells) + 0.5
    weights = np.exp(-0.5 * ((pixel_at[:, None] - cell_at) / sigma) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def overlay(image: Image.Image, alpha: np.ndarray) -> Image.Image:
    """Return the photograph, bright where the attention is high, dark and grey elsewhere.

    Each map is scaled by its own maximum, so the maps of different words show where the model
    attended, not how strongly. With a uniform map, the whole photograph is bright.

    Parameters
    ----------
    image : the photograph, upright, of mode RGB.
    alpha : (rows, cols) attention weights of one word.

    Returns
    -------
    Pillow image of mode RGB, of the size of `image`.
    """
    light = upsample(alpha, *image.size)
    light = (light / max(float(light.max()), np.finfo(np.float32).tiny))[..., None]
    pixels = np.asarray(image, dtype=np.float32)
    grey = np.asarray(image.convert("L"), dtype=np.float32)[..., None]
    dim = 0.2 * (0.8 * grey + 0.2 * pixels)
    # Slightly brighter than the photograph, so that the map is visible on dark photographs too.
    bright = 255 - 0.75 * (255 - pixels)
    shown = dim + light * (bright - dim)
    return Image.fromarray(shown.round().astype(np.uint8))


def figure(image: Image.Image, caption: Caption) -> Image.Image:
    """Draw the photograph and the attention map of each word, like the paper's figures 2 and 3.

    The word, its probability and its gate (β of the paper, section 4.2.1) are above each panel.

    Parameters
    ----------
    image : the photograph, upright.
    caption : its caption. If the caption has a `region`, only the region is drawn.

    Returns
    -------
    Pillow image of mode RGB, on white, at most six panels wide.
    """
    photograph = _fitted(crop(image, caption.region), _PANEL_WIDTH, _PANEL_HEIGHT)
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


def _label(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], caption: Caption, i: int, width: int
) -> None:
    """Write the word `i` and its numbers above its panel."""
    x, y = at
    numbers = f"p {caption.probabilities[i]:.2f}   gate {caption.gates[i]:.2f}"
    _write(draw, (x, y + 2), caption.words[i], _WORD, width)
    _write(draw, (x, y + 27), numbers, _SMALL, width, _FAINT)


def animation(image: Image.Image, caption: Caption) -> bytes:
    """Draw the caption as an animation: word by word, each with its attention map.

    The first and last frames show the photograph itself. The words of the caption appear below it
    one after another. A caption without words gives a single frame.

    Parameters
    ----------
    image : the photograph, upright. It is resized to 480 pixels on its longer side.
    caption : as for :func:`figure`.

    Returns
    -------
    The bytes of a GIF file that loops.
    """
    photograph = _fitted(crop(image, caption.region), _SIDE, _SIDE)
    width = max(photograph.width, _NARROWEST_PAGE)
    frames = [_page(photograph, _sentence(caption, 0, width), _COLOURS)]
    durations = [_FIRST_MS]
    before = photograph
    for i, after in enumerate(_lights(photograph, caption), start=1):
        sentence = _sentence(caption, i, width)
        for part in _GLIDE:
            between = Image.blend(before, after, part)
            frames.append(_page(between, sentence, _GLIDE_COLOURS))
        frames.append(_page(after, sentence, _COLOURS))
        durations += [*(_GLIDE_MS for _ in _GLIDE), _WORD_MS]
        before = after
    durations[-1] = _LAST_MS
    return _gif(frames, durations)


def _lights(photograph: Image.Image, caption: Caption) -> Iterator[Image.Image]:
    """Yield the overlay of each word, and at the end the photograph itself."""
    for alpha in caption.attention:
        yield overlay(photograph, alpha)
    if caption.words:
        yield photograph


def _sentence(caption: Caption, said: int, width: int) -> Image.Image:
    """Draw the first `said` words, the last of them highlighted, with the palette ``_letters()``.

    If `said` is more than the number of words, all are drawn and none is highlighted.
    """
    words = [_drawable(word) for word in caption.words]
    lines = _wrapped(detokenize(words), width - 2 * _GAP)
    strip = Image.new("RGB", (width, len(lines) * _LINE + 2 * _GAP if lines else 0), "white")
    draw = ImageDraw.Draw(strip)
    end = len(detokenize(words[:said]))
    start = end - len(words[said - 1]) if 0 < said <= len(words) else end
    y = _GAP
    for line in lines:
        _say(draw, (_GAP, y), line, max(0, start), max(0, end), width - 2 * _GAP)
        start, end, y = start - len(line) - 1, end - len(line) - 1, y + _LINE
    return strip.quantize(palette=_letters(), dither=Image.Dither.NONE)


def _say(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], line: str, start: int, end: int, width: int
) -> None:
    """Draw the characters of a line before `end`, with those from `start` highlighted."""
    x, y = at
    size = _shrunk(line, _TITLE, width)
    if line[start:end]:
        left, right = (x + _length(line[:i], size) for i in (start, end))
        draw.rounded_rectangle((left - 3, y - 1, right + 3, y + _LINE - 4), 5, _GLOW)
    draw.text(at, line[:end], _INK, _font(size))


@cache
def _letters() -> Image.Image:
    """Return the palette of sentences, white first: shades of ink on white and on the highlight."""
    papers = np.array([(255, 255, 255), _GLOW])
    fade = np.linspace(0, 1, 8)[:, None, None]
    palette = Image.new("P", (1, 1))
    palette.putpalette((papers + fade * (_INK - papers)).round().astype(int).ravel().tolist())
    return palette


def _page(picture: Image.Image, sentence: Image.Image, colours: int) -> Image.Image:
    """Put a picture above a sentence, with one palette: the letters' colours, then the picture's.

    The picture's `colours` are chosen from a sample of its pixels, which is much faster and looks
    as good. The picture is not dithered: the dots would flicker from frame to frame, and make the
    file a fifth larger.
    """
    few = (max(1, picture.width // 8), max(1, picture.height // 8))
    own = picture.resize(few, Image.Resampling.NEAREST).quantize(colours, kmeans=100)
    pixels = picture.quantize(palette=own, dither=Image.Dither.NONE)
    letters = _letters().getpalette() or []
    n = len(letters) // 3

    page = Image.new("P", (sentence.width, picture.height + sentence.height))
    behind_letters = [min(i + n, 255) for i in range(256)]
    page.paste(pixels.point(behind_letters), ((page.width - picture.width) // 2, 0))
    page.paste(sentence, (0, picture.height))
    page.putpalette(letters + (own.getpalette() or []))
    return page


def _gif(frames: list[Image.Image], durations: list[int]) -> bytes:
    """Return an endless GIF animation; `durations` are in milliseconds."""
    file = BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return file.getvalue()


def _fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the photograph as RGB, scaled to fit into `width` x `height` pixels."""
    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS).convert("RGB")


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    width: int,
    colour: tuple[int, int, int] = _INK,
) -> None:
    """Draw one line of text, in a smaller font if it would be wider than `width`."""
    text = _drawable(text)
    draw.text(at, text, colour, _font(_shrunk(text, size, width)))


def _shrunk(text: str, size: int, width: int) -> int:
    """Return the largest font size up to `size` at which `text` is no wider than `width`."""
    return min(size, max(1, int(size * width / max(1, _length(text, size)))))


def _wrapped(text: str, width: int) -> list[str]:
    """Break the title into lines no wider than `width`; a longer word gets a line of its own."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _length(longer, _TITLE) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _drawable(text: str) -> str:
    """Strip accents, which the font that comes with Pillow lacks."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _length(text: str, size: int) -> float:
    return _font(size).getlength(text)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
