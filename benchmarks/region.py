"""Compares ways to caption a region of a photograph: masking the attention, and cropping.

    python benchmarks/region.py --data flickr8k [--split test] [--pairs 300] [--model M]

There are no references for regions of real photographs. So two photographs are combined into one
picture, side by side or one inside the other, and the caption of the region of one is scored
against its references. Requires the extras train and eval.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import click
import numpy as np
from captions import cider_of_each
from PIL import Image

from showtell import image
from showtell.captioner import BATCH, Captioner, load
from showtell.data import Photograph
from showtell.data import load as load_data
from showtell.decoding import beam_search
from showtell.evaluation.bootstrap import interval, resamples
from showtell.evaluation.scores import quick
from showtell.region import Region
from showtell.runtime import State
from showtell.train.start import weights
from showtell.vocab import tokenize

SIDE = 448  # pixels of each photograph
BOX = (0.3, 0.6)  # shortest and longest side of the inner photograph, relative to the outer one
COVER = 0.5  # share of a cell that a region must cover to include it

Pointed = tuple[Image.Image, Region, Photograph]


@click.command()
@click.option("--data", required=True, help="A data set, as for `showtell data`.")
@click.option("--split", default="test", show_default=True)
@click.option("--pairs", default=300, show_default=True, help="Pairs of photographs.")
@click.option("--model", help="A bundle's folder; the one that ships if not given.")
def main(data: str, split: str, pairs: int, model: str | None) -> None:
    """Print the scores of each way to caption a region."""
    rng = np.random.default_rng(0)
    photographs = rng.permutation(np.array(load_data(data).split(split), object))
    some = list(zip(photographs[:pairs], photographs[pairs : 2 * pairs], strict=True))
    captioner = load(model, threads=1)
    print(f"{'':34}  BLEU-4  CIDEr  95% of CIDEr")
    for name, pointed in (("side by side", beside(some)), ("in a box", boxed(some, rng))):
        measure(captioner, name, pointed)


def beside(pairs: Sequence[tuple[Photograph, Photograph]]) -> Iterator[Pointed]:
    """Put two photographs side by side; the region is first the one, then the other."""
    for pair in pairs:
        picture = Image.new("RGB", (2 * SIDE, SIDE))
        for left, photograph in zip((0, SIDE), pair, strict=True):
            picture.paste(_square(photograph), (left, 0))
        for left, photograph in zip((0, SIDE), pair, strict=True):
            yield picture, (left, 0, left + SIDE, SIDE), photograph


def boxed(
    pairs: Sequence[tuple[Photograph, Photograph]], rng: np.random.Generator
) -> Iterator[Pointed]:
    """Put one photograph on a part of another; the region is the one on top."""
    for around, photograph in pairs:
        picture = _square(around).resize((2 * SIDE, 2 * SIDE))
        width, height = (2 * SIDE * rng.uniform(*BOX, size=2)).astype(int).tolist()
        left, top = rng.integers(0, 2 * SIDE - width), rng.integers(0, 2 * SIDE - height)
        picture.paste(_square(photograph).resize((width, height)), (left, top))
        yield picture, (int(left), int(top), int(left + width), int(top + height)), photograph


def _square(photograph: Photograph) -> Image.Image:
    return image.open_upright(photograph.path).resize((SIDE, SIDE))


def measure(captioner: Captioner, name: str, pointed: Iterator[Pointed]) -> None:
    """Print the scores of each way on the same regions."""
    states: dict[str, list[State]] = defaultdict(list)
    references = []
    prefix = "decoder.init_"
    held = weights(captioner.bundle).items()
    init = {name.removeprefix(prefix): w.numpy() for name, w in held if name.startswith(prefix)}
    for one in pointed:
        for way, state in _ways(captioner, init, one):
            states[way].append(state)
        references.append([tokenize(caption) for caption in one[2].captions])
    print(f"{name}, {len(references)} parts")
    wanted = dict(enumerate(references))
    for way, those in states.items():
        said = dict(enumerate(_say(captioner, those)))
        ciders = np.array(cider_of_each(said, wanted))
        low, high = interval(resamples(len(ciders)) @ ciders / len(ciders))
        bleu, cider = quick(said, wanted)
        print(f"  {way:32}  {100 * bleu:6.2f}  {cider:5.3f}  {low:.3f} to {high:.3f}", flush=True)


def _ways(
    captioner: Captioner, init: dict[str, np.ndarray], pointed: Pointed
) -> Iterator[tuple[str, State]]:
    """Yield each way to caption a region, with its state before the first word."""
    picture, region, photograph = pointed
    whole, anew, itself = (
        captioner.encode([source]).state
        for source in (picture, picture.crop(region), photograph.path)
    )
    kept = cells(region, picture.size, captioner.bundle.grid)
    masked = whole._replace(
        annotations=whole.annotations[:, kept], projected=whole.projected[:, kept]
    )
    yield "the whole picture", whole
    yield "attention to the part", masked
    yield "attention, h and c of the part", _started_anew(masked, init)
    yield "the part, encoded anew", anew
    yield "that photograph by itself", itself


def cells(region: Region, size: tuple[int, int], grid: tuple[int, int]) -> np.ndarray:
    """Return the cells that a region covers by at least half, or else the most covered one."""
    left, top, right, bottom = region
    covered = np.outer(
        _covered(top, bottom, size[1], grid[0]), _covered(left, right, size[0], grid[1])
    )
    return np.flatnonzero(covered >= min(COVER, covered.max()))


def _covered(start: int, end: int, length: int, n: int) -> np.ndarray:
    """Return how much of each of `n` equal intervals lies between `start` and `end`, (n,)."""
    edges = np.arange(n + 1) * (length / n)
    return np.clip((np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)) * n / length, 0, 1)


def _started_anew(state: State, init: dict[str, np.ndarray]) -> State:
    """Predict h and c from the mean of the given annotations (section 3.1.2)."""
    mean = state.annotations.mean(axis=1, keepdims=True)  # (1, 1, D)
    h, c = (np.tanh(mean @ init[f"{x}.weight"].T + init[f"{x}.bias"]) for x in "hc")
    return state._replace(h=h, c=c)


def _say(captioner: Captioner, states: Sequence[State]) -> list[tuple[str, ...]]:
    """Caption states of one photograph each; states with equal numbers of cells form a batch."""
    by_cells: dict[int, list[int]] = defaultdict(list)
    for i, state in enumerate(states):
        by_cells[state.annotations.shape[1]].append(i)
    said: dict[int, tuple[str, ...]] = {}
    for alike in by_cells.values():
        for at in range(0, len(alike), BATCH):
            batch = alike[at : at + BATCH]
            parts = zip(*(states[i] for i in batch), strict=True)
            state = State(*(np.concatenate(part) for part in parts))
            found = beam_search(captioner.runtime, state, len(batch))
            for i, (best, *_) in zip(batch, found, strict=True):
                said[i] = captioner.bundle.vocabulary.decode(best.words)
    return [said[i] for i in range(len(states))]


if __name__ == "__main__":
    main()
