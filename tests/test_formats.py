"""The list of formats, and its users."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from showtell import image
from showtell.batch.sources import walk
from showtell.errors import UnsupportedImageError
from showtell.formats import FORMATS, NAMES, Format, LeftOut, is_picture

NAMED = ["jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "gif", "tif", "tiff", "bmp"]
NAMED += ["dib", "avif", "heic", "heif", "hif", "heics", "ppm", "pgm", "pbm", "pnm", "pfm"]


@pytest.mark.parametrize("ending", NAMED)
def test_what_is_captioned_by_name_is_found_in_folders(ending: str, tmp_path: Path) -> None:
    (tmp_path / f"photo.{ending.upper()}").touch()
    assert len(list(walk([str(tmp_path)]))) == 1
    assert is_picture(f"photo.{ending}")


def test_pillow_calls_no_other_file_by_one_of_our_formats() -> None:
    Image.init()
    ours = {format.pillow: format for format in FORMATS if format.pillow}
    assert ours.keys() <= Image.OPEN.keys()
    for ending, name in Image.registered_extensions().items():
        assert name not in ours or ending in ours[name].endings


@pytest.mark.parametrize("format", [f for f in FORMATS if f.pillow], ids=lambda f: f.name)
def test_every_format_is_opened(format: Format) -> None:
    file = BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, format.pillow)
    assert image.read(file.getvalue(), 8).shape == (8, 8, 3)


def test_the_message_has_the_same_list() -> None:
    with pytest.raises(UnsupportedImageError, match=re.escape(f"({NAMES})")):
        image.read(b"no photograph at all", 8)


def test_endings_that_are_many_are_summed_up() -> None:
    left_out = LeftOut()
    for i in range(12):
        left_out.is_picture(f"a.e{i:02d}")
    assert (left_out.sentence() or "").endswith("1 .e06, 1 .e07, 4 others")
    assert LeftOut().sentence() is None
