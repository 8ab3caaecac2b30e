"""Pictures with known pixels, and unusual files made of them."""

import re
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from showtell.image import Source, open_upright

WHITE, GREY = (255, 255, 255), (128, 128, 128)
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
LOSSY = 12  # maximum difference of a lossy codec, 0..255

Image.init()
avif = pytest.param(
    "AVIF", marks=pytest.mark.skipif("AVIF" not in Image.SAVE, reason="this Pillow has no AVIF")
)


def encode(picture: Image.Image, format: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def png(width: int, height: int, depth: int, kind: int, rows: bytes, *chunks: bytes) -> bytes:
    """Build a PNG from chunks, for kinds that Pillow cannot write; see :func:`chunk`."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def corners() -> np.ndarray:
    """Return a picture, 96 x 64, with four different quarters that show its orientation."""
    quarters = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8)
    return quarters.repeat(32, axis=0).repeat(48, axis=1)


def flat(mode: str, colour: object) -> Image.Image:
    return Image.new(mode, (32, 32), colour)


def assert_near(picture: Image.Image, expected: np.ndarray, tolerance: float = 0) -> None:
    assert picture.mode == "RGB"
    pixels = np.asarray(picture).astype(int)
    assert pixels.shape == expected.shape
    # The median, since JPEG has artefacts at the edges of the quarters.
    assert np.median(np.abs(pixels - expected), axis=(0, 1)).max() <= tolerance
    assert np.abs(pixels - expected).mean() <= tolerance


def colours(source: Source) -> list[tuple[int, ...]]:
    """Return the first row of the picture, as it is read."""
    return [tuple(pixel) for pixel in np.asarray(open_upright(source))[0].tolist()]


def profile_of_swapped_colours() -> bytes:
    """Return a colour profile with red and blue swapped."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # In one pass, since a placeholder might occur in the profile, which contains the time.
    swapped = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
    return re.sub(rb"[rb]XYZ", lambda tag: swapped[tag[0]], srgb)
