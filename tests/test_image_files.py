"""Which files are read as photographs, and the errors for others."""

import os
import sys
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from showtell import image
from showtell.errors import (
    BrokenImageError,
    ImageError,
    ImageTooLargeError,
    UnsupportedImageError,
)
from showtell.image import PREVIEW, SEVERAL_FRAMES, open_upright, read, read_and_warn
from tests.odd_files import (
    BLUE,
    GREEN,
    LOSSY,
    RED,
    assert_near,
    avif,
    chunk,
    colours,
    corners,
    encode,
    flat,
    png,
)

# Containers


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", avif])
def test_first_frame(format: str) -> None:
    later = [flat("RGB", BLUE), flat("RGB", GREEN)]
    file = encode(flat("RGB", RED), format, save_all=True, append_images=later)
    assert_near(open_upright(file), np.full((32, 32, 3), RED), LOSSY)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", avif])
def test_format_is_known_by_its_bytes(format: str, tmp_path: Path) -> None:
    path = tmp_path / "photograph.svg"
    path.write_bytes(encode(flat("RGB", RED), format))
    assert_near(open_upright(path), np.full((32, 32, 3), RED), LOSSY)
    assert_near(open_upright(str(path)), np.full((32, 32, 3), RED), LOSSY)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", avif])
def test_further_frames_are_warned_of(format: str, tmp_path: Path) -> None:
    single = encode(flat("RGB", RED), format)
    several = encode(flat("RGB", RED), format, save_all=True, append_images=[flat("RGB", BLUE)])
    (tmp_path / "photograph").write_bytes(several)
    assert read_and_warn(single, 32)[1] == ()
    for source in (several, tmp_path / "photograph"):
        pixels, warnings = read_and_warn(source, 32)
        assert warnings == (SEVERAL_FRAMES,)
        assert np.abs(pixels.astype(int) - RED).mean() < LOSSY


@pytest.mark.parametrize("tag", [(254, 1), (50706, b"\1\4\0\0")], ids=["reduced", "DNG"])
def test_raw_files_are_captioned_by_their_preview_and_that_is_said(tag: tuple) -> None:
    """The first picture of RAW files, a small preview, was captioned without a warning."""
    plain = encode(flat("RGB", RED), "TIFF")
    assert read_and_warn(encode(flat("RGB", RED), "TIFF", tiffinfo=dict([tag])), 32)[1] == (
        PREVIEW,
    )
    assert read_and_warn(plain, 32)[1] == ()


def test_what_telephones_put_behind_a_photograph_is_not_warned_of() -> None:
    preview = encode(flat("RGB", RED), "MPO", save_all=True, append_images=[flat("RGB", BLUE)])
    assert (
        read_and_warn(preview, 32)[1] == read_and_warn(np.zeros((9, 9, 3), np.uint8), 32)[1] == ()
    )


def test_further_frames_that_are_damaged_do_not_matter() -> None:
    file = encode(flat("RGB", RED), "GIF") + b"!"
    tiff = bytearray(encode(flat("RGB", RED), "TIFF"))
    start = int.from_bytes(tiff[4:8], "little")
    entries = int.from_bytes(tiff[start : start + 2], "little")
    next_page = start + 2 + 12 * entries
    tiff[next_page : next_page + 4] = b"\xff" * 4
    for damaged in (file[:-2] + b"!", bytes(tiff)):
        pixels, _ = read_and_warn(damaged, 32)
        assert (pixels == RED).all()


def test_what_lies_behind_a_jpeg_is_ignored() -> None:
    file = encode(Image.fromarray(corners()), "JPEG") + b"PK\3\4" + bytes(1000)
    assert_near(open_upright(file), corners(), LOSSY)


@pytest.mark.parametrize(
    "file",
    [
        b"P",
        b"Plain words",
        b"P1 is the first",
        b"BMW is a make of car",
        b"<!doctype html><html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"PK\3\4",
        b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
        encode(flat("RGB", RED), "ICO"),
        bytes(64),
    ],
)
def test_not_a_photograph(file: bytes) -> None:
    with pytest.raises(UnsupportedImageError, match=r"JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF"):
        open_upright(file)


def test_empty_file() -> None:
    with pytest.raises(UnsupportedImageError, match="empty"):
        open_upright(b"")


HEIC = b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf"


def test_heic_says_which_package_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnsupportedImageError, match="pip install pillow-heif"):
        open_upright(HEIC)


def test_heic() -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    buffer = BytesIO()
    pillow_heif.from_pillow(Image.fromarray(corners())).save(buffer, quality=95)
    assert_near(open_upright(buffer.getvalue()), corners(), LOSSY)
    with pytest.raises(BrokenImageError):
        open_upright(HEIC)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", avif])
