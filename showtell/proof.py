"""Proof: which words of a caption depend on the cells that the model attended to.

The probability of each word is computed again without three quarters of the cells: once without the
cells that the word attended to most, and for comparison without as many at random. A word that
comes from the photograph becomes less probable without the former. A word that follows from the
words before it does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from showtell.decoding import StepModel
from showtell.deletion import drops
from showtell.runtime import State

# Both values were chosen on the dev split: docs/proof.md.
SHARE = 0.75  # share of the cells that are masked
NEED = 0.25  # share of its probability that a word must lose to count as seen
DRAWS = 4  # random sets of cells for each word


@dataclass(frozen=True, eq=False)
class Proof:
    """For each word of a caption, the fall of its probability when cells are masked.

    Attributes
    ----------
    attended : (T,) float32, fall of the word's probability without the three quarters of the cells
        that it attended to most. Negative if the probability rises.
    random : (T,) float32, the same without as many random cells, mean over draws.
    seen : (T,) bool, whether `attended` exceeds `random` by at least a quarter of the word's
        probability. Other words come from the language model rather than from the photograph.
    """

    attended: np.ndarray
    random: np.ndarray
    seen: np.ndarray


def prove(model: StepModel, state: State, words: Sequence[int]) -> Proof:
    """For each word, measure how much its probability falls when cells are masked.

    The random seed is fixed, so results are reproducible.

    Parameters
    ----------
    model, state, words : as for :func:`showtell.deletion.drops`.
    """
    losses = drops(model, state, words, np.random.default_rng(0), DRAWS, SHARE)
    seen = losses.attended - losses.random >= NEED * losses.probability
    return Proof(losses.attended.astype(np.float32), losses.random.astype(np.float32), seen)
