"""Measures which words of captions come from the photograph, and how accurate the proof is.

    python benchmarks/proof.py --data flickr8k [--split test] [--photographs 1000] [--model M]
    python benchmarks/proof.py --data flickr8k --split dev --photographs 300 --rules

The proof masks the cells that a word attended to. It is compared with another test, which requires
other photographs: whether the word follows from the words before it. A word needs its photograph if
other photographs make it at most half as probable; otherwise it comes from the language model. The
second command compares rules for counting a word as seen; `showtell.proof` uses one of them.
"""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import click
import numpy as np
from tqdm import tqdm

from showtell.captioner import BATCH, Captioner, load
from showtell.data import load as load_data
from showtell.deletion import Drops, drops
from showtell.function_words import FUNCTION_WORDS
from showtell.proof import DRAWS, NEED, SHARE
from showtell.runtime import Encoded, State
from showtell.vocab import START

SHARES = (SHARE, 0.25, 0.5, 0.9)
NEEDS = (0.1, NEED, 0.4)
OTHERS = 8  # number of other photographs per word
ENOUGH = 20  # minimum number of occurrences of a word that is listed


class Said(NamedTuple):
    """A word of a caption, with its gate and its drops for each share of masked cells."""

    word: str
    gate: float
    falls: list[list[float]]  # for each of SHARES, relative falls without attended and random cells
    needs: bool  # whether it needs its photograph

    def seen(self, share: int = 0, need: float = NEED) -> bool:
        attended, random = self.falls[share]
        return attended - random >= need


@click.command()
@click.option("--data", required=True, help="A data set, as for `showtell data`.")
@click.option("--split", default="test", show_default=True)
@click.option("--photographs", default=1000, show_default=True, help="How many at most.")
@click.option("--rules", is_flag=True, help="Compare rules, instead of telling the words.")
@click.option("--model", help="A bundle's folder; the one that ships if not given.")
def main(data: str, split: str, photographs: int, rules: bool, model: str | None) -> None:
    """Print how often words are seen, or with `rules` how accurate each rule is."""
    captioner = load(model, threads=1)
    paths = [p.path for p in load_data(data).split(split)[:photographs]]
    said: list[Said] = []
    rng = np.random.default_rng(0)
    for at in tqdm(range(0, len(paths), BATCH), disable=None):
        encoded = captioner.encode(paths[at : at + BATCH])
        said += _measure(captioner, encoded, rng, SHARES if rules else SHARES[:1])
    print(f"{len(paths):,} photographs of {split}, {len(said):,} words\n")
    if rules:
        _tell_rules(said)
    else:
        _tell_kinds(said)
        _tell_words(said)


def _measure(
    captioner: Captioner, encoded: Encoded, rng: np.random.Generator, shares: Sequence[float]
) -> list[Said]:
    """Measure the words of captions, with the other photographs for comparison."""
    said: list[Said] = []
    runtime, state = captioner.runtime, encoded.state
    for i, caption in enumerate(captioner.decode(encoded)):
        _, *ids, _ = captioner.bundle.vocabulary.encode(caption.words)
        if not ids or len(state.h) == 1:
            continue
        alone = runtime.select(state, np.array([i]), np.zeros((1, 1), np.int64))
        found = [drops(runtime, alone, ids, rng, DRAWS, share) for share in shares]
        needs = _elsewhere(captioner, state, i, ids, rng) <= found[0].probability / 2
        falls = np.stack([_relative(drop) for drop in found], axis=1)  # (words, shares, 2)
        said += [
            Said(word, float(gate), fall.tolist(), bool(need))
            for word, gate, fall, need in zip(
                caption.words, caption.gates, falls, needs, strict=True
            )
        ]
    return said


def _relative(drop: Drops) -> np.ndarray:
    return np.stack([drop.attended, drop.random], axis=1) / drop.probability[:, None]


def _elsewhere(
    captioner: Captioner, state: State, own: int, ids: list[int], rng: np.random.Generator
) -> np.ndarray:
    """Return the probability of each word with other photographs, (words,), mean over several."""
    others = np.delete(np.arange(len(state.h)), own)
    some = rng.choice(others, min(OTHERS, len(others)), replace=False)
    state = captioner.runtime.select(state, some, np.zeros((len(some), 1), np.int64))
    likely = []
    for last, word in zip([START, *ids], ids, strict=False):
        step, state = captioner.runtime.step(state, np.full((len(some), 1), last))
        likely.append(float(np.exp(step.logprobs[:, 0, word]).mean()))
    return np.array(likely)


def _tell_rules(said: list[Said]) -> None:
    """Print each rule's accuracy, mean over words that need their photograph and other words."""
    print("right, by what is left out and by the loss that makes a word seen")
    print("              " + "".join(f"{need:>8.0%}" for need in NEEDS))
    for share in sorted(SHARES):
        right = (_right(said, SHARES.index(share), need) for need in NEEDS)
        print(f"  {share:>4.0%} of cells" + "".join(f"{r:>8.1%}" for r in right))


def _right(said: list[Said], share: int, need: float) -> float:
    kinds = ([s for s in said if s.needs == truth] for truth in (True, False))
    return fmean(fmean(s.seen(share, need) == s.needs for s in kind) for kind in kinds)


def _tell_kinds(said: list[Said]) -> None:
    """Print how many words of each kind are seen, and how much their probability falls."""
    kinds = {
        "all words": said,
        "that name what is seen": [s for s in said if s.word not in FUNCTION_WORDS],
        "function words": [s for s in said if s.word in FUNCTION_WORDS],
        "that need their photograph": [s for s in said if s.needs],
        "that do not": [s for s in said if not s.needs],
    }
    print(_row("", "times", "seen", "needs", "attended", "random", "β"))
    for name, those in kinds.items():
        print(_summary(name, those))


def _tell_words(said: list[Said]) -> None:
    """Print the same for each frequent word, most often seen first."""
    by_word = defaultdict(list)
    for one in said:
        by_word[one.word].append(one)
    often = [(word, those) for word, those in by_word.items() if len(those) >= ENOUGH]
    print()
    for word, those in sorted(often, key=lambda item: -fmean(s.seen() for s in item[1])):
        print(_summary(word, those))


def _summary(name: str, those: list[Said]) -> str:
    attended, random = (fmean(s.falls[0][i] for s in those) for i in (0, 1))
    shares = (fmean(s.seen() for s in those), fmean(s.needs for s in those), -attended, -random)
    gate = fmean(s.gate for s in those)
    return _row(name, f"{len(those):,}", *(f"{x:.0%}" for x in shares), f"{gate:.2f}")


def _row(name: str, *cells: str) -> str:
    return f"{name:28}" + "".join(f"{cell:>9}" for cell in cells)


if __name__ == "__main__":
    main()
