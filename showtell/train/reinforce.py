"""Self-critical training: REINFORCE with CIDEr-D of sampled captions as the reward.

It follows Rennie et al. (2017, arXiv 1612.00563). The baseline of a caption is the mean reward of
the other captions sampled for the photograph (Luo, 2020, arXiv 2003.09971).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from showtell.data import Photograph
from showtell.decoding import NEVER_SAID
from showtell.errors import RecipeError
from showtell.evaluation.scores import require_pycocoevalcap
from showtell.search import Search
from showtell.train.data import Batch, TrainingCaptions, caption_of_words
from showtell.train.model import (
    Decoder,
    NetworkInput,
    Seen,
    ShowAttendTell,
    doubly_stochastic_penalty,
)
from showtell.train.recipe import Phase, Recipe
from showtell.vocab import END, PAD, SPECIAL, START, Vocabulary, tokenize


class SelfCritical:
    """Maximises the expected CIDEr-D of captions sampled from the network.

    There is no dropout: with dropout, the network that scores the captions would differ from the
    one that sampled them. A network trained with label smoothing gives some probability to wrong
    words, so that most sampled captions contain one. ``phase.temperature`` sharpens the
    distribution, both for sampling and for the loss.

    Parameters
    ----------
    recipe : settings that all phases share.
    phase : settings of this phase; ``captions`` is the number of samples per photograph.
    network : the network that samples captions.
    captions, photographs : the training split.
    vocabulary : the network's vocabulary.
    autocast : context that sets the precision of sampling; by default that of the weights.

    Raises
    ------
    RecipeError : ``phase.captions`` is less than 2, which leaves no baseline.
    """

    dropout = False

    def __init__(
        self,
        recipe: Recipe,
        phase: Phase,
        network: ShowAttendTell,
        captions: TrainingCaptions,
        photographs: Sequence[Photograph],
        vocabulary: Vocabulary,
        autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        if phase.captions < 2:
            raise RecipeError("selfcritical.captions: must be 2 or more")
        self._recipe, self._phase, self._network = recipe, phase, network
        self._autocast = autocast
        self._captions, self._words = captions, vocabulary.words
        self._reward = Reward([[tokenize(c) for c in p.captions] for p in photographs])

    def batches(self, seed: Sequence[int]) -> list[Batch]:
        """Return batches with every photograph once per copy."""
        every = max(map(len, self._captions.captions))
        whole = replace(self._phase, captions=every)
        return self._captions.batches(whole, self._recipe.mirror, seed)

    def measure(self, model: Any, inputs: NetworkInput, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` of a step, and the mean ``reward`` of its sampled captions."""
        k = self._phase.captions
        with torch.no_grad(), self._autocast():
            drawn = draw(self._network.decoder, self._network.see(inputs), k)  # (B, k, T+1)
        rewards = self._rewards(batch.photos, drawn)  # (B, k)
        better = (rewards - rewards.mean(dim=1, keepdim=True)) * k / (k - 1)  # than the baseline

        captions = drawn.flatten(0, 1)  # (B k, T+1)
        order = (captions != PAD).sum(dim=1).argsort(descending=True, stable=True)
        nll, caption, coverage = word_losses(model, inputs, order // k, captions[order])
        loss = (better.flatten()[order][caption] * nll).mean()
        penalty = doubly_stochastic_penalty(coverage)
        loss = loss + self._phase.doubly_stochastic * penalty
        if self._phase.cross_entropy:
            loss = loss + self._phase.cross_entropy * self._cross_entropy(model, inputs, batch)
        return {"loss": batch.by_captions * loss, "reward": batch.by_captions * rewards.mean()}

    def _cross_entropy(self, model: Any, inputs: NetworkInput, batch: Batch) -> Tensor:
        """Return the cross-entropy of one random reference caption per photograph.

        It is computed without the phase's temperature, as for the saved network. With it, the loss
        would undo the sharpening.
        """
        rows = torch.rand(len(batch.photo)) + batch.photo  # sorts by photograph, in random order
        order = rows.argsort()
        first = torch.cat([order[:1], order[1:][batch.photo[order].diff() > 0]])  # one each
        chosen = first.sort().values  # the original order: the longest caption first
        photo, captions = batch.photo[chosen], batch.captions[chosen]
        longest = int((captions != PAD).sum(dim=1).max())
        device = inputs.device
        logits, targets, _ = model(inputs, photo.to(device), captions[:, :longest].to(device))
        return F.cross_entropy(logits * self._phase.temperature, targets)

    def _rewards(self, photos: np.ndarray, drawn: Tensor) -> Tensor:
        """Return the rewards (B, k) of captions (B, k, T+1) for the indices `photos` (B,)."""
        B, k, _ = drawn.shape
        # END is kept as a word in the texts: see Reward.
        texts = [
            " ".join(self._words[i] for i in ids if i not in (PAD, START))
            for ids in drawn.flatten(0, 1).tolist()
        ]
        rewards = self._reward(photos.repeat(k), texts)
        return torch.from_numpy(rewards).to(drawn.device, torch.float32).view(B, k)


class Reward:
    """CIDEr-D against reference captions, with document frequencies from all of them.

    ``<end>`` counts as a word. Otherwise the network learns to end captions with "a" or "with",
    which start many n-grams of the references.

    Parameters
    ----------
    references : for each photograph, the words of each of its captions.
    """

    def __init__(self, references: Sequence[Sequence[Sequence[str]]]) -> None:
        require_pycocoevalcap()
        from pycocoevalcap.cider import cider_scorer

        self._cook, self._scorer = cider_scorer.cook_test, cider_scorer.CiderScorer()
        self._references = [
            cider_scorer.cook_refs([" ".join([*words, SPECIAL[END]]) for words in own])
            for own in references
        ]
        self._scorer.crefs = self._references
        self._scorer.compute_doc_freq()
        # The library's defaultdict would grow with every n-gram that is looked up.
        self._scorer.document_frequency = Counter(self._scorer.document_frequency)

    def __call__(self, photos: Sequence[int] | np.ndarray, captions: Sequence[str]) -> np.ndarray:
        """Score captions.

        Parameters
        ----------
        photos : (N,) index of the photograph of each caption.
        captions : N texts, with ``<end>`` if the caption has it.

        Returns
        -------
        (N,) CIDEr-D, 0 to 10.
        """
        n = len(self._references)  # the largest batch that _score accepts
        parts = range(0, len(captions), n)
        return np.concatenate([self._score(photos[i : i + n], captions[i : i + n]) for i in parts])

    def _score(self, photos: Sequence[int] | np.ndarray, captions: Sequence[str]) -> np.ndarray:
        # The library uses the length of crefs as the number of documents.
        others = len(self._references) - len(captions)
        self._scorer.crefs = [self._references[i] for i in photos] + [[]] * others
        self._scorer.ctest = [self._cook(caption) for caption in captions]
        return np.array(self._scorer.compute_cider())


@torch.no_grad()
def draw(decoder: Decoder, seen: Seen, n: int) -> Tensor:
    """Sample captions of at most ``Search.max_length`` words, including ``END``.

    Parameters
    ----------
    seen : inputs for B photographs.
    n : captions per photograph.

    Returns
    -------
    (B, n, T+1) ids from ``START``, with ``PAD`` after ``END``.
    """
    B, device = len(seen.features), seen.features.device
    state = decoder.start(seen)
    state = state.of_hypotheses(lambda part: part.unsqueeze(1).repeat(1, n, 1))  # (B, n, ·)
    words = torch.full((B, n), START, device=device)
    over = torch.zeros_like(words, dtype=torch.bool)
    drawn = [words]
    for _ in range(Search.max_length):
        logprobs, _, _, state = decoder.step(state, words)
        probabilities = logprobs.float().exp()
        probabilities[:, :, NEVER_SAID] = 0
        words = _choose(probabilities)
        drawn.append(words.masked_fill(over, PAD))
        over = over | (words == END)
        if over.all():
            break
    return torch.stack(drawn, dim=2)  # (B, n, T+1)


def _choose(probabilities: Tensor) -> Tensor:
    """Sample an id from each row of probabilities (..., V), which need not sum to 1.

    It draws one random number per row, which takes a tenth of the time of torch.multinomial with
    one per word.
    """
    sums = probabilities.cumsum(dim=-1)
    total = sums[..., -1:]
    below = torch.rand_like(total) * total
    return torch.searchsorted(sums, below, right=True).squeeze(-1).clamp_max(sums.shape[-1] - 1)


def word_losses(
    model: Any, inputs: NetworkInput, photo: Tensor, captions: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss of each word in captions, among the words that :func:`draw` can sample.

    Parameters
    ----------
    model : the network.
    inputs, photo, captions : as in :meth:`~showtell.train.model.ShowAttendTell.forward`.

    Returns
    -------
    nll : (words,) negative log-probability of each word.
    caption : (words,) row in `captions` of each word.
    coverage : (N, L), as in :meth:`~showtell.train.model.Decoder.forward`.
    """
    logits, targets, coverage = model(inputs, photo, captions)
    never = torch.tensor(NEVER_SAID, device=logits.device)
    sayable = logits.index_fill(1, never, -torch.inf)
    nll = F.cross_entropy(sayable, targets, reduction="none")
    return nll, caption_of_words(captions), coverage
