"""Attention maps over photographs: overlays, the figure and the animation."""

from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageSequence
from skimage import data

from showtell.attention import animation, figure, overlay, upsample
from showtell.caption import Caption

PANEL = 220


def spot(rows: int, cols: int, row: int, col: int) -> np.ndarray:
    """Return an attention map with all weight in one cell."""
    alpha = np.zeros((rows, cols), np.float32)
    alpha[row, col] = 1
    return alpha


def caption_of(*words: str, text: str | None = None) -> Caption:
    """Return a caption with uniform maps."""
    n = len(words)
    return Caption(
        text=" ".join(words) if text is None else text,
        words=words,
        logprob=-1.0,
        confidence=0.5,
        attention=np.full((n, 7, 7), 1 / 49, np.float32),
        probabilities=np.full(n, 0.5, np.float32),
        gates=np.full(n, 0.5, np.float32),
        confidences=np.full(n, 0.5, np.float32),
        model="a model",
    )


def lit(drawn: Image.Image) -> np.ndarray:
    """Return which pixels of a black photograph's figure belong to panels of words."""
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
    """The grid must not be visible: differences between neighbouring pixels are small."""
    alpha = np.random.default_rng(0).random((cells, cells))
    shown = upsample(alpha, 448, 448)
    steps = np.abs(np.diff(shown, axis=0)).max(), np.abs(np.diff(shown, axis=1)).max()
    assert max(steps) < 4 * cells / 448 * np.ptp(alpha)
    assert np.ptp(shown) > 0.25 * np.ptp(alpha)  # smooth, but not flat


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
    """Rows are filled evenly, with at most six panels, including the photograph itself."""
    drawn = figure(black(), caption_of(*["dog"] * words))
    assert abs(lit(drawn).sum() / PANEL**2 - words) < 0.01
    photograph = (np.asarray(drawn) == 0).all(-1)
    assert photograph.sum() == PANEL**2
    starts = np.diff((lit(drawn) | photograph).any(0).astype(int)) == 1
    assert starts.sum() == columns


def test_grey_photographs_are_drawn_too() -> None:
    caption = caption_of("dog")
    assert figure(black().convert("L"), caption).tobytes() == figure(black(), caption).tobytes()
    assert animation(black().convert("L"), caption) == animation(black(), caption)


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


def wandering(*words: str) -> Caption:
    """Return a caption with a different map for each word."""
    caption = caption_of(*words)
    caption.attention[:] = np.random.default_rng(3).random(caption.attention.shape) ** 4
    return caption


def frames_of(gif: bytes) -> list[Image.Image]:
    """Return the frames in RGB, each with its `duration` in milliseconds."""
    with Image.open(BytesIO(gif)) as played:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(played)]


def sentence_of(frame: Image.Image, top: int) -> np.ndarray:
    """Return where text is below the photograph, bool (height, width)."""
    return np.asarray(frame.convert("L"))[top:] < 128


def test_animation_shows_photograph_words_photograph() -> None:
    photograph = Image.fromarray(data.coffee())
    gif = animation(photograph, wandering("a", "cup", "of", "coffee"))
    frames = frames_of(gif)
    durations = [frame.info["duration"] for frame in frames]
    assert durations == [600, *[60, 60, 580] * 4, 60, 60, 2000]
    assert {frame.size for frame in frames} == {frames[0].size}
    with Image.open(BytesIO(gif)) as played:
        assert played.format == "GIF"
        assert played.info["loop"] == 0
    shown = photograph.resize((480, 320), Image.Resampling.LANCZOS)
    for frame in (frames[0], frames[-1]):
        error = np.asarray(frame)[:320].astype(int) - np.asarray(shown)
        assert np.abs(error).mean() < 3


def test_animation_puts_the_light_where_the_word_looked() -> None:
    photograph = Image.fromarray(data.chelsea())
    caption = caption_of("left", "right")
    caption.attention[:] = spot(7, 7, 3, 0), spot(7, 7, 3, 6)
    frames = frames_of(animation(photograph, caption))
    expected = [overlay(frames[0].crop((0, 0, 480, 319)), alpha) for alpha in caption.attention]
    for frame, under_light in zip((frames[3], frames[6]), expected, strict=True):
        error = np.asarray(frame)[:319].astype(int) - np.asarray(under_light)
        assert np.abs(error).mean() < 4
    left, right = np.s_[60:260, :120], np.s_[60:260, -120:]
    lights = [np.asarray(frame.convert("L")).astype(float) for frame in frames[3:7]]
    assert np.all(np.diff([light[left].mean() for light in lights]) < 0)
    assert np.all(np.diff([light[right].mean() for light in lights]) > 0)


