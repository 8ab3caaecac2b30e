"""Fuzzer: damages parts of real files, and checks how they are read.

    python -m tests.fuzz --minutes 30 --seed 1

A separate process reads the files one after another. A file is saved to the folder `fuzz-found` if
the process is ended by a signal, takes more than two seconds of CPU time, raises anything but an
ImageError, or keeps growing; the exit status is then 1. The same seed gives the same files.
"""

import argparse
import random
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from showtell import memory
from showtell.errors import ImageError
from showtell.image import SEVERAL_FRAMES, read_and_warn

SECONDS = 2.0  # maximum CPU time per file
GROWTH = 50  # maximum growth of the process in MB after its first files
WARM_UP = 100  # files
SIDE = 64  # pixels; size to which pictures are resized
VALUES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


# Valid files


@cache  # a colour profile contains the time of its creation
def pictures() -> list[bytes]:
    """Return small files of all formats, written in many ways."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((48, 36))
    alpha = colour.copy()
    alpha.putalpha(colour.convert("L"))
    deep = Image.fromarray(np.asarray(colour.convert("L")).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    several = {"save_all": True, "append_images": [colour.rotate(90)]}
    ways: list[tuple[Image.Image, str, dict]] = [
        (colour, "JPEG", {"exif": exif}),
        (colour, "JPEG", {"progressive": True, "comment": "odd"}),
        (colour.convert("CMYK"), "JPEG", {}),
        (colour, "MPO", several),
        (colour, "PNG", {"exif": exif}),
        (colour.quantize(16), "PNG", {"transparency": 3}),
        (deep, "PNG", {}),
        (alpha, "PNG", several),
        (colour, "WEBP", {"exif": exif}),
        (alpha, "WEBP", {"lossless": True}),
        (colour, "WEBP", several),
        (colour.quantize(8), "GIF", several),
        (colour, "BMP", {}),
        (colour.quantize(4), "BMP", {}),
        (colour, "PPM", {}),
    ]
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        ways.append((colour, "TIFF", {"compression": compression}))
    ways.append((colour.convert("1"), "TIFF", {"compression": "group4"}))
    ways.append((colour.convert("F"), "TIFF", {}))
    if "AVIF" in Image.SAVE:
        quick = {"speed": 10, "max_threads": 1}
        ways += [(alpha, "AVIF", quick), (colour, "AVIF", {**quick, **several})]
    return [_encode(*way) for way in ways]


def _encode(picture: Image.Image, form: str, options: dict) -> bytes:
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


# Their parts


def parts(file: bytes) -> list[bytes]:
    """Split a file into its chunks, segments or boxes; joined, they are the file."""
    if file.startswith(b"\x89PNG"):
        borders = _walk(file, 8, lambda at: 12 + _big(file, at))
    elif file.startswith(b"\xff\xd8"):
        borders = _walk(file, 2, lambda at: 2 + int.from_bytes(file[at + 2 : at + 4]))
    elif file.startswith(b"RIFF"):
        borders = _walk(file, 12, lambda at: 8 + (int.from_bytes(file[at + 4 : at + 8], "little")))
    elif file[4:8] == b"ftyp":
        borders = _walk(file, 0, lambda at: _big(file, at))
    else:
        borders = list(range(0, len(file), max(1, len(file) // 12)))  # headers, tables, pixels
    cuts = sorted({0, *borders, len(file)})
    return [file[a:b] for a, b in pairwise(cuts)]


def _walk(file: bytes, at: int, length: object) -> list[int]:
    borders = []
    while at < len(file) and len(borders) < 100:
        borders.append(at)
        at += max(2, length(at))  # type: ignore[operator]
    return borders


def _big(file: bytes, at: int) -> int:
    return int.from_bytes(file[at : at + 4])


# Damage


def mutants(seed: int) -> Iterator[bytes]:
    """Yield damaged files endlessly, the same ones for the same seed."""
    rng, whole = random.Random(seed), pictures()
    while True:
        file = rng.choice(whole)
        for _ in range(rng.choice((1, 1, 2, 4))):
            damage = rng.choice((_bits, _number, _number, _cut, _repeat, _part, _part, _splice))
            file = damage(rng, file, whole) or b"\0"
        yield _right_sums(file) if rng.random() < 0.8 else file


def _bits(rng: random.Random, file: bytes, _: list[bytes]) -> bytes:
    damaged = bytearray(file)
    for _n in range(rng.choice((1, 3, 20))):
        damaged[rng.randrange(len(file))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _number(rng: random.Random, file: bytes, _: list[bytes]) -> bytes:
    """Write an extreme number somewhere, mostly near the start, where lengths and sizes are."""
    size = rng.choice((1, 2, 4))
    number = struct.pack(rng.choice("<>") + "I", rng.choice(VALUES))[:size]
    at = rng.randrange(min(len(file), rng.choice((64, len(file)))))
    return file[:at] + number + file[at + size :]


def _cut(rng: random.Random, file: bytes, _: list[bytes]) -> bytes:
    a, b = sorted(rng.randrange(len(file) + 1) for _n in range(2))
    return rng.choice((file[:a], file[:a] + file[b:], file[:a] + bytes(b - a) + file[b:]))


def _repeat(rng: random.Random, file: bytes, _: list[bytes]) -> bytes:
    a = rng.randrange(len(file))
    b = min(len(file), a + rng.choice((1, 8, 200)))
    return file[:b] + file[a:b] * rng.choice((1, 30, 1000)) + file[b:]


def _part(rng: random.Random, file: bytes, whole: list[bytes]) -> bytes:
    """Remove, duplicate or move a part, or insert one of another file."""
    own = parts(file)
    at, other = rng.randrange(len(own)), rng.randrange(len(own))
    match rng.randrange(4):
        case 0:
            del own[at]
        case 1:
            own.insert(other, own[at])
        case 2:
            own[at], own[other] = own[other], own[at]
        case _:
            own.insert(at, rng.choice(parts(rng.choice(whole))))
    return b"".join(own)


def _splice(rng: random.Random, file: bytes, whole: list[bytes]) -> bytes:
    other = rng.choice(whole)
    return file[: rng.randrange(len(file) + 1)] + other[rng.randrange(len(other)) :]


def _right_sums(file: bytes) -> bytes:
    """Correct the checksums of a PNG, so that decoders read beyond them."""
    if not file.startswith(b"\x89PNG"):
        return file
    return b"".join(
        part[:-4] + zlib.crc32(part[4:-4]).to_bytes(4) if len(part) >= 12 and i else part
        for i, part in enumerate(parts(file))
    )


# The reading process


def reader() -> None:
    """Read files from standard input, each preceded by its length; print a result for each."""
    memory.give_back()
    while head := sys.stdin.buffer.read(4):
        file = sys.stdin.buffer.read(int.from_bytes(head))
        start = _seconds()
        told = _read(file)
        seconds = _seconds() - start
        print(f"{seconds:.3f} {_megabytes():.1f} {told}", flush=True)


def _seconds() -> float:
    """Return the user CPU time of this process, without the system's time for memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def _read(file: bytes) -> str:
    try:
        pixels, warnings = read_and_warn(file, SIDE)
    except ImageError as error:
        return "refused" if str(error) else "an ImageError that says nothing"
    except BaseException as error:
        return f"{type(error).__name__}: {error}".replace("\n", " ")
    right = pixels.shape == (SIDE, SIDE, 3) and pixels.dtype == np.uint8
    return "read" if right and set(warnings) <= {SEVERAL_FRAMES} else "something that is no picture"


