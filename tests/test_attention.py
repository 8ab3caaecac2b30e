"""Attention maps over photographs: where the light falls, and how the figure is laid out."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from showtell.attention import figure, overlay, upsample
from showtell.captioner import Caption

PANEL = 220


def spot(rows: int, cols: int, row: int, col: int) -> np.ndarray:
    """Return a map of attention that is all at one place."""
    alpha = np.zeros((rows, cols), np.float32)
    alpha[row, col] = 1
    return alpha


def caption_of(*words: str, text: str | None = None) -> Caption:
    """Return a caption whose every map is uniform."""
    n = len(words)
    return Caption(
        text=" ".join(words) if text is None else text,
        words=words,
        logprob=-1.0,
        confidence=0.5,
        attention=np.full((n, 7, 7), 1 / 49, np.float32),
        probabilities=np.full(n, 0.5, np.float32),
        gates=np.full(n, 0.5, np.float32),
        model="a model",
    )


def lit(drawn: Image.Image) -> np.ndarray:
    """Return which pixels of a black photograph's figure belong to the panels of words."""
    return (np.asarray(drawn) == overlay(black(), np.ones((7, 7))).getpixel((0, 0))).all(-1)


def black() -> Image.Image:
    return Image.new("RGB", (PANEL, PANEL))


@pytest.mark.parametrize(("rows", "cols"), [(7, 7), (14, 14), (3, 9), (1, 1)])
def test_upsample_keeps_a_uniform_map_uniform(rows: int, cols: int) -> None:
    shown = upsample(np.full((rows, cols), 0.25), 60, 40)
    assert shown.shape == (40, 60)
    assert shown.dtype == np.float32
    assert np.allclose(shown, 0.25)


@pytest.mark.parametrize(("row", "col"), [(0, 0), (2, 7), (4, 1)])
def test_upsample_puts_the_light_at_its_cell(row: int, col: int) -> None:
    shown = upsample(spot(5, 8, row, col), 320, 100)
    y, x = np.unravel_index(shown.argmax(), shown.shape)
    assert (y * 5 // 100, x * 8 // 320) == (row, col)
    assert 0 <= shown.min() <= shown.max() <= 1


@pytest.mark.parametrize("cells", [4, 7, 14])
def test_upsample_is_smooth(cells: int) -> None:
    """The grid must not show: no step between neighbours is more than a small part of the range."""
    alpha = np.random.default_rng(0).random((cells, cells))
    shown = upsample(alpha, 448, 448)
    steps = np.abs(np.diff(shown, axis=0)).max(), np.abs(np.diff(shown, axis=1)).max()
    assert max(steps) < 4 * cells / 448 * np.ptp(alpha)
    assert np.ptp(shown) > 0.25 * np.ptp(alpha)  # and smooth is not flat


def test_upsample_is_the_same_seen_in_a_mirror() -> None:
    alpha = np.random.default_rng(1).random((7, 9))
    mirrored = upsample(alpha[::-1, ::-1], 90, 70)
    assert np.allclose(mirrored, upsample(alpha, 90, 70)[::-1, ::-1], atol=1e-6)


def test_overlay_lights_where_the_model_looked() -> None:
    photograph = Image.fromarray(data.astronaut())
    before = photograph.copy()
    shown = np.asarray(overlay(photograph, spot(7, 7, 1, 1))).astype(int)
    pixels = np.asarray(photograph).astype(int)
    near, far = np.s_[95:125, 95:125], np.s_[300:, 300:]
    assert (shown[near] >= 0.95 * pixels[near]).mean() > 0.95
    assert shown[far].mean() < 0.25 * pixels[far].mean()
    colour, dimmed = np.ptp(pixels[far], axis=-1).mean(), np.ptp(shown[far], axis=-1).mean()
    assert dimmed < 0.1 * colour
    assert photograph == before


def test_overlay_is_on_the_scale_of_its_map() -> None:
    photograph = Image.fromarray(data.chelsea())
    alpha = np.random.default_rng(2).random((7, 7))
    faint, strong = overlay(photograph, alpha / 1000), overlay(photograph, alpha * 50)
    assert faint.size == photograph.size
    assert np.abs(np.asarray(faint).astype(int) - np.asarray(strong)).max() <= 1


def test_overlay_of_a_uniform_map_lights_everything() -> None:
    photograph = Image.fromarray(data.chelsea())
    shown = np.asarray(overlay(photograph, np.full((7, 7), 1 / 49)))
    assert (shown >= np.asarray(photograph)).all()


def test_overlay_of_nothing_is_dark() -> None:
    assert np.asarray(overlay(Image.new("RGB", (9, 9), "white"), np.zeros((7, 7)))).max() < 64


@pytest.mark.parametrize(("words", "columns"), [(1, 2), (5, 6), (6, 4), (11, 6), (12, 5), (17, 6)])
def test_figure_has_a_panel_a_word(words: int, columns: int) -> None:
    """Rows are filled evenly, at most six panels each, the photograph itself among them."""
    drawn = figure(black(), caption_of(*["dog"] * words))
    assert abs(lit(drawn).sum() / PANEL**2 - words) < 0.01
    photograph = (np.asarray(drawn) == 0).all(-1)
    assert photograph.sum() == PANEL**2
    starts = np.diff((lit(drawn) | photograph).any(0).astype(int)) == 1
    assert starts.sum() == columns


def test_figure_shows_each_map_under_its_word() -> None:
    caption = caption_of("left", "right")
    caption.attention[:] = spot(7, 7, 3, 0), spot(7, 7, 3, 6)
    shown = np.asarray(figure(Image.new("RGB", (PANEL, PANEL), "red"), caption)).astype(int)
    red = shown[-100, :, 0] - shown[-100, :, 1]
    left, right = (slice(start, start + PANEL) for start in (28 + 234, 28 + 2 * 234))
    assert red[left][:30].min() > red[left][-30:].max()
    assert red[right][:30].max() < red[right][-30:].min()


@pytest.mark.parametrize("size", [(800, 600), (600, 800), (3, 2), (2000, 10), (10, 2000)])
def test_figure_keeps_the_aspect_ratio(size: tuple[int, int]) -> None:
    photograph = (np.asarray(figure(Image.new("RGB", size), caption_of("dog"))) == 0).all(-1)
    height, width = photograph.any(1).sum(), photograph.any(0).sum()
    assert width <= 220
    assert height <= 300
    assert abs(width - height * size[0] / size[1]) <= max(1, size[0] / size[1])


def test_long_words_stay_in_their_panels() -> None:
    drawn = figure(black(), caption_of(*["w" * 80] * 3, text="short"))
    pixels = np.asarray(drawn)
    panels = lit(drawn).any(0) | (pixels == 0).all(-1).any(0)
    assert (pixels[:, ~panels] == 255).all()


def test_long_title_is_broken_into_lines() -> None:
    short = figure(black(), caption_of("dog", text="a dog"))
    for text in ("a dog runs and " * 12, "w" * 200):
        drawn = figure(black(), caption_of("dog", text=text))
        assert drawn.width == short.width
        assert (np.asarray(drawn)[:, -28:] == 255).all()
    assert figure(black(), caption_of("dog", text="a dog runs " * 12)).height > short.height + 90


def test_figure_without_words() -> None:
    drawn = figure(black(), caption_of())
    assert (np.asarray(drawn) == 0).all(-1).sum() == PANEL**2


def test_accents_do_not_become_boxes() -> None:
    accented, plain = (figure(black(), caption_of(word)) for word in ("naïve", "naive"))
    assert accented == plain
