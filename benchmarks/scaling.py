"""How the time of a caption grows with the beam, the batch, the photograph and the threads.

    python benchmarks/scaling.py [--rounds N] [--plot docs/scaling.svg]

Everything is measured in turns within one run, by the clock: medians in milliseconds a photograph.
Where nothing else is said, one photograph of 500 x 375 pixels from the bytes of its JPEG, beam 5,
and a thread for each core. Needs the dev extra.
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
from PIL import Image
from skimage import data

from showtell.captioner import Captioner, load

BEAMS = 1, 2, 3, 5, 10
BATCHES = 1, 2, 4, 8, 16
SIZES = (250, 188), (500, 375), (1000, 750), (2000, 1500), (4000, 3000)
Work = tuple[Callable[[], object], int]  # and how many photographs that captions


def jpeg(size: tuple[int, int]) -> bytes:
    file = BytesIO()
    Image.fromarray(data.astronaut()).resize(size).save(file, "JPEG", quality=90)
    return file.getvalue()


def works(model: str | None) -> dict[str, dict[str, Work]]:
    """Return what is measured, a group for each thing that varies."""
    usual, file = load(model), jpeg(SIZES[1])
    threads = range(1, (os.cpu_count() or 1) + 1)

    def work(captioner: Captioner, file: bytes, n: int = 1, beam: int = 5) -> Work:
        return partial(captioner.caption, [file] * n, beam=beam), n

    return {
        "beam": {f"{k}": work(usual, file, beam=k) for k in BEAMS},
        "photographs at once": {f"{n}": work(usual, file, n) for n in BATCHES},
        "pixels": {f"{w} x {h}": work(usual, jpeg((w, h))) for w, h in SIZES},
        "threads": {f"{t}": work(load(model, threads=t), file) for t in threads},
    }


def measure(groups: dict[str, dict[str, Work]], rounds: int) -> dict[str, dict[str, float]]:
    """Return the median of each, milliseconds a photograph, after a round that does not count."""
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(1 + rounds):
        for group, works in groups.items():
            for name, (work, n) in works.items():
                start = time.perf_counter()
                work()
                taken[group, name].append(1000 * (time.perf_counter() - start) / n)
    return {
        group: {name: statistics.median(taken[group, name][1:]) for name in works}
        for group, works in groups.items()
    }


def draw(measured: dict[str, dict[str, float]], path: Path) -> None:
    """Draw a panel for each group, on one scale."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, len(measured), figsize=(11, 2.8), sharey=True, layout="constrained"
    )
    for axes, (group, times) in zip(panels, measured.items(), strict=True):
        axes.plot(list(times), list(times.values()), "o-", color="#c2571a")
        axes.set(xlabel=group, ylim=(0, None))
        axes.tick_params(axis="x", labelrotation=30 if group == "pixels" else 0)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("ms a photograph")
    figure.savefig(path, metadata={"Date": None})


@click.command()
@click.option("--model", help="A bundle's folder; the one that ships if not given.")
@click.option("--rounds", default=15, show_default=True)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the medians into this file.")
def main(model: str | None, rounds: int, plot: Path | None) -> None:
    measured = measure(works(model), rounds)
    for group, times in measured.items():
        print(f"{group:22}{'':>12}  ms a photograph")
        for name, milliseconds in times.items():
            print(f"{'':22}{name:>12}{milliseconds:10.1f}")
    if plot:
        draw(measured, plot)


if __name__ == "__main__":
    main()
