"""The pictures for a visitor without a photograph, and what the shipped model says of them."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

import showtell
from showtell.web import samples

MODEL = Path(showtell.__file__).parent / "models/flickr8k/manifest.json"

# One of these words stands in the caption where it speaks of what is drawn.
FITTING = {
    "mountain": {"mountain", "cliff", "hill", "rock"},
    "dog": {"dog"},
    "surfer": {"surfer", "surfing", "surfboard"},
}


@pytest.fixture(scope="module")
def captioner() -> showtell.Captioner:
    if not MODEL.is_file():
        pytest.skip("the model that ships is not there")
    return showtell.load()


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_a_sample_is_a_small_jpeg(name: str) -> None:
    jpeg = samples.draw(name)
    picture = Image.open(BytesIO(jpeg))
    picture.load()
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (480, 360))
    assert len(jpeg) <= 28_000


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_a_sample_is_drawn_the_same_at_every_start(name: str) -> None:
    """Without the cache, which would answer with the very same bytes."""
    assert samples.draw.__wrapped__(name) == samples.draw.__wrapped__(name)


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_a_thumbnail_is_the_same_picture_at_half_the_size(name: str) -> None:
    large, small = (Image.open(BytesIO(jpeg(name))) for jpeg in (samples.draw, samples.thumbnail))
    assert small.size == (240, 180)
    difference = ImageChops.difference(small, large.reduce(2))
    assert max(ImageStat.Stat(difference).mean) < 8
    assert len(samples.thumbnail(name)) < 10_000


def test_samples_differ_and_each_says_what_it_shows() -> None:
    assert len({samples.draw(name) for name in samples.SAMPLES}) == len(samples.SAMPLES)
    assert all(samples.SAMPLES.values())


def test_an_unknown_name_is_refused() -> None:
    for jpeg in (samples.draw, samples.thumbnail):
        with pytest.raises(KeyError):
            jpeg("../dog")


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_the_model_says_something_fitting(name: str, captioner: showtell.Captioner) -> None:
    caption = captioner.caption(samples.draw(name))
    assert FITTING[name] & set(caption.words), caption.text
