"""Training data: captions as word ids, batches, and augmented photographs."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from showtell.data import Photograph
from showtell.function_words import FUNCTION_WORDS
from showtell.train.recipe import Phase
from showtell.vocab import PAD, SPECIAL, Vocabulary, tokenize

RAREST = 3  # minimum number of captions that a word is counted in; rarer words are raised to it
# Captions with one of these words are wrong for the mirrored photograph.
_SIDES = re.compile(r"\b(?:left|right)", re.IGNORECASE)


@dataclass(frozen=True)
class Group:
    """Captions of one photograph that are trained together.

    Attributes
    ----------
    photo : index of the photograph in its split.
    captions : word ids of each caption, from ``START`` to ``END``.
    mirrorable : whether all captions also hold for the mirrored photograph.
    """

    photo: int
    captions: tuple[tuple[int, ...], ...]
    mirrorable: bool


@dataclass(frozen=True)
class Batch:
    """The captions of one step.

    Attributes
    ----------
    photos : (B,) index of each photograph in its split.
    mirrored : (B,) whether to mirror each photograph.
    photo : (N,) row in `photos` of each caption.
    captions : (N, T+1) ids, padded with ``PAD`` at the end; the longest caption first.
    by_words, by_captions : weights of this batch in the mean over all processes, for means over
        words and over captions.
    """

    photos: np.ndarray
    mirrored: np.ndarray
    photo: Tensor
    captions: Tensor
    by_words: float = 1.0
    by_captions: float = 1.0

    def share(self, rank: int, processes: int) -> "Batch":
        """Return the part of this batch for one process: every `processes`-th photograph.

        If there are more processes than photographs, the remaining ones get the first photograph
        with weight 0.
        """
        if processes == 1:
            return self
        mine = range(rank, len(self.photos), processes) or range(1)
        rows = torch.isin(self.photo, torch.tensor(mine))
        words = (self.captions[:, 1:] != PAD).sum(dim=1)  # (N,)
        counts = processes * (rank < len(self.photos))
        return Batch(
            photos=self.photos[mine],
            mirrored=self.mirrored[mine],
            photo=torch.searchsorted(torch.tensor(mine), self.photo[rows]),
            captions=self.captions[rows, : int(words[rows].max()) + 1],
            by_words=counts * float(words[rows].sum() / words.sum()),
            by_captions=counts * float(rows.float().mean()),
        )


@dataclass(frozen=True)
class TrainingCaptions:
    """The captions of the training split as word ids.

    Attributes
    ----------
    captions : for each photograph, its captions from ``START`` to ``END``.
    mirrorable : for each photograph and caption, whether it holds for the mirrored photograph.
    copies : for each photograph, how often it occurs in an epoch; None means once.
    """

    captions: tuple[tuple[tuple[int, ...], ...], ...]
    mirrorable: tuple[tuple[bool, ...], ...]
    copies: tuple[int, ...] | None = None

    @classmethod
    def prepare(
        cls,
        photographs: Sequence[Photograph],
        vocabulary: Vocabulary,
        max_words: int,
        copies: Sequence[int] | None = None,
    ) -> "TrainingCaptions":
        """Convert captions to word ids, truncated to `max_words` words.

        `copies` (N,) is how often each photograph occurs in an epoch; None means once.
        """
        ids = tuple(
            tuple(tuple(vocabulary.encode(tokenize(c)[:max_words])) for c in photograph.captions)
            for photograph in photographs
        )
        sides = tuple(
            tuple(not _SIDES.search(c) for c in photograph.captions) for photograph in photographs
        )
        return cls(ids, sides, None if copies is None else tuple(copies))

    def batches(self, phase: Phase, mirror: bool, seed: Sequence[int]) -> list[Batch]:
        """Return the shuffled batches of one epoch.

        Every caption occurs once per copy of its photograph, in groups of up to `phase.captions`.

        Parameters
        ----------
        phase : sets the batch size and the captions per photograph.
        mirror : whether to mirror each photograph with probability 0.5 if its captions allow it.
        seed : random seed of this epoch.
        """
        rng = np.random.default_rng(seed)
        groups = [
            group
            for photo, copies in enumerate(self.copies or [1] * len(self.captions))
            for _ in range(copies)
            for group in self._groups(photo, phase, rng)
        ]
        order = rng.permutation(len(groups))
        pools = _by_length(groups, order) if phase.same_length else [order.tolist()]
        size = phase.photos
        steps = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
        if phase.same_length:
            steps = [steps[i] for i in rng.permutation(len(steps))]
        return [_batch([groups[i] for i in step], mirror, rng) for step in steps]

    def _groups(self, photo: int, phase: Phase, rng: np.random.Generator) -> Iterator[Group]:
        captions, mirrorable = self.captions[photo], self.mirrorable[photo]
        order = rng.permutation(len(captions))
        for i in range(0, len(order), phase.captions):
            chosen = order[i : i + phase.captions]
            yield Group(
                photo, tuple(captions[j] for j in chosen), all(mirrorable[j] for j in chosen)
            )


def _by_length(groups: Sequence[Group], order: np.ndarray) -> list[list[int]]:
    """Partition groups of one caption by caption length, keeping `order` within each part."""
    pools: dict[int, list[int]] = {}
    for i in order.tolist():
        pools.setdefault(len(groups[i].captions[0]), []).append(i)
    return list(pools.values())


def _batch(groups: Sequence[Group], mirror: bool, rng: np.random.Generator) -> Batch:
    rows = [(row, ids) for row, group in enumerate(groups) for ids in group.captions]
    rows.sort(key=lambda item: -len(item[1]))
    captions = torch.full((len(rows), len(rows[0][1])), PAD)
    for i, (_, ids) in enumerate(rows):
        captions[i, : len(ids)] = torch.tensor(ids)
    flips = rng.random(len(groups)) < 0.5
    return Batch(
        photos=np.array([group.photo for group in groups]),
        mirrored=flips & np.array([mirror and group.mirrorable for group in groups]),
        photo=torch.tensor([row for row, _ in rows]),
        captions=captions,
    )


def log_frequencies(photographs: Sequence[Photograph], words: Sequence[str]) -> Tensor:
    """Return the centred log frequency of each visual word in the captions, (V,).

    The log frequency is the logarithm of the number of captions with the word. Its mean over the
    visual words is subtracted. Special and function words get 0.

    Parameters
    ----------
    photographs : photographs with captions.
    words : the vocabulary, the special words first.
    """
    counts = Counter(w for p in photographs for c in p.captions for w in set(tokenize(c)))
    logs = torch.tensor([math.log(max(counts[word], RAREST)) for word in words])
    visual = torch.tensor([word not in {*SPECIAL, *FUNCTION_WORDS} for word in words])
    return torch.where(visual, logs - logs[visual].mean(), 0.0)


def rows_by_step(captions: Tensor) -> list[int]:
    """Return the number of captions that have a word at each step.

    Captions are sorted by length, so these are the first rows. The words of a batch are ordered by
    step, without padding: the first word of every caption, then the second word of every caption
    that has one, and so on.

    Parameters
    ----------
    captions : (N, T+1), as in :class:`Batch`.
    """
    return (captions[:, 1:] != PAD).sum(dim=0).tolist()


def caption_of_words(captions: Tensor) -> Tensor:
    """Return the row in `captions` (N, T+1) of each word, (words,), ordered by step."""
    steps = rows_by_step(captions)
    return torch.cat([torch.arange(rows, device=captions.device) for rows in steps])


def augment(images: Tensor, mirrored: np.ndarray, crop: int, rng: np.random.Generator) -> Tensor:
    """Crop images at random, resize them to their original size, and mirror some.

    Parameters
    ----------
    images : uint8 (B, size, size, 3).
    mirrored : (B,) whether to mirror each image.
    crop : side of the smallest crop in pixels; `size` disables cropping.

    Returns
    -------
    uint8 images of the same shape.
    """
    B, size, _, channels = images.shape
    scale = rng.uniform(min(crop, size) / size, 1, B)
    shift = rng.uniform(-1, 1, (2, B)) * (1 - scale)
    theta = np.zeros((B, 2, 3), np.float32)
    theta[:, 0, 0], theta[:, 1, 1] = np.where(mirrored, -scale, scale), scale
    theta[:, 0, 2], theta[:, 1, 2] = shift
    motion = torch.from_numpy(theta).to(images.device)
    grid = F.affine_grid(motion, [B, channels, size, size], align_corners=False)
    pixels = images.permute(0, 3, 1, 2).float()
    cropped = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    return cropped.round().byte().permute(0, 2, 3, 1)
