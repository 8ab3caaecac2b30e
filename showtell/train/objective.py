"""What a phase trains for: its steps, and a loss for each."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch.nn.functional as F
from torch import Tensor

from showtell.train.data import Batch, TrainingCaptions
from showtell.train.model import doubly_stochastic_penalty
from showtell.train.recipe import Phase, Recipe


class Objective(Protocol):
    """What a phase trains for.

    Attributes
    ----------
    dropout : whether the network drops units while it is trained for this.
    """

    dropout: bool

    def batches(self, seed: Sequence[int]) -> list[Batch]:
        """Shuffle one epoch; the same seed gives the same batches."""

    def measure(self, model: Any, inputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Return what the log tells of a step, the ``loss`` to go down among it.

        Parameters
        ----------
        model : the network under Fabric.
        inputs : of the batch, as :class:`~showtell.train.model.ShowAttendTell` takes them.
        """


class CrossEntropy:
    """To say what people said, each word behind their words before it (section 4.2).

    Parameters
    ----------
    recipe : what all phases share.
    phase : which one this is.
    captions : what people said.
    """

    dropout = True

    def __init__(self, recipe: Recipe, phase: Phase, captions: TrainingCaptions) -> None:
        self._recipe, self._phase, self._captions = recipe, phase, captions

    def batches(self, seed: Sequence[int]) -> list[Batch]:
        """Take every caption once."""
        return self._captions.batches(self._phase, self._recipe.mirror, seed)

    def measure(self, model: Any, inputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` of a step."""
        device = inputs.device
        logits, targets, coverage = model(inputs, batch.photo.to(device), batch.captions.to(device))
        loss = F.cross_entropy(logits, targets, label_smoothing=self._recipe.label_smoothing)
        penalty = doubly_stochastic_penalty(coverage)
        return {"loss": loss + self._phase.doubly_stochastic * penalty}
