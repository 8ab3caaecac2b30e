"""Limits for hostile files: by size, and by time while decoding."""

import gc
import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from time import thread_time

import pytest
from PIL import Image

from showtell import image, limits
from showtell.errors import ImageError, ImageTooLargeError
from showtell.image import open_upright, read
from tests.odd_files import RED, chunk, colours, encode, flat, png


def segment(marker: int, body: bytes) -> bytes:
    return bytes([255, marker]) + struct.pack(">H", len(body) + 2) + body


def bmp(width: int, height: int, runs: bytes) -> bytes:
    """Return a run-length coded grey BMP."""
    start = 14 + 40 + 1024
    sizes = 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0
    header = struct.pack("<IiiHHIIiiII", *sizes)
    file = struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start)
    return file + header + b"".join(bytes([i, i, i, 0]) for i in range(256)) + runs


def many_scans(n: int) -> bytes:
    """Return a progressive JPEG with one scan repeated `n` times."""
    file = encode(Image.new("L", (2000, 2000)), "JPEG", progressive=True)
    last = file[file.rindex(b"\xff\xda") : -2]
    return file[:-2] + n * last + file[-2:]


JPEG = encode(flat("RGB", RED), "JPEG")
SLOW = {
    "padding": lambda: b"\xff\xd8" + b"\xff" * 4_000_000 + JPEG[2:],
    "comments": lambda: b"\xff\xd8" + segment(0xFE, b"") * 1_000_000 + JPEG[2:],
    "EXIF": lambda: b"\xff\xd8" + segment(0xE1, b"Exif\0\0....") * 200_000 + JPEG[2:],
    "scans": lambda: many_scans(1600),
    "chunks": lambda: png(1, 1, 8, 2, b"\0\0\0\0", *[chunk(b"abCd", b"")] * 400_000),
    "runs": lambda: bmp(1500, 1500, b"\1a" * 1_100_000),
    "PPM": lambda: b"P6 1500 1500 100\n" + bytes(6_750_000),
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_decoder_that_is_kept_busy_is_stopped(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A file of four megabytes occupied a server's thread for minutes."""
    file = SLOW[kind]()
    monkeypatch.setattr(limits, "MAX_SECONDS", 0.1)
    start = thread_time()
    with pytest.raises(ImageTooLargeError, match=r"longer than 0\.1 s to decode: save it as"):
        read(file, 32)
    assert thread_time() - start < 1


@pytest.mark.parametrize("size", [(8000, 8000), (64_000_000, 1), (1, 3_000_000)])
def test_what_python_decodes_is_limited_by_its_pixels(size: tuple[int, int]) -> None:
    """A BMP of one kilobyte took minutes: it was decoded in Python, without a time limit."""
    for file in (bmp(*size, b"\1a\0\0\0\1"), b"P3 %d %d 255\n1 2 3" % size):
        with pytest.raises(ImageTooLargeError, match="save it as JPEG or PNG"):
            open_upright(file)
    assert colours(bmp(2, 1, b"\2\x61\0\1")) == [(97, 97, 97)] * 2


def ask(name: str, value: str) -> str:
    """Print the limit `name` in a subprocess in which it is set in the environment."""
    code = f"from showtell import limits; print(limits.{name.removeprefix('SHOWTELL_')})"
    environment = {name: value, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return (done.stdout or done.stderr).strip()


def test_limits_are_taken_from_the_environment() -> None:
    assert ask("SHOWTELL_MAX_PIXELS", "200000000") == "200000000"
    assert ask("SHOWTELL_MAX_BYTES", "") == str(32 * 2**20)
    for wrong in ("32MB", "0", "-1"):
        told = f"showtell: SHOWTELL_MAX_BYTES is '{wrong}'; set it to a whole number of 1 or more"
        assert ask("SHOWTELL_MAX_BYTES", wrong) == told


FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")


@pytest.mark.parametrize("form", FORMATS)
def test_a_refused_picture_is_given_back_at_once(form: str) -> None:
    """Each picture's 60 MB stayed in memory until the next garbage collection."""
    gc.collect()
    gc.disable()
    try:
        with suppress(ImageError):
            read(encode(Image.new("RGB", (64, 64), "teal"), form)[:-9], 8)
        held = [kept for kept in gc.get_objects() if isinstance(kept, limits.Metered)]
    finally:
        gc.enable()
    assert held == []


@pytest.mark.parametrize(("side", "together"), [(4001, 1), (100, 2)])
def test_large_pictures_are_decoded_one_at_a_time(
    side: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, most = [0], [0]
    meet = Barrier(2)

    def watched(picture: Image.Image) -> Image.Image:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        with suppress(BrokenBarrierError):
            meet.wait(0.5)  # passes before the timeout only if two threads are here
        inside[0] -= 1
        return picture.convert("RGB").resize((8, 8))

    monkeypatch.setattr(image, "_to_srgb", watched)
    with ThreadPoolExecutor(2) as pool:
        pictures = [Image.new("1", (side, side)) for _ in range(2)]
        list(pool.map(image.open_upright, pictures))
    assert most == [together]
