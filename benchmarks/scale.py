"""Measures how the time of captioning on Ray grows with the number of photographs.

    python benchmarks/scale.py                      # 100, 1,000 and 10,000 photographs
    python benchmarks/scale.py --sizes 100 100000

Draws JPEGs of 500 x 375 pixels and captions them on all cores of this machine. From the third size
on, the time is also predicted from the two sizes before. Requires the dev extra.
"""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from skimage import data

SIZES = 100, 1_000, 10_000
MANY = 10**8


@dataclass(frozen=True)
class Run:
    """The cost of captioning a folder.

    Attributes
    ----------
    photographs : number of photographs.
    seconds : time from the start of the process to its end.
    read, written : bytes of the photographs and of the rows.
    """

    photographs: int
    seconds: float
    read: int
    written: int


def draw(folder: Path, photographs: int) -> None:
    """Write the photographs that do not exist yet, all of them different."""
    arrays = data.astronaut(), data.coffee(), data.rocket(), data.chelsea()
    pictures = [Image.fromarray(array).resize((500, 375)) for array in arrays]
    for i in range(len(list(folder.iterdir())), photographs):
        picture = pictures[i % len(pictures)].copy()
        picture.paste(tuple(i >> bits & 255 for bits in (0, 8, 16)), (0, 0, 16, 16))
        picture.save(folder / f"{i:07}.jpg", quality=90)


def caption(folder: Path, out: Path) -> Run:
    """Caption a folder with the command line."""
    start = time.perf_counter()
    arguments = ["caption", str(folder), "--engine", "ray", "--out", str(out)]
    command = [sys.executable, "-c", "from showtell.cli import main; main()", *arguments]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    sizes = [sum(file.stat().st_size for file in path.iterdir()) for path in (folder, out)]
    return Run(len(list(folder.iterdir())), seconds, *sizes)


def line(one: Run, other: Run, photographs: int) -> float:
    """Predict the seconds for a number of photographs by the line through two runs."""
    each = (other.seconds - one.seconds) / (other.photographs - one.photographs)
    return one.seconds + each * (photographs - one.photographs)


def main() -> None:
    """Print the measurements, and the prediction for a hundred million photographs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    cores, runs = os.cpu_count() or 1, list[Run]()
    print("photographs   seconds  predicted  a second", flush=True)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch, "photographs")
        folder.mkdir()
        for photographs in sorted(parser.parse_args().sizes):
            draw(folder, photographs)
            run = caption(folder, Path(scratch, f"{photographs}"))
            told = f"{line(*runs[-2:], photographs):11.1f}" if len(runs) > 1 else " " * 11
            rate = photographs / run.seconds
            print(f"{photographs:11,}{run.seconds:10.1f}{told}{rate:10.1f}", flush=True)
            runs.append(run)
    one, last = runs[-2:]
    seconds = cores * (line(one, last, MANY))
    print(f"{MANY:,}: {seconds / 86_400:,.0f} days of one core, of which {cores} were measured")
    print(f"read    {last.read / last.photographs:8,.0f} bytes a photograph")
    print(f"written {last.written / last.photographs:8,.0f} bytes a photograph")


if __name__ == "__main__":
    main()
