"""Unusual files, with the same results in Python, the command line, HTTP and the page."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import showtell
from showtell.cli import main
from showtell.errors import ImageError
from showtell.image import SEVERAL_FRAMES
from showtell.web import create_app
from showtell.web.problems import IMAGE_PROBLEMS
from tests.odd_files import RED, chunk, corners, encode, flat, png
from tests.web.standins import CAPTIONS

PICTURE = Image.fromarray(np.kron(corners(), np.ones((2, 2, 1), np.uint8)))
JPEG, PNG = encode(PICTURE, "JPEG"), encode(PICTURE, "PNG")
TEXT = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(70_000_000)))
DEEP = Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16)
SEVERAL = {"save_all": True, "append_images": [PICTURE.rotate(180)]}

CAPTIONED = {
    "JPEG with a ZIP behind it": JPEG + b"PK\3\4" + bytes(500),
    "progressive JPEG": encode(PICTURE, "JPEG", progressive=True),
    "CMYK": encode(PICTURE.convert("CMYK"), "JPEG"),
    "grey": encode(PICTURE.convert("L"), "PNG"),
    "one bit": encode(PICTURE.convert("1"), "PNG"),
    "palette": encode(PICTURE.quantize(4), "PNG", transparency=0),
    "16 bits of grey": encode(DEEP, "PNG"),
    "floating point": encode(PICTURE.convert("F"), "TIFF"),
    "LAB": encode(Image.new("LAB", (32, 32), (136, 208, 195)), "TIFF"),
    "transparent": encode(PICTURE.convert("RGBA"), "WEBP"),
    "animated GIF": encode(PICTURE, "GIF", **SEVERAL),
    "pages": encode(PICTURE, "TIFF", **SEVERAL),
    "BMP": encode(PICTURE, "BMP"),
    "one pixel": encode(Image.new("RGB", (1, 1)), "PNG"),
    "a line": encode(Image.new("RGB", (1, 20_000), "red"), "PNG"),
    "all black": encode(Image.new("RGB", (64, 64)), "JPEG"),
    "invalid EXIF": encode(PICTURE, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
}
if "AVIF" in Image.SAVE:
    CAPTIONED["AVIF"] = encode(PICTURE, "AVIF", speed=10)

REFUSED = {  # with the expected status
    "text": (415, b"A photograph of a dog."),
    "HTML": (415, b"<!doctype html><html>"),
    "SVG": (415, b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "PDF": (415, b"%PDF-1.7"),
    "EPS": (415, b"%!PS-Adobe-3.0 EPSF-3.0\n"),
    "ICO": (415, encode(flat("RGB", RED), "ICO")),
    "video": (415, b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"),
    "JPEG cut off": (422, JPEG[: len(JPEG) // 2]),
    "JPEG ending in zeros": (422, JPEG[: len(JPEG) // 2] + bytes(len(JPEG) // 2)),
    "PNG cut off": (422, PNG[: len(PNG) // 2]),
    "PNG with a wrong part": (422, PNG[: len(PNG) // 2] + b"??" + PNG[len(PNG) // 2 + 2 :]),
    "WebP cut off": (422, encode(PICTURE, "WEBP")[:60]),
    "bomb of text": (422, png(1, 1, 8, 2, b"\0\0\0\0", TEXT)),
    "bomb": (413, png(9_800, 9_800, 8, 2, b"\0")),
}


@pytest.fixture(scope="module")
def captioner() -> showtell.Captioner:  # instead of the fake captioner
    return showtell.load(threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all files, with an extension that does not show the format."""
    folder = tmp_path_factory.mktemp("odd")
    for name, file in (CAPTIONED | {name: file for name, (_, file) in REFUSED.items()}).items():
        (folder / f"{name}.svg").write_bytes(file)
    return folder


@pytest.mark.parametrize("name", CAPTIONED)
def test_captioned_by_python_and_over_http(captioner: showtell.Captioner, name: str) -> None:
    found = captioner.caption(CAPTIONED[name])
    assert found.text
    assert (SEVERAL_FRAMES in found.warnings) == (name in ("animated GIF", "pages"))
    response = (
        create_app(captioner)
        .test_client()
        .post(  # type: ignore[arg-type]
            CAPTIONS, data=CAPTIONED[name], content_type="text/html"
        )
    )
    assert response.status_code == 200
    told = response.get_json()
    assert (told["caption"], tuple(told["warnings"])) == (found.text, found.warnings)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_python_and_over_http(captioner: showtell.Captioner, name: str) -> None:
    status, file = REFUSED[name]
    with pytest.raises(ImageError) as caught:
        captioner.caption(file)
    assert IMAGE_PROBLEMS[caught.type][0] == status
    response = create_app(captioner).test_client().post(CAPTIONS, data=file)
    assert response.status_code == status
    assert str(caught.value) in response.get_json(force=True)["detail"]
    if status == 415:
        assert "JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF, HEIC" in str(caught.value)


def test_all_of_them_on_one_command_line(captioner: showtell.Captioner, folder: Path) -> None:
    """Each gives one line: a caption or an error; errors do not affect other files."""
    paths = sorted(folder.iterdir())
    done = CliRunner().invoke(main, ["caption", *map(str, paths)])
    assert done.exit_code == 1
    captions = dict(line.split("\t") for line in done.stdout.splitlines())
    assert captions.keys() == {str(folder / f"{name}.svg") for name in CAPTIONED}
    for name, file in CAPTIONED.items():
        assert captions[str(folder / f"{name}.svg")] == captioner.caption(file, beam=5).text
    reasons = [line for line in done.stderr.splitlines() if ": warning: " not in line]
    assert len(reasons) == len(REFUSED)
    assert all(line.startswith(f"showtell: {folder}") for line in reasons)
    assert "Traceback" not in done.output
