"""What a phase trains for: its steps, and a loss for each."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from showtell.train.data import Batch, TrainingCaptions, caption_of_words
from showtell.train.model import NetworkInput, doubly_stochastic_penalty
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

    def measure(self, model: Any, inputs: NetworkInput, batch: Batch) -> dict[str, Tensor]:
        """Return what the log tells of a step, the ``loss`` to go down among it.

        Each is such that its mean over the processes is what one process would measure.

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
    """The same with hard attention: each word sees one location, drawn from α (section 4.1).

    Where to look is learned by REINFORCE, the learning rule below equation 12. Its reward is the
    log-likelihood of the caption, its baseline the moving average of that of the steps before. Both
    count by the word here, since captions of a step have different lengths.

    Nothing is drawn when a network is validated and used: the location is set to its expected value
    α, as the paper's released code does, and soft and hard attention run by the same graphs.

    Parameters
    ----------
    recipe, phase, captions : as for soft attention.
    baseline : where the run stands.
    mean : takes the mean of a number over the processes.
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
        """Return the ``loss`` of a step, and the ``baseline`` of the next."""
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
    """Draws where each word looks (equation 8), and keeps how likely that was.

    Parameters
    ----------
    expected : (N,) whether all words of a caption see by α itself; nothing is drawn for them then.
    """

    def __init__(self, expected: Tensor) -> None:
        self._expected = expected
        self._logprobs: list[Tensor] = []
        self._entropies: list[Tensor] = []

    def __call__(self, alpha: Tensor) -> Tensor:
        """Return for α (rows, L) of the first captions the drawn locations as one-hot rows."""
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
        """Log-probability (words,) of each location, 0 where none was drawn; step by step."""
        return torch.cat(self._logprobs)

    @property
    def entropy(self) -> Tensor:
        """Mean entropy of α over the words."""
        return torch.cat(self._entropies).mean()
