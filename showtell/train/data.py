"""Training data: captions as ids, batches of them, and photographs cropped and mirrored."""

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

RAREST = 3  # captions; words that fewer of them say count as if these did
# A caption that says one of these is not true of the mirrored photograph.
_SIDES = re.compile(r"\b(?:left|right)", re.IGNORECASE)


@dataclass(frozen=True)
class Group:
    """Captions of one photograph that are trained together.

    Attributes
    ----------
    photo : index of the photograph in its split.
    captions : their ids, ``START`` to ``END``.
    mirrorable : whether they are true of the mirrored photograph too.
    """

    photo: int
    captions: tuple[tuple[int, ...], ...]
    mirrorable: bool


@dataclass(frozen=True)
class Batch:
    """One step's worth of captions.

    Attributes
    ----------
    photos : (B,) index of each photograph in its split.
    mirrored : (B,) whether it is to be seen in the mirror.
    photo : (N,) row in `photos` of each caption.
    captions : (N, T+1) ids, the longest caption first, ``PAD`` behind.
    by_words, by_captions : what a mean over its words or captions counts for, beside those of the
        other processes, in the mean over all processes.
    """

    photos: np.ndarray
    mirrored: np.ndarray
    photo: Tensor
    captions: Tensor
    by_words: float = 1.0
    by_captions: float = 1.0

    def share(self, rank: int, processes: int) -> "Batch":
        """Return the part of one of several processes: every so many photographs.

        A process for which there is none takes the first photograph, which counts for nothing.
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
    """The captions of the training split as ids.

    Attributes
    ----------
    captions : for each photograph, its captions from ``START`` to ``END``.
    mirrorable : for each photograph and caption, whether it is true in the mirror.
    copies : for each photograph, how many times an epoch holds it; None is once.
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
        """Turn captions into ids, cut after `max_words` words; an epoch holds each once, or as
        many times as `copies` (N,) says.
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
        """Shuffle one epoch: every caption, `phase.captions` of a photograph together.

        Parameters
        ----------
        phase : the size of a step.
        mirror : whether half of the photographs that allow it are mirrored.
        seed : of this epoch; the same seed gives the same batches.
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
    """Part groups of one caption by its length, each part in this order."""
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
    """Return how much more often than others people say each visual word, (V,).

    That is the logarithm of the number of captions that say it, less its mean over the visual
    words; 0 for special and function words.

    Parameters
    ----------
    photographs : with their captions.
    words : the vocabulary, the special words first.
    """
    counts = Counter(w for p in photographs for c in p.captions for w in set(tokenize(c)))
    logs = torch.tensor([math.log(max(counts[word], RAREST)) for word in words])
    visual = torch.tensor([word not in {*SPECIAL, *FUNCTION_WORDS} for word in words])
    return torch.where(visual, logs - logs[visual].mean(), 0.0)


def rows_by_step(captions: Tensor) -> list[int]:
    """Return how many captions have a word at each step: the first rows, the longest first.

    Words of a batch lie step by step without padding: the first word of every caption, the second
    of those that have one, and so on.

    Parameters
    ----------
    captions : (N, T+1) as :class:`Batch` has them.
    """
    return (captions[:, 1:] != PAD).sum(dim=0).tolist()


def caption_of_words(captions: Tensor) -> Tensor:
    """Return the row in `captions` (N, T+1) of each of their words (words,), step by step."""
    steps = rows_by_step(captions)
    return torch.cat([torch.arange(rows, device=captions.device) for rows in steps])


def augment(images: Tensor, mirrored: np.ndarray, crop: int, rng: np.random.Generator) -> Tensor:
    """Crop at random and enlarge again, and mirror.

    Parameters
    ----------
    images : uint8 (B, size, size, 3).
    mirrored : (B,) which of them to mirror.
    crop : pixels of the smallest crop; `size` leaves photographs whole.

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
