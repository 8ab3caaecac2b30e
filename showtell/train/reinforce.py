"""Self-critical training: the network draws captions and learns which of them are better.

Rennie et al., 2017 (arXiv 1612.00563), with the mean of the other captions drawn for a photograph
as the baseline of each (Luo, 2020, arXiv 2003.09971).
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
    """To say what people's captions of the photograph reward, whatever their words.

    There is no dropout: it would score the captions by another network than the one that drew them
    and that will be used, and what was drawn would say little about the network that learns.
    Label smoothing leaves a share of every choice to words that nobody would say, and most captions
    that such a network draws have one of them. So it is made surer of itself for the phase, by
    ``phase.temperature``, and both draws and learns so.

    Parameters
    ----------
    recipe : what all phases share.
    phase : which one this is; ``captions`` are drawn of each photograph.
    network : draws them.
    captions, photographs : of the training split.
    vocabulary : of the network.
    autocast : the precision in which captions are drawn; the default is that of the weights.

    Raises
    ------
    RecipeError : a photograph would have a single caption, and so no baseline.
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
        """Take every photograph once."""
        every = max(map(len, self._captions.captions))
        whole = replace(self._phase, captions=every)
        return self._captions.batches(whole, self._recipe.mirror, seed)

    def measure(self, model: Any, inputs: NetworkInput, batch: Batch) -> dict[str, Tensor]:
        """Return the ``loss`` of a step, and the mean ``reward`` of the captions drawn in it."""
        k = self._phase.captions
        with torch.no_grad(), self._autocast():
            drawn = draw(self._network.decoder, self._network.see(inputs), k)  # (B, k, T+1)
        rewards = self._rewards(batch.photos, drawn)  # (B, k)
        better = (rewards - rewards.mean(dim=1, keepdim=True)) * k / (k - 1)  # than the others

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
        """Return the cross entropy of one caption by a person of each photograph.

        It is that of the network as it is kept. At the phase's temperature it would be lowest for
        a network that is as unsure of itself as before.
        """
        rows = torch.rand(len(batch.photo)) + batch.photo  # in the order of photographs, shuffled
        order = rows.argsort()
        first = torch.cat([order[:1], order[1:][batch.photo[order].diff() > 0]])  # one of each
        chosen = first.sort().values  # the longest caption first, as they stood
        photo, captions = batch.photo[chosen], batch.captions[chosen]
        longest = int((captions != PAD).sum(dim=1).max())
        device = inputs.device
        logits, targets, _ = model(inputs, photo.to(device), captions[:, :longest].to(device))
        return F.cross_entropy(logits * self._phase.temperature, targets)

    def _rewards(self, photos: np.ndarray, drawn: Tensor) -> Tensor:
        """Return the rewards (B, k) of captions (B, k, T+1) of the photographs `photos` (B,)."""
        B, k, _ = drawn.shape
        # END is a word here: it is in the text of a caption that said it.
        texts = [
            " ".join(self._words[i] for i in ids if i not in (PAD, START))
            for ids in drawn.flatten(0, 1).tolist()
        ]
        rewards = self._reward(photos.repeat(k), texts)
        return torch.from_numpy(rewards).to(drawn.device, torch.float32).view(B, k)


class Reward:
    """CIDEr-D against people's captions, with the document frequencies of all of them.

    ``<end>`` is a word: without it captions learn to end on "a" and "with", which are frequent
    beginnings of what they leave out.

    Parameters
    ----------
    references : for each photograph the words of each of its captions.
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
        # The library's own dictionary keeps every n-gram that it is asked for.
        self._scorer.document_frequency = Counter(self._scorer.document_frequency)

    def __call__(self, photos: Sequence[int] | np.ndarray, captions: Sequence[str]) -> np.ndarray:
        """Score captions.

        Parameters
        ----------
        photos : (N,) index of the photograph of each caption.
        captions : N texts, with ``<end>`` where it was said.

        Returns
        -------
        (N,) CIDEr-D, 0 to 10.
        """
        n = len(self._references)  # at most as many at once, for what _score does
        parts = range(0, len(captions), n)
        return np.concatenate([self._score(photos[i : i + n], captions[i : i + n]) for i in parts])

    def _score(self, photos: Sequence[int] | np.ndarray, captions: Sequence[str]) -> np.ndarray:
        # The library takes the length of crefs for the number of documents.
        others = len(self._references) - len(captions)
        self._scorer.crefs = [self._references[i] for i in photos] + [[]] * others
        self._scorer.ctest = [self._cook(caption) for caption in captions]
        return np.array(self._scorer.compute_cider())


@torch.no_grad()
def draw(decoder: Decoder, seen: Seen, n: int) -> Tensor:
    """Draw captions of at most ``Search.max_length`` words, ``END`` among them if it was said.

    Parameters
    ----------
    seen : B photographs.
    n : captions of each photograph.

    Returns
    -------
    (B, n, T+1) ids from ``START``, ``PAD`` behind ``END``.
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
    """Draw an id for each row of probabilities (..., V), which need not sum to 1.

    torch.multinomial draws a random number for each word; one for each row takes a tenth of the
    time.
    """
    sums = probabilities.cumsum(dim=-1)
    total = sums[..., -1:]
    below = torch.rand_like(total) * total
    return torch.searchsorted(sums, below, right=True).squeeze(-1).clamp_max(sums.shape[-1] - 1)


def word_losses(
    model: Any, inputs: NetworkInput, photo: Tensor, captions: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what each word of captions costs, among the words that :func:`draw` may say.

    Parameters
    ----------
    model : the network.
    inputs, photo, captions : as :meth:`~showtell.train.model.Decoder.forward` documents.

    Returns
    -------
    nll : (words,) negative log-probability of each.
    caption : (words,) the row in `captions` that it belongs to.
    coverage : (N, L).
    """
    logits, targets, coverage = model(inputs, photo, captions)
    never = torch.tensor(NEVER_SAID, device=logits.device)
    sayable = logits.index_fill(1, never, -torch.inf)
    nll = F.cross_entropy(sayable, targets, reduction="none")
    return nll, caption_of_words(captions), coverage
