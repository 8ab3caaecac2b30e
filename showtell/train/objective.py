"""Training objectives: the batches of an epoch and the loss of each."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from showtell.train.data import Batch, TrainingCaptions, caption_of_words
from showtell.train.model import NetworkInput, doubly_stochastic_penalty
from showtell.train.recipe import Phase, Recipe


class Objective(Protocol):
    """The objective of a training phase.

    Attributes
    ----------
    dropout : whether the network uses dropout in training.
    """

    dropout: bool

    def batches(self, seed: Sequence[int]) -> list[Batch]:
        """Return the shuffled batches of one epoch; the same seed gives the same batches."""

    def measure(self, model: Any, inputs: NetworkInput, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` of a step and other values for the log.

        The mean of each value over the processes is the value for the whole batch.

        Parameters
        ----------
        model : the network, set up by Fabric.
        inputs : inputs for :class:`~showtell.train.model.ShowAttendTell`.
        batch : the captions of the step.
        """


class CrossEntropy:
    """Cross-entropy of the training captions under teacher forcing (section 4.2).

    Parameters
    ----------
    recipe : settings that all phases share.
    phase : settings of this phase.
    captions : the training captions.
    """

    dropout = True

    def __init__(self, recipe: Recipe, phase: Phase, captions: TrainingCaptions) -> None:
        self._recipe, self._phase, self._captions = recipe, phase, captions

    def batches(self, seed: Sequence[int]) -> list[Batch]:
        """Return batches with every caption once per copy of its photograph."""
        return self._captions.batches(self._phase, self._recipe.mirror, seed)

    def measure(self, model: Any, inputs: NetworkInput, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` of a step."""
        device = inputs.device
        logits, targets, coverage = model(inputs, batch.photo.to(device), batch.captions.to(device))
        loss = F.cross_entropy(logits, targets, label_smoothing=self._recipe.label_smoothing)
        return {"loss": batch.by_words * loss + self._penalty(coverage, batch)}

    def _penalty(self, coverage: Tensor, batch: Batch) -> Tensor:
        weight = batch.by_captions * self._phase.doubly_stochastic
        return weight * doubly_stochastic_penalty(coverage)


class HardAttention(CrossEntropy):
    """Cross-entropy with hard attention: each word attends to one sampled location (section 4.1).

    The attention is trained by REINFORCE, the learning rule below equation 12. The reward is the
    log-likelihood of the caption, and the baseline is its moving average over the previous steps.
    The baseline is a mean per word, since captions of a step have different lengths.

    Locations are not sampled in validation or inference. They are replaced by their expectation α,
    as in the paper's released code, so soft and hard attention use the same graphs.

    Parameters
    ----------
    recipe, phase, captions : as in :class:`CrossEntropy`.
    baseline : current baseline of the run.
    mean : averages a tensor over the processes.
    """

    def __init__(
        self,
        recipe: Recipe,
        phase: Phase,
        captions: TrainingCaptions,
        baseline: float = 0.0,
        mean: Callable[[Tensor], Tensor] = lambda number: number,
    ) -> None:
        super().__init__(recipe, phase, captions)
        assert recipe.hard is not None
        self._hard, self._baseline, self._mean = recipe.hard, baseline, mean

    def measure(self, model: Any, inputs: NetworkInput, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` of a step, and the ``baseline`` for the next step."""
        device, hard = inputs.device, self._hard
        photo, captions = batch.photo.to(device), batch.captions.to(device)
        expected = torch.rand(len(batch.photos), device=device) < hard.expected
        seen = Locations(expected[photo])
        logits, targets, coverage = model(inputs, photo, captions, seen)
        nll = F.cross_entropy(logits, targets, label_smoothing=self._recipe.label_smoothing)
        logp = -F.cross_entropy(logits, targets, reduction="none").detach()  # (words,)
        caption = caption_of_words(captions)
        # log p(y|s) - b of each word's caption: (words,)
        reward = torch.zeros_like(logp).index_add(0, caption, logp - self._baseline)[caption]
        loss = nll - hard.reward * (reward * seen.logprob).mean() - hard.entropy * seen.entropy
        baseline = 0.9 * self._baseline + 0.1 * self._mean(batch.by_words * logp.mean())
        self._baseline = float(baseline)
        loss = batch.by_words * loss + self._penalty(coverage, batch)
        return {"loss": loss, "baseline": baseline}


class Locations:
    """Samples an attention location for each word (equation 8), and records its log-probability.

    Parameters
    ----------
    expected : (N,) whether a caption uses the expectation α instead of sampled locations.
    """

    def __init__(self, expected: Tensor) -> None:
        self._expected = expected
        self._logprobs: list[Tensor] = []
        self._entropies: list[Tensor] = []

    def __call__(self, alpha: Tensor) -> Tensor:
        """Return sampled locations, one-hot (rows, L), for α (rows, L) of the first captions."""
        rows, L = alpha.shape
        expected = self._expected[:rows]
        drawn = torch.multinomial(alpha.detach(), 1)  # (rows, 1)
        logs = alpha.clamp_min(torch.finfo(alpha.dtype).tiny).log()
        self._logprobs.append(logs.gather(1, drawn).squeeze(1).masked_fill(expected, 0))
        self._entropies.append(-(alpha * logs).sum(dim=1))
        one_hot = F.one_hot(drawn.squeeze(1), L).to(alpha.dtype)
        return torch.where(expected.unsqueeze(1), alpha, one_hot)

    @property
    def logprob(self) -> Tensor:
        """Log-probability (words,) of each location, ordered by step; 0 if none was sampled."""
        return torch.cat(self._logprobs)

    @property
    def entropy(self) -> Tensor:
        """Mean entropy of α over the words."""
        return torch.cat(self._entropies).mean()
