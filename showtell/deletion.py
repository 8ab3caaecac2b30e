"""Deletion: how much each word depends on the cells that the model attended to.

The probability of a word is computed again without the cells that it attended to most, and without
as many random cells. If the attention maps are meaningful, the former lowers it more. A cell is
masked by removing its row from the annotations, so the softmax is over the remaining cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from showtell.decoding import StepModel
from showtell.runtime import State
from showtell.vocab import START

# Share of the cells that are masked. It is the same for every word and model, so that flat maps do
# not lose more cells than sharp ones and models can be compared. An object covers about a quarter
# of a photograph.
SHARE = 0.25


class Drops(NamedTuple):
    """How much masking cells lowers the probability of each of `T` words.

    Attributes
    ----------
    probability : (T,) probability of each word given the words before it, with all cells.
    attended : (T,) fall of the probability without the cells that the word attended to most.
        Negative if the probability rises.
    random : (T,) fall of the probability without as many random cells, mean over the draws.
    """

    probability: np.ndarray
    attended: np.ndarray
    random: np.ndarray


@dataclass(frozen=True)
class Deletion:
    """How much masking cells lowers the probability of words, summarised over captions.

    Attributes
    ----------
    attended, random : see :class:`Drops`; means over all words.
    ratio : `attended` divided by `random`. None if `random` is not positive.
    words : number of words.
    """

    attended: float
    random: float
    ratio: float | None
    words: int


def drops(
    model: StepModel,
    state: State,
    words: Sequence[int],
    rng: "np.random.Generator",  # in quotes, as in decoding.py
    draws: int = 1,
    share: float = SHARE,
) -> Drops:
    """For each word of a caption, measure how much its probability falls when cells are masked.

    The cells are masked only in the step that predicts the word. The earlier steps, and therefore h
    and c, use all cells.

    Parameters
    ----------
    model : a model whose step accepts any number of cells.
    state : state before the first word, for one photograph and one hypothesis.
    words : ids of the words, one or more, without ``START`` and ``END``.
    rng : generator of the random sets of cells.
    draws : number of random sets of cells per word.
    share : share of the cells that are masked.
    """
    last = np.array([START, *words[:-1]])
    logprobs, alphas, h, c, evidence = _replay(model, state, last)
    T, L = alphas.shape
    probability = np.exp(logprobs[np.arange(T), words])

    rank = np.concatenate([alphas[None], rng.random((draws, T, L))])  # (1 + draws, T, L)
    left = L - min(max(1, round(share * L)), L - 1)
    kept = np.argsort(rank, axis=-1)[:, :, :left].reshape(-1, left)  # ((1 + draws) T, left)
    sets = np.tile(np.arange(T), 1 + draws)
    less = State(
        state.annotations[0, kept],
        state.projected[0, kept],
        h[sets],
        c[sets],
        None if evidence is None else evidence[sets],
    )
    step, _ = model.step(less, last[sets, None])
    without = np.exp(step.logprobs[np.arange(len(sets)), 0, np.asarray(words)[sets]])
    falls = probability - without.reshape(1 + draws, T)
    return Drops(probability, falls[0], falls[1:].mean(axis=0))


def _replay(
    model: StepModel, state: State, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Run the decoder over a given caption; `last` (T,) is the word before each of its words.

    Returns
    -------
    logprobs (T, V) and alphas (T, L) of each step; h and c (T, 1, n) before each step, and the
    evidence (T, 1, V) if there is a detector.
    """
    steps, states = [], []
    for word in last:
        states.append(state)
        step, state = model.step(state, np.array([[word]]))
        steps.append(step)
    return (
        np.stack([step.logprobs[0, 0] for step in steps]),
        np.stack([step.alphas[0, 0] for step in steps]),
        np.concatenate([before.h for before in states]),
        np.concatenate([before.c for before in states]),
        None if state.evidence is None else np.concatenate([s.evidence for s in states]),
    )


def deletion(measured: Sequence[Drops]) -> Deletion:
    """Average the drops of one or more captions over all their words."""
    attended = float(np.concatenate([drop.attended for drop in measured]).mean())
    random = float(np.concatenate([drop.random for drop in measured]).mean())
    words = sum(len(drop.attended) for drop in measured)
    return Deletion(attended, random, attended / random if random > 0 else None, words)
