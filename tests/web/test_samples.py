"""The sample photographs, and their captions by the model that ships."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image

import showtell
from showtell.web.views import SAMPLES

PACKAGE = Path(showtell.__file__).parent
FOLDER = PACKAGE / "web/static/samples"

# A fitting caption contains one of these words.
FITTING = {
    "astronaut": {"woman", "man", "girl", "boy", "person"},
    "cat": {"cat"},
    "coffee": {"cup", "coffee"},
}


@pytest.fixture(scope="module")
def captioner() -> showtell.Captioner:
    if not (PACKAGE / "models/flickr8k/manifest.json").is_file():
        pytest.skip("the model that ships is not there")
    return showtell.load()


def test_the_page_offers_what_is_there_and_says_what_it_shows() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.jpg" for name in SAMPLES}
    assert all(SAMPLES.values())


def test_they_are_small_together() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 100_000


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_a_jpeg_without_metadata(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/static/samples/{name}.jpg")
    assert answer.mimetype == "image/jpeg"
    with Image.open(FOLDER / f"{name}.jpg") as picture:
        picture.load()
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (480, 360))
        assert not {"exif", "icc_profile", "comment", "photoshop", "xmp"} & picture.info.keys()


def test_their_photographers_are_named() -> None:
    gallery = (PACKAGE.parent / "docs" / "gallery.md").read_text(encoding="utf-8")
    for name in SAMPLES:
        assert f"| `{name}.jpg` |" in gallery


@pytest.mark.parametrize("name", SAMPLES)
def test_the_model_says_something_fitting_or_warns(
    name: str, captioner: showtell.Captioner
) -> None:
    caption = captioner.caption(FOLDER / f"{name}.jpg")
    assert FITTING[name] & set(caption.words) or caption.warnings, caption.text
