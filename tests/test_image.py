"""Reading photographs: orientation, transparency, colours and size."""

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from showtell.image import open_upright, read
from tests.odd_files import (
    BLUE,
    GREEN,
    GREY,
    LOSSY,
    RED,
    WHITE,
    assert_near,
    avif,
    chunk,
    colours,
    corners,
    encode,
    flat,
    png,
    profile_of_swapped_colours,
)

# Orientation


TURNED = {  # how an upright picture is stored with each EXIF orientation
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


def turned(orientation: int) -> tuple[Image.Image, Image.Exif]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return Image.fromarray(np.ascontiguousarray(TURNED[orientation](corners()))), exif


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "MPO", avif])
@pytest.mark.parametrize("orientation", TURNED)
def test_orientation(format: str, orientation: int) -> None:
    picture, exif = turned(orientation)
    upright = open_upright(encode(picture, format, exif=exif))
    assert_near(upright, corners(), LOSSY)
    assert_near(open_upright(upright), corners(), LOSSY)  # not turned a second time


def test_orientation_of_pillow_image() -> None:
    picture, exif = turned(6)
    source = Image.open(BytesIO(encode(picture, "PNG", exif=exif)))
    assert_near(open_upright(source), corners())
    assert source.size == picture.size
    assert source.getexif()[0x0112] == 6  # the caller's image is unchanged


@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b""])
def test_invalid_exif_is_ignored(exif: bytes) -> None:
    assert_near(
        open_upright(encode(flat("RGB", RED), "JPEG", exif=exif)), np.full((32, 32, 3), RED), 2
    )


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_unknown_orientation_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = encode(Image.fromarray(corners()), "PNG", exif=exif)
    assert_near(open_upright(source), corners())


# Transparency


def test_transparent_pixels_become_white() -> None:
    half = Image.new("RGBA", (3, 1))
    half.putdata([(255, 0, 0, 0), (0, 0, 0, 127), (0, 255, 0, 255)])
    assert colours(half) == [WHITE, GREY, GREEN]


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_hidden_colours_do_not_leak(format: str) -> None:
    """The red of transparent pixels must not affect visible pixels when the picture is resized."""
    picture = Image.new("RGBA", (256, 256), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (64, 64, 192, 192))
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    pixels = read(encode(picture, format, **options), 48).astype(int)
    assert (pixels[..., 2] >= 250).all()  # both white and blue
    assert np.abs(pixels[..., 0] - pixels[..., 1]).max() <= 1


def test_transparency_of_grey_and_palette() -> None:
    grey = Image.merge("LA", (Image.new("L", (2, 1), 7), Image.fromarray(np.uint8([[0, 255]]))))
    assert colours(grey) == [WHITE, (7, 7, 7)]
    assert colours(encode(grey, "PNG")) == [WHITE, (7, 7, 7)]
    palette = Image.new("P", (2, 1))
    palette.putpalette([*RED, *BLUE])
    palette.putpixel((1, 0), 1)
    assert colours(palette) == [RED, BLUE]
    assert colours(encode(palette, "PNG", transparency=0)) == [WHITE, BLUE]
    assert colours(encode(palette, "PNG", transparency=bytes([255, 0]))) == [RED, WHITE]
    assert colours(encode(palette, "GIF", transparency=1)) == [RED, WHITE]
    assert colours(palette.convert("PA")) == [RED, BLUE]


@pytest.mark.parametrize(
    ("depth", "kind", "row", "key", "expected"),
    [
        (1, 0, b"\x40", b"\0\0", [WHITE, WHITE]),
        (8, 0, b"\x10\x80", b"\0\x10", [WHITE, GREY]),
        (16, 0, b"\x10\x10\x80\x80", b"\x10\x10", [WHITE, GREY]),
        (8, 2, bytes((*RED, *BLUE)), b"\0\xff\0\0\0\0", [WHITE, BLUE]),
    ],
)
def test_png_colour_key(depth: int, kind: int, row: bytes, key: bytes, expected: list) -> None:
    assert colours(png(2, 1, depth, kind, b"\0" + row, chunk(b"tRNS", key))) == expected


# Colour spaces and depths


def test_cmyk_jpeg_of_adobe_is_stored_inverted() -> None:
    file = encode(flat("CMYK", (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in file
    assert_near(open_upright(file), np.full((32, 32, 3), RED), LOSSY)


def test_ycck_jpeg_of_photoshop() -> None:
    cyan_magenta_yellow = flat("RGB", (0, 255, 255)).convert("YCbCr").split()
    inverted = [channel.point(lambda v: 255 - v) for channel in cyan_magenta_yellow]
    file = encode(Image.merge("CMYK", [*inverted, flat("L", 0)]), "JPEG", quality=95)
    transform = file.index(b"Adobe") + 11
    file = file[:transform] + b"\2" + file[transform + 1 :]
    assert_near(open_upright(file), np.full((32, 32, 3), RED), LOSSY)


def test_draft_keeps_the_colours_of_cmyk() -> None:
    file = encode(Image.new("CMYK", (2000, 2000), (0, 255, 255, 0)), "JPEG")
    assert np.abs(read(file, 64).astype(int) - RED).max() <= LOSSY


def test_plain_modes() -> None:
    for mode, colour in [("1", 1), ("L", 255), ("YCbCr", (255, 128, 128)), ("HSV", (0, 0, 255))]:
        assert colours(Image.new(mode, (1, 1), colour)) == [WHITE]
    assert colours(encode(Image.new("CMYK", (1, 1), (255, 255, 0, 0)), "TIFF")) == [BLUE]
    lab = colours(encode(Image.new("LAB", (1, 1), (136, 208, 195)), "TIFF"))
    assert np.abs(np.subtract(lab, RED)).max() <= LOSSY


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 257 * 128, 65535], [0, 128, 255]),  # 16 bits
        ([0, 128, 255], [0, 128, 255]),  # 8 bits in a 16-bit file
        ([0, 514, 1024], [0, 128, 255]),  # 10 bits: stretched
        ([30000] * 3, [117] * 3),  # uniform, and not white
        ([0] * 3, [0] * 3),
    ],
)
def test_deep_grey(dtype: type, values: list[int], expected: list[int]) -> None:
    picture = Image.fromarray(np.array([values], dtype))
    assert colours(encode(picture, "TIFF")) == [(v, v, v) for v in expected]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.5, 1], [0, 128, 255]),
        ([-0.02, 0.5, 1.04], [0, 128, 255]),  # sharpened
        ([-20, 0, 20], [0, 128, 255]),
        ([np.nan, 0.5, 1], [0, 128, 255]),
        ([-np.inf, 0, np.inf], [0, 0, 0]),
        ([-3e38, 0, 3e38], [0, 128, 255]),
    ],
)
def test_float_tiff(values: list[float], expected: list[int]) -> None:
    picture = Image.fromarray(np.array([values], np.float32))
    assert colours(encode(picture, "TIFF")) == [(v, v, v) for v in expected]