def test_animation_lets_the_sentence_grow_in_its_place() -> None:
    """Words do not move once they are drawn, and are not drawn too early."""
    caption = wandering("a", "brown", "dog", "runs", "over", "the", "grass", "behind", "children")
    frames = frames_of(animation(Image.fromarray(data.coffee()), caption))
    said = [sentence_of(frame, 320) for frame in (frames[0], *frames[3::3])]
    assert not said[0].any()
    for before, after in pairwise(said[:-1]):
        assert after.sum() > before.sum()
        assert not (before & ~after).any()
    assert (said[-1] == said[-2]).all()
    assert said[-1][36 + 14 :].any()  # a second line


def test_animation_lights_the_word_that_is_said() -> None:
    caption = wandering("the", "dog", "'s", "ball")
    frames = frames_of(animation(Image.fromarray(data.coffee()), caption))
    lit = [(np.asarray(frame)[320:] == (255, 223, 158)).all(-1).any(0) for frame in frames]
    assert not lit[0].any()
    assert not lit[-1].any()
    spans = [np.flatnonzero(columns)[[0, -1]] for columns in lit[3:13:3]]
    for (_, end), (start, _) in pairwise(spans):
        assert -10 < end - start < 10
    for frame, (start, end) in zip(frames[3:13:3], spans, strict=True):
        ink = sentence_of(frame, 320).any(0)
        assert ink[start:end].any()
        assert not ink[end:].any()
    start = spans[-1][0]  # after "dog's ", which is two words with one space
    assert not sentence_of(frames[12], 320).any(0)[start - 2 : start + 3].any()


def test_animation_keeps_its_paper_white() -> None:
    """White flickered: a frame's palette had a mean of near-whites instead of white."""
    for frame in frames_of(animation(Image.fromarray(data.coffee()), wandering("a", "cup"))):
        assert (np.asarray(frame)[-8:] == 255).all()


def test_animation_without_words_is_a_still() -> None:
    frames = frames_of(animation(Image.fromarray(data.coffee()), caption_of()))
    assert [frame.size for frame in frames] == [(480, 320)]
    assert sentence_of(frames[0], 0).any()


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((4000, 3000), (480, 360)),
        ((300, 1200), (120, 480)),
        ((1200, 100), (480, 40)),
        ((1, 1), (480, 480)),
        ((3000, 2), (480, 1)),
        ((2, 3000), (1, 480)),
    ],
)
def test_animation_of_any_shape(size: tuple[int, int], shown: tuple[int, int]) -> None:
    frames = frames_of(animation(Image.new("RGB", size, "red"), wandering("dog", "w" * 90)))
    assert sum(frame.info["duration"] for frame in frames) == 600 + 2 * 700 + 2120
    assert len({frame.size for frame in frames}) == 1
    red = np.ptp(np.asarray(frames[-1]), axis=-1) > 200
    assert (int(red.any(0).sum()), int(red.any(1).sum())) == shown
    assert frames[-1].width == max(320, shown[0])


def test_animation_is_small_and_alike_each_time() -> None:
    photograph = Image.fromarray(data.coffee()).resize((480, 360))
    caption = wandering(
        "ten", "words", "of", "which", "each", "looks", "at", "some", "other", "place"
    )
    gif = animation(photograph, caption)
    assert len(gif) < 2_500_000
    assert animation(photograph, caption) == gif


def test_of_a_part_the_part_alone_is_drawn() -> None:
    photograph, region = Image.fromarray(data.astronaut()), (100, 20, 300, 200)
    part = photograph.crop(region)
    whole, told = caption_of("a", "smile"), replace(caption_of("a", "smile"), region=region)
    assert figure(photograph, told).tobytes() == figure(part, whole).tobytes()
    assert animation(photograph, told) == animation(part, whole)