def _megabytes() -> float:
    """Return the memory of this process in MB, or its maximum if only that is known."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


# The watching process


def fuzz(seed: int, seconds: float, files: int, found: Path) -> list[str]:
    """Read damaged files until `seconds` or `files` is reached; return a line per failure."""
    complaints, counts = [], {"read": 0, "refused": 0}
    end, process, usual = time.monotonic() + seconds, None, 0.0
    for n, file in enumerate(mutants(seed)):
        if n >= files or time.monotonic() > end:
            break
        process = process or _start()
        line = _ask(process, file)
        took, held, told = line.split(" ", 2) if line else ("0", "0", "the process died")
        if told in counts:
            counts[told] += 1
        usual = float(held) if n <= WARM_UP else usual
        wrong = told if told not in counts else ""
        wrong = wrong or (f"{took} s" if float(took) > SECONDS else "")
        wrong = wrong or (f"{held} MB, {usual} before" if float(held) > usual + GROWTH else "")
        if wrong:
            complaints.append(_keep(file, found, f"file {n} of seed {seed}: {wrong}"))
            process.kill()
            process, usual = None, float("inf") if usual == 0 else usual
    if process:
        process.kill()
    print(f"seed {seed}: {counts['read']} read, {counts['refused']} refused", flush=True)
    return complaints


def _start() -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.fuzz", "--reader"]
    return subprocess.Popen(
        command,
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _ask(process: subprocess.Popen, file: bytes) -> str:
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(len(file).to_bytes(4) + file)
        process.stdin.flush()
    except BrokenPipeError:
        return ""
    return process.stdout.readline().decode().strip()


def _keep(file: bytes, found: Path, complaint: str) -> str:
    found.mkdir(exist_ok=True)
    path = found / sha256(file).hexdigest()[:16]
    path.write_bytes(file)
    print(f"{complaint}; kept as {path}", flush=True)
    return complaint


def main() -> None:
    """Run the fuzzer with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reader", action="store_true", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.reader:
        reader()
    elif fuzz(told.seed, 60 * told.minutes, sys.maxsize, Path("fuzz-found")):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
