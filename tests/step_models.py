"""Step models that are small enough to compute all results by hand."""

import itertools
from typing import Any

import numpy as np

from showtell.decoding import Mention, Step
from showtell.runtime import State
from showtell.vocab import END

CELLS = 16  # cells per photograph of a CellReader
A, B, C = 4, 5, 6  # ids of three words
V, L = 7, 3


class Table:
    """Probabilities that depend on the photograph and on all previous words.

    The state is an object array (B, k) of tuples: the photograph's number, then the words of the
    hypothesis.
    """

    def __init__(self, probabilities: Any) -> None:
        self.probabilities = probabilities
        self.batches: list[int] = []

    def start(self, n_photos: int) -> np.ndarray:
        state = np.empty((n_photos, 1), object)
        state[:, 0] = [(photo,) for photo in range(n_photos)]
        return state

    def step(self, state: np.ndarray, words: np.ndarray) -> tuple[Step, np.ndarray]:
        self.batches.append(len(state))
        said = np.empty(state.shape, object)
        logprobs = np.full((*state.shape, V), -np.inf)
        alphas = np.zeros((*state.shape, L), np.float32)
        for i in np.ndindex(state.shape):
            said[i] = (*state[i], int(words[i]))
            with np.errstate(divide="ignore"):
                logprobs[i] = np.log(self.probabilities(said[i][0], said[i][2:]))
            alphas[i][len(said[i]) % L] = 1
        return Step(logprobs, alphas, np.full(state.shape, 0.5, np.float32)), said

    def select(self, state: np.ndarray, photos: np.ndarray, beams: np.ndarray) -> np.ndarray:
        return state[photos[:, None], beams]


def distribution(**shares: float) -> np.ndarray:
    ids = {"a": A, "b": B, "c": C, "end": END}
    p = np.zeros(V)
    for name, share in shares.items():
        p[ids[name]] = share
    return p


def random_probabilities(photo: int, said: tuple[int, ...]) -> np.ndarray:
    """Return random probabilities of the next word, given the photograph and all words before."""
    p = np.zeros(V)
    rng = np.random.default_rng([photo, *said])
    p[[END, A, B, C]] = rng.dirichlet(np.ones(4))
    return p


def exhaustive(
    photo: int, max_length: int, power: float, mention: Mention = ()
) -> tuple[tuple[int, ...], float]:
    """Score every caption of at most `max_length` words, and return the best.

    With `mention`, only captions with a word of each set count.
    """
    best = ((), -np.inf)
    for n in range(max_length + 1):
        for words in itertools.product((A, B, C), repeat=n):
            if not satisfies(words, mention):
                continue
            steps = [*words, END]
            logprob = sum(
                np.log(random_probabilities(photo, tuple(steps[:t]))[steps[t]])
                for t in range(len(steps))
            )
            if logprob / len(steps) ** power > best[1]:
                best = (words, logprob / len(steps) ** power)
    return best


def satisfies(words: tuple[int, ...], mention: Mention) -> bool:
    return all(set(words) & set(one) for one in mention)


class CellReader:
    """Attends to cell t at step t. The word's probability is `likely` of the annotations' first
    components, (B, L).
    """

    def __init__(self, likely) -> None:
        self.likely = likely

    def step(self, state: State, words: np.ndarray) -> tuple[Step, State]:
        B = len(words)
        place = state.h[:, 0, 0].astype(int)  # number of words so far
        cells = state.projected[:, :, 0]  # the number of each cell
        alphas = (cells == place[:, None]) * 0.9 + 0.01 * (cells == place[:, None] + 1)
        p = self.likely(cells, place)
        logprobs = np.log(np.tile(p[:, None, None], (1, 1, 9)))
        step = Step(logprobs, alphas[:, None], np.ones((B, 1)))
        return step, state._replace(h=state.h + 1)


def sees_its_cell(cells: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.where((cells == place[:, None]).any(axis=1), 0.8, 0.1)
