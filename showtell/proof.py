"""Proof that the model looked: which words of a caption need what they attended to.

Each word is said again without most of the photograph: once without the cells that it attended to
most, and for comparison without as many at random. A word that was read off the photograph becomes
less likely without the former; one that the words before it call for does not mind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from showtell.decoding import StepModel
from showtell.deletion import drops
from showtell.runtime import State

# Both were chosen on the dev split, by how well they tell which words other photographs make half
# as likely or less: docs/proof.md.
SHARE = 0.75  # of the cells, left out
NEED = 0.25  # of its probability, which a word that was seen loses
DRAWS = 4  # random sets of cells for each word


@dataclass(frozen=True, eq=False)
class Proof:
    """What leaving out three quarters of the cells does to each word of a caption.

    Attributes
    ----------
    attended : (words,) float32, how far the word's probability falls without the cells that it
        attended to most; below 0 where it rises.
    random : (words,) float32, how far it falls without as many at random.
    seen : (words,) bool, whether the former costs it a quarter of its probability more than the
        latter. Of other words one should think that they are said, not seen.
    """

    attended: np.ndarray
    random: np.ndarray
    seen: np.ndarray


def prove(model: StepModel, state: State, words: Sequence[int]) -> Proof:
    """Find out which words of a caption need what the model looked at.

    Chance is always the same here: so is the proof of a caption.

    Parameters
    ----------
    model, state, words : as :func:`showtell.deletion.drops` takes them.
    """
    losses = drops(model, state, words, np.random.default_rng(0), DRAWS, SHARE)
    seen = losses.attended - losses.random >= NEED * losses.probability
    return Proof(losses.attended.astype(np.float32), losses.random.astype(np.float32), seen)
