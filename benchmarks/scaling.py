"""How the time per caption depends on beam size, batch size, photograph size and threads.

    python benchmarks/scaling.py [--rounds N] [--plot docs/scaling.svg]

Reports the median wall-clock time per photograph in milliseconds. The values of a group are
measured alternately. The defaults are one photograph of 500 x 375 pixels from JPEG bytes, beam 5,
and one thread per core. Requires the dev extra.
"""

import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import click
from measured import Row, Tables, show, timing_options
from PIL import Image
from skimage import data

from showtell.captioner import Captioner, load
from showtell.search import Search

BEAMS = 1, 2, 3, 5, 10
BATCHES = 1, 2, 4, 8, 16
SIZES = (250, 188), (500, 375), (1000, 750), (2000, 1500), (4000, 3000)
Works = dict[str, tuple[Callable[[], object], int]]  # and the photographs of a call


def jpeg(size: tuple[int, int]) -> bytes:
    file = BytesIO()
    Image.fromarray(data.astronaut()).resize(size).save(file, "JPEG", quality=90)
    return file.getvalue()


def of_one(captioner: Captioner) -> dict[str, Works]:
    """Return the workloads for one captioner, in groups by the parameter that varies."""

    def work(size: tuple[int, int] = SIZES[1], n: int = 1, beam: int = Search.beam) -> tuple:
        return partial(captioner.caption, [jpeg(size)] * n, beam=beam), n

    return {
        "beam": {f"{k}": work(beam=k) for k in BEAMS},
        "photographs at once": {f"{n}": work(n=n) for n in BATCHES},
        "pixels": {f"{w} x {h}": work((w, h)) for w, h in SIZES},
    }


def measure(works: Works, rounds: int) -> dict[str, float]:
    """Return the median milliseconds per photograph of each workload, after two warm-up rounds."""
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(2 + rounds):
        for name, (work, n) in works.items():
            start = time.perf_counter()
            work()
            taken[name].append(1000 * (time.perf_counter() - start) / n)
    return {name: statistics.median(times[2:]) for name, times in taken.items()}


def by_threads(model: str | None, rounds: int) -> dict[str, float]:
    """Measure captioners with 1, 2, ... threads.

    Only one captioner exists at a time, since idle threads of another would spin.
    """
    found = {}
    for threads in range(1, (os.cpu_count() or 1) + 1):
        work = partial(load(model, threads).caption, [jpeg(SIZES[1])])
        found |= measure({f"{threads}": (work, 1)}, rounds)
    return found


def draw(measured: dict[str, dict[str, float]], path: Path) -> None:
    """Plot one panel per group, with a common scale."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, len(measured), figsize=(11, 2.8), sharey=True, layout="constrained"
    )
    for axes, (group, times) in zip(panels, measured.items(), strict=True):
        axes.plot(list(times), list(times.values()), "o-", color="#c2571a")
        axes.set_xlabel(group)
        axes.tick_params(axis="x", labelrotation=30 if group == "pixels" else 0)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="ms a photograph", ylim=(0, None))  # after all panels
    figure.savefig(path, metadata={"Date": None})


def table(measured: dict[str, dict[str, float]]) -> Tables:
    """Return a table with the rows of all groups."""
    rows: list[Row] = [
        {"what varies": group, "value": value, "ms a photograph": milliseconds}
        for group, times in measured.items()
        for value, milliseconds in times.items()
    ]
    return {"scaling": rows}


@click.command()
@timing_options
def main(model: str | None, rounds: int, plot: Path | None, out: Path | None) -> None:
    """Print what was measured."""
    groups = of_one(load(model)).items()
    measured = {group: measure(works, rounds) for group, works in groups}
    measured["threads"] = by_threads(model, rounds)
    show(table(measured), out)
    if plot:
        draw(measured, plot)


if __name__ == "__main__":
    main()