@pytest.mark.parametrize("kept", [0.4, 0.9])
def test_cut_off_file(format: str, kept: float) -> None:
    file = encode(Image.fromarray(data.astronaut()[:128, :128]), format)
    with pytest.raises(BrokenImageError, match="damaged"):
        read(file[: int(kept * len(file))], 32)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_copy_that_was_not_finished_ends_in_zeros(progressive: bool) -> None:
    """Many programs allocate the whole file before copying; the zeros were decoded as grey."""
    photograph = Image.fromarray(data.astronaut()[:128, :128])
    file = encode(photograph, "JPEG", progressive=progressive)
    half = len(file) // 2
    with pytest.raises(BrokenImageError, match="damaged or incomplete"):
        open_upright(file[:half] + bytes(len(file) - half))


@pytest.mark.parametrize("format", ["PNG", "GIF"])  # JPEG and WebP have no checksums
def test_a_file_with_a_wrong_part_in_the_middle(format: str) -> None:
    photograph = Image.fromarray(data.astronaut()[:128, :128])
    file = encode(photograph, format)
    half = len(file) // 2
    with pytest.raises(BrokenImageError):
        open_upright(file[:half] + bytes(40) + file[half + 40 :])


def test_cut_off_in_the_header() -> None:
    with pytest.raises(BrokenImageError, match="JPEG"):
        open_upright(encode(flat("RGB", RED), "JPEG")[:20])


# Limits


def test_too_many_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = encode(flat("RGB", RED), "PNG")
    path = tmp_path / "large.png"
    path.write_bytes(file)
    monkeypatch.setattr(image, "MAX_BYTES", len(file))
    assert colours(path)[0] == RED
    monkeypatch.setattr(image, "MAX_BYTES", len(file) - 1)
    for source in (file, path):
        with pytest.raises(ImageTooLargeError, match="larger than"):
            open_upright(source)


@pytest.mark.parametrize("side", [8001, 10_000, 100_000])
def test_bomb_is_refused_by_what_it_declares(side: int) -> None:
    """Pillow warns at 10,000 pixels per side and raises at 100,000; users must see neither."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageTooLargeError, match=f"{side} x {side} .* 64 million"):
            open_upright(png(side, side, 8, 2, b"\0"))


def test_bomb_in_the_frame_of_a_gif() -> None:
    """The screen has one pixel, but the first frame has 65535 x 65535."""
    frame = b",\0\0\0\0\xff\xff\xff\xff\0\2\2D\1\0;"
    with pytest.raises(ImageTooLargeError):
        open_upright(b"GIF89a\1\0\1\0\0\0\0" + frame)


@pytest.mark.parametrize("behind", [False, True])
def test_bomb_of_text(behind: bool) -> None:
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000)))
    file = png(1, 1, 8, 2, b"\0\0\0\0", *([] if behind else [text]))
    if behind:
        file = file[:-12] + text + file[-12:]
    with pytest.raises(ImageError):
        open_upright(file)


# Paths and arrays


def test_paths_that_are_no_photographs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, reason in [
        (tmp_path / "none.jpg", "no such file"),
        (tmp_path, "folder"),
        (tmp_path / "file" / "a.jpg", "not a directory"),
        ("a\0b", "valid file name"),
        ("/dev/null", "regular"),
    ]:
        with pytest.raises(ImageError, match=reason) as raised:
            open_upright(path)
        assert str(path) not in str(raised.value)  # callers add it


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="regular"):
        open_upright(tmp_path / "pipe.jpg")


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encode(flat("RGB", RED), "PNG"))
    path.chmod(0)
    with pytest.raises(ImageError, match="permission denied"):
        open_upright(path)


@pytest.mark.parametrize(
    "array", [np.zeros((3, 8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8)]
)
def test_array_of_another_kind(array: np.ndarray) -> None:
    with pytest.raises(ImageError, match="uint8 of shape") as raised:
        open_upright(array)
    assert f"{array.dtype} of shape {array.shape}" in str(raised.value)


def test_nothing_to_see() -> None:
    for empty in (np.zeros((0, 5, 3), np.uint8), Image.new("RGB", (5, 0))):
        with pytest.raises(ImageError, match="no pixels"):
            open_upright(empty)


def test_anything_else_is_a_mistake_of_the_program() -> None:
    """The number 0 must not be used as a file descriptor."""
    with pytest.raises(TypeError):
        open_upright(0)  # type: ignore[arg-type]


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="too many levels of symbolic links"):
        open_upright(tmp_path / "a.jpg")


def test_a_name_of_any_bytes(tmp_path: Path) -> None:
    """On most systems, names are bytes and may not be valid text."""
    for name in (b" a 'photo' \"of\" mine\n.png", b"\xff\xfe.png"):
        path = os.path.join(os.fsencode(tmp_path), name)
        with open(path, "wb") as file:
            file.write(encode(flat("RGB", RED), "PNG"))
        assert colours(os.fsdecode(path))[0] == RED
