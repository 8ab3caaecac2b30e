"""Measures of captions without references: repeated words, differences of maps, and gates."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

import numpy as np

from showtell.function_words import FUNCTION_WORDS

_ENOUGH = 10  # minimum number of occurrences of a word that is listed
_TOLD = 5  # maximum number of words in a list


@dataclass(frozen=True)
class WordGate:
    """A word, its mean gate, and its number of occurrences."""

    word: str
    gate: float
    times: int


@dataclass(frozen=True)
class Gates:
    """The gate β on visual words and on function words.

    According to the paper, the gate puts more emphasis on objects (section 4.2.1).

    Attributes
    ----------
    visual, function : mean gate over the words of each kind, 0..1.
    most, least : the words with the highest and the lowest mean gates, in this order, among those
        that occur at least ten times.
    """

    visual: float
    function: float
    most: tuple[WordGate, ...]
    least: tuple[WordGate, ...]


def gates(said: Iterable[tuple[str, float]]) -> Gates | None:
    """Compare the gates of visual words and of function words.

    Parameters
    ----------
    said : word and gate of each word of all captions.

    Returns
    -------
    The comparison; None if all words are of one kind.
    """
    of_word: dict[str, list[float]] = defaultdict(list)
    for word, gate in said:
        of_word[word].append(gate)
    function = [g for word, values in of_word.items() if word in FUNCTION_WORDS for g in values]
    visual = [g for word, values in of_word.items() if word not in FUNCTION_WORDS for g in values]
    if not function or not visual:
        return None
    often = [
        WordGate(word, fmean(values), len(values))
        for word, values in of_word.items()
        if len(values) >= _ENOUGH
    ]
    often.sort(key=lambda word: -word.gate)
    return Gates(fmean(visual), fmean(function), tuple(often[:_TOLD]), tuple(often[::-1][:_TOLD]))


def repeats(words: Sequence[str]) -> bool:
    """Return whether a caption has a word twice in a row, or a visual word twice."""
    counts = Counter(word for word in words if word not in FUNCTION_WORDS)
    return any(a == b for a, b in pairwise(words)) or any(n > 1 for n in counts.values())


def attention_difference(attention: np.ndarray) -> float:
    """Return how much the maps of a caption differ from word to word, 0..1.

    The mean over all pairs of words of the total variation distance, which is half the sum of the
    absolute differences: 0 when every word has the same map, 1 when no two maps overlap.

    Parameters
    ----------
    attention : (words, rows, cols) with at least two words; each map sums to 1.
    """
    n, rows, cols = attention.shape
    maps = attention.reshape(n, rows * cols).astype(np.float64)  # (n, rows * cols)
    distances = np.abs(maps[:, None] - maps[None]).sum(axis=-1) / 2  # (n, n)
    return float(distances.sum() / (n * (n - 1)))
