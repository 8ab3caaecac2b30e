"""Deletion: whether a word needs what the model looked at for it.

The cells that a word attended to most are left out, and as many others at random: where maps mean
something, the word's probability falls further without the first. A cell is left out by dropping
its row of the annotations, so that the softmax is over what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from showtell.decoding import StepModel
from showtell.runtime import State
from showtell.vocab import START

# Of the grid. The same for every word and every model: a flat map, which says nothing, does not
# lose more cells than a sharp one, and any two models are compared at the same loss. A quarter is
# about what the thing that a word names takes of a photograph.
SHARE = 0.25


class Drops(NamedTuple):
    """What leaving out cells does to each of `T` words.

    Attributes
    ----------
    probability : (T,) of the word behind those before it, with the whole photograph.
    attended : (T,) how far it falls without the cells attended to most; below 0 where it rises.
    random : (T,) how far it falls without as many cells at random, mean over the draws.
    """

    probability: np.ndarray
    attended: np.ndarray
    random: np.ndarray


@dataclass(frozen=True)
class Deletion:
    """What leaving out cells does to the words of many captions.

    Attributes
    ----------
    attended, random : see :class:`Drops`; mean over all words.
    ratio : the first over the second; None where random cells make no word less likely.
    words : how many there are.
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
    """Leave out cells of one photograph, for each word of a caption alone.

    The words before, h and c are those of the whole photograph: cells are missing for one step,
    that of the word. What earlier steps saw in them is still known, so the falls are what is lost
    by not looking again.

    Parameters
    ----------
    model : whose step takes any number of cells.
    state : before the first word, of one photograph and one hypothesis.
    words : ids of the words, one or more, without ``START`` and ``END``.
    rng : where chance comes from.
    draws : random sets of cells for each word.
    share : of the cells, left out.
    """
    last = np.array([START, *words[:-1]])
    logprobs, alphas, h, c, evidence = _say(model, state, last)
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


def _say(
    model: StepModel, state: State, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Say a caption, given what stands before each of its words.

    Returns
    -------
    logprobs (T, V) and alphas (T, L) of each step, and before it h and c (T, 1, n), and evidence
    (T, 1, V) where there is a detector.
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
    """Sum up what leaving out cells does to the words of captions, one or more."""
    attended = float(np.concatenate([drop.attended for drop in measured]).mean())
    random = float(np.concatenate([drop.random for drop in measured]).mean())
    words = sum(len(drop.attended) for drop in measured)
    return Deletion(attended, random, attended / random if random > 0 else None, words)
