"""How captioning on Ray grows with the number of photographs, and an estimate for many more.

    python benchmarks/scale.py                                # 100, 1,000 and 10,000 photographs
    python benchmarks/scale.py --size 100 --size 100000

Draws JPEGs of 500 x 375 pixels and captions them on all cores of this machine. From the third size
on, the time is also predicted from the two sizes before. Requires the dev extra.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from measured import Row, Tables, json_option, show
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
    command = [sys.executable, "-m", "showtell", *arguments]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    sizes = [sum(file.stat().st_size for file in path.iterdir()) for path in (folder, out)]
    return Run(len(list(folder.iterdir())), seconds, *sizes)


def line(one: Run, other: Run, photographs: int) -> float:
    """Predict the seconds for a number of photographs by the line through two runs."""
    each = (other.seconds - one.seconds) / (other.photographs - one.photographs)
    return one.seconds + each * (photographs - one.photographs)


def table(runs: list[Run], cores: int) -> Tables:
    """Return the runs, and what the last two mean for a hundred million photographs."""
    rows: list[Row] = []
    for i, run in enumerate(runs):
        row = {"photographs": run.photographs, "seconds": run.seconds}
        row["a second"] = run.photographs / run.seconds
        if i:
            before = runs[i - 1]
            more, longer = run.photographs - before.photographs, run.seconds - before.seconds
            row["a second, beyond the row above"] = more / longer
        if i > 1:
            row["predicted, s"] = line(*runs[i - 2 : i], run.photographs)
        rows.append(row)
    one, last = runs[-2:]
    cost = {
        f"days of one core for {MANY:,}": cores * line(one, last, MANY) / 86_400,
        "bytes read, a photograph": last.read / last.photographs,
        "bytes written, a photograph": last.written / last.photographs,
    }
    return {"cluster": rows, "cluster-cost": [cost]}


@click.command()
@click.option("--size", "sizes", multiple=True, type=int, default=SIZES, show_default=True)
@json_option
def main(sizes: tuple[int, ...], out: Path | None) -> None:
    """Print what was measured, and what it means for a hundred million."""
    if len(set(sizes)) < 2:
        raise click.UsageError("give two numbers of photographs or more: --size N --size M")
    runs = []
    with TemporaryDirectory() as scratch:
        folder = Path(scratch, "photographs")
        folder.mkdir()
        for photographs in sorted(set(sizes)):
            draw(folder, photographs)
            runs.append(caption(folder, Path(scratch, f"{photographs}")))
    show(table(runs, os.cpu_count() or 1), out)


if __name__ == "__main__":
    main()
