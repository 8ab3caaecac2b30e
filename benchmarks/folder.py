"""Speed and memory of captioning a folder, and a test that killing a run changes no result.

    python benchmarks/folder.py --small 200 --small 2000 --large 200 --kills 5

Generates images of 500 x 375 and 4000 x 3000 pixels, and captions folders of them with `showtell
caption --out`. Reports photographs per second including process start, CPU time per photograph, and
the peak memory of all processes together. Then it captions the last folder of small images again,
kills and resumes that run repeatedly, and compares the output with the first, byte for byte.
Requires Linux.
"""

import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from measured import Row, json_option, show
from PIL import Image

SMALL, LARGE = (500, 375), (4000, 3000)
LOOK = 0.25  # seconds between memory measurements


def draw(size: tuple[int, int]) -> bytes:
    """Return a random JPEG with about as much detail as a photograph."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize(size)
    noise = rng.normal(0, 6, (size[1], size[0], 1))
    file = BytesIO()
    pixels = np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=88)
    return file.getvalue()


def fill(folder: Path, n: int, size: tuple[int, int]) -> Path:
    """Write `n` copies of an image, each with its own JPEG comment so that all files differ."""
    jpeg = draw(size)
    for i in range(n):
        path = folder / f"{i // 1000:03d}" / f"{i:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        comment = b"\xff\xfe\x00\x0a" + b"%08d" % i
        path.write_bytes(jpeg[:2] + comment + jpeg[2:])
    return folder


def begin(folder: Path, out: Path) -> subprocess.Popen:
    """Start a process that captions a folder, or resumes it."""
    options = ["--recursive", "--resume", "--out", out]
    return subprocess.Popen([sys.executable, "-m", "showtell", "caption", folder, *options])


def family(process: int) -> Iterator[int]:
    """Yield the ids of a process and its descendants."""
    yield process
    with suppress(OSError):
        for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
            yield from family(int(child))


def memory(process: int) -> float:
    """Return the memory of a process and its descendants in MB; shared memory counts once."""
    held = 0
    for member in family(process):
        with suppress(OSError):
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text()
            held += int(rollup.partition("\nPss:")[2].split()[0])
    return held / 1024


def used() -> float:
    """Return the CPU time of all finished child processes in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(folder: Path, out: Path, n: int) -> Row:
    """Caption a folder of `n` photographs and return its row of the table."""
    start, before, peak = time.perf_counter(), used(), 0.0
    process = begin(folder, out)
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        time.sleep(LOOK)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"the run ended with status {process.returncode}")
    return {
        "pixels": folder.name,
        "photographs": n,
        "a second": n / seconds,
        "CPU time of each, ms": 1000 * (used() - before) / n,
        "peak memory, MB": peak,
    }


def kill(folder: Path, out: Path, whole: Path, kills: int) -> bool:
    """Kill and resume a run `kills` times; return whether its output equals that of `whole`."""
    rng = random.Random(0)
    for _ in range(kills):
        process = begin(folder, out)
        time.sleep(rng.uniform(1, 6))
        process.kill()
        process.wait()
    return begin(folder, out).wait() == 0 and out.read_bytes() == whole.read_bytes()


@click.command()
@click.option("--small", multiple=True, type=int, default=(2000, 10000), show_default=True)
@click.option("--large", multiple=True, type=int, default=(200,), show_default=True)
@click.option("--kills", default=10, show_default=True)
@json_option
def main(small: tuple[int, ...], large: tuple[int, ...], kills: int, out: Path | None) -> None:
    """Measure folders of the given sizes, then test a run that is killed repeatedly."""
    rows = []
    with TemporaryDirectory() as scratch:
        root = Path(scratch)
        for size, counts in ((SMALL, small), (LARGE, large)):
            for n in counts:
                name = f"{n}/{size[0]} x {size[1]}"
                rows.append(measure(fill(root / name, n, size), root / f"{n}-{size[0]}.jsonl", n))
        tables, same = {"folder": rows}, True
        if small and kills:
            n = small[-1]
            folder = root / f"{n}/{SMALL[0]} x {SMALL[1]}"
            same = kill(folder, root / "killed.jsonl", root / f"{n}-{SMALL[0]}.jsonl", kills)
            answer = "yes" if same else "no"
            tables["kills"] = [{"photographs": n, "killed": kills, "the same file": answer}]
    show(tables, out)
    if not same:
        raise SystemExit("the run that was killed ended with another file")


if __name__ == "__main__":
    main()