def test_16_bit_png() -> None:
    assert colours(png(2, 1, 16, 0, b"\0\x80\x80\xff\xff")) == [GREY, WHITE]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_embedded_profile_is_followed(format: str) -> None:
    file = encode(flat("RGB", RED), format, icc_profile=profile_of_swapped_colours())
    upright = open_upright(file)
    assert_near(upright, np.full((32, 32, 3), BLUE), LOSSY)
    assert_near(open_upright(upright), np.full((32, 32, 3), BLUE), LOSSY)  # not swapped again


def test_profile_and_transparency_together() -> None:
    picture = flat("RGBA", (*RED, 0))
    picture.paste((*RED, 255), (0, 0, 16, 32))
    row = colours(encode(picture, "PNG", icc_profile=profile_of_swapped_colours()))
    assert np.abs(np.subtract([row[0], row[-1]], [BLUE, WHITE])).max() <= 2


# With ids, since a profile contains the time of its creation, and each worker creates its own.
@pytest.mark.parametrize(
    "profile", [b"nonsense", profile_of_swapped_colours()[:300]], ids=["nonsense", "cut off"]
)
def test_broken_profile_is_ignored(profile: bytes) -> None:
    assert colours(encode(flat("RGB", RED), "PNG", icc_profile=profile))[0] == RED


def test_profile_of_other_channels_is_ignored() -> None:
    file = encode(flat("L", 128), "PNG", icc_profile=profile_of_swapped_colours())
    assert colours(file)[0] == GREY


# The model's input


def test_read_leaves_a_picture_of_the_size_as_it_is() -> None:
    photograph = np.ascontiguousarray(data.chelsea()[:224, :224])
    assert (read(photograph, 224) == photograph).all()
    assert (read(encode(Image.fromarray(photograph), "PNG"), 224) == photograph).all()


def test_read_squashes_the_whole_picture() -> None:
    pixels = read(corners(), 32)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    ends = pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (ends == [RED, GREEN, BLUE, WHITE]).all()


def test_read_does_not_alias() -> None:
    stripes = np.zeros((1000, 1000, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(read(stripes, 90)[:, 2:-2].astype(int) - 127).max() <= 8


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 2000, 3), (2000, 1, 3)])
def test_read_thin_pictures(shape: tuple[int, int, int]) -> None:
    assert (read(np.full(shape, 77, np.uint8), 48) == 77).all()


def test_draft_is_nearly_the_full_picture() -> None:
    """A large JPEG is decoded at a fraction of its size, and looks the same."""
    photograph = Image.fromarray(data.astronaut()).resize((3000, 2400), Image.Resampling.LANCZOS)
    file = encode(photograph, "JPEG", quality=92)
    assert open_upright(file).size == (3000, 2400)
    assert open_upright(file, at_least=224).size == (750, 600)
    full = read(np.asarray(open_upright(file)), 224).astype(int)
    assert np.abs(read(file, 224) - full).mean() < 1


def test_a_region_is_counted_in_pixels_of_the_upright_photograph() -> None:
    """This holds for JPEGs that could be decoded at a smaller size, and for all orientations."""
    picture = Image.fromarray(data.astronaut()).resize((2000, 1000))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = encode(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=92, exif=exif)
    wanted = read(np.asarray(picture.crop((900, 100, 1500, 700))), 64).astype(int)
    assert np.abs(read(file, 64, (900, 100, 1500, 700)) - wanted).mean() < 2


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket", "camera"])
def test_photographs(name: str) -> None:
    photograph = getattr(data, name)()
    pixels = read(Image.fromarray(photograph), 112)
    assert np.abs(pixels.mean((0, 1)) - photograph.mean((0, 1))).max() < 1
    assert pixels.std() > 0.9 * photograph.std()


def test_a_jpeg_needs_none_of_the_rare_formats(tmp_path: Path) -> None:
    """Importing all of Pillow's plugins took a tenth of the time to caption one photograph."""
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg")
    code = (
        "import sys, numpy; numpys = set(sys.modules); "  # NumPy 1 imports numpy.random itself
        "from showtell.image import read; from showtell import decoding; "
        f"read({str(tmp_path / 'a.jpg')!r}, 8); print(*set(sys.modules) - numpys)"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "PIL.JpegImagePlugin" in loaded
    assert not {"PIL.IcnsImagePlugin", "numpy.random"} & set(loaded)
