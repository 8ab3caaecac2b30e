"""The browser reads photographs as Python does, within one grey level."""

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from showtell import image

SIZE = 224
# Reads a file, given in base64, as pixels of the model's input.
READ = """async ([file, size, region]) => {
    const { read } = await import("/image.js");
    const bytes = Uint8Array.from(atob(file), (character) => character.charCodeAt(0));
    const pixels = await read(new Blob([bytes]), size, region);
    return btoa(Array.from(pixels, (value) => String.fromCharCode(value)).join(""));
}"""


def png(array: np.ndarray, **options: object) -> bytes:
    file = BytesIO()
    Image.fromarray(array).save(file, "PNG", **options)
    return file.getvalue()


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Return coarse noise; fine noise would become grey when resized."""
    rng = np.random.default_rng(height)
    coarse = rng.integers(0, 256, (height // 3 + 1, width // 3 + 1, channels), np.uint8)
    return np.ascontiguousarray(coarse.repeat(3, 0).repeat(3, 1)[:height, :width])


def read(page: Page, file: bytes, region: list[int] | None = None) -> np.ndarray:
    told = page.evaluate(READ, [base64.b64encode(file).decode(), SIZE, region])
    return np.frombuffer(base64.b64decode(told), np.uint8).reshape(SIZE, SIZE, 3).astype(int)


def difference(page: Page, file: bytes) -> np.ndarray:
    return np.abs(read(page, file) - image.read(file, SIZE))


@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 500), (SIZE, SIZE), (SIZE, 300), (427, 640), (300, 895), (100, 60)]
)
def test_squashed_as_pillow_does(scripts: Page, shape: tuple[int, int]) -> None:
    assert difference(scripts, png(noise(*shape))).max() <= 1


def test_large_ones_come_nearer_to_pillow_than_browsers_do(scripts: Page) -> None:
    """The mean difference is 8 levels with the browser's filter alone, and 3 if ours follows."""
    assert difference(scripts, png(noise(1500, 2000))).mean() < 4


def test_what_is_transparent_lies_on_white(scripts: Page) -> None:
    assert difference(scripts, png(noise(60, 80, 4))).max() <= 2


def test_a_part_is_read_as_if_nothing_were_around_it(scripts: Page) -> None:
    whole = noise(300, 400)
    part = image.read(whole[40:260, 120:310].copy(), SIZE)
    assert np.abs(read(scripts, png(whole), [120, 40, 310, 260]) - part).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright(scripts: Page, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert difference(scripts, png(noise(60, 80), exif=exif)).max() <= 1
