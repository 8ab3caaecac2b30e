"""Training data: captions as ids, batches of photographs, and what is cached of them on disk."""

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from showtell import image
from showtell.data import Photograph
from showtell.errors import DataError
from showtell.train.encoder import Encoder
from showtell.train.recipe import Phase
from showtell.vocab import PAD, Vocabulary, tokenize

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
    """

    captions: tuple[tuple[tuple[int, ...], ...], ...]
    mirrorable: tuple[tuple[bool, ...], ...]

    @classmethod
    def prepare(
        cls, photographs: Sequence[Photograph], vocabulary: Vocabulary, max_words: int
    ) -> "TrainingCaptions":
        """Turn captions into ids, cut after `max_words` words."""
        ids = tuple(
            tuple(tuple(vocabulary.encode(tokenize(c)[:max_words])) for c in photograph.captions)
            for photograph in photographs
        )
        sides = tuple(
            tuple(not _SIDES.search(c) for c in photograph.captions) for photograph in photographs
        )
        return cls(ids, sides)

    def batches(self, phase: Phase, mirror: bool, seed: Sequence[int]) -> list[Batch]:
        """Shuffle one epoch: every caption once, `phase.captions` of a photograph together.

        Parameters
        ----------
        phase : the size of a step.
        mirror : whether half of the photographs that allow it are mirrored.
        seed : of this epoch; the same seed gives the same batches.
        """
        rng = np.random.default_rng(seed)
        groups = [
            group
            for photo in range(len(self.captions))
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


def read_images(photographs: Sequence[Photograph], size: int) -> Tensor:
    """Read photographs as uint8 (B, size, size, 3)."""
    return torch.from_numpy(np.stack([image.read(p.path, size) for p in photographs]))


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


class Pixels:
    """Photographs as the CNN takes them, a memory-mapped uint8 file: each is decoded once.

    Parameters
    ----------
    folder : of the cache.
    photographs : in the order of the rows.
    size : width and height in pixels that they are squashed to.
    say : told the size before it is written.
    """

    def __init__(
        self, folder: Path, photographs: Sequence[Photograph], size: int, say: Callable[[str], None]
    ) -> None:
        def fill(rows: np.ndarray) -> None:
            for i in tqdm(range(0, len(photographs), 16), desc="photographs", unit="×16"):
                rows[i : i + 16] = read_images(photographs[i : i + 16], size).numpy()

        path = folder / f"photographs-{_digest(size, _files(photographs))}.npy"
        self._rows = _cached(path, (len(photographs), size, size, 3), np.uint8, fill, say)

    def read(self, photos: np.ndarray) -> Tensor:
        """Return uint8 (B, size, size, 3) of the photographs `photos` (B,)."""
        return torch.from_numpy(self._rows[photos])


class Features:
    """Features of photographs as they are and mirrored, a memory-mapped float16 file.

    The file's name tells what it was computed from, so that another encoder, other weights, another
    preprocessing or other photographs make another file.

    Parameters
    ----------
    folder : of the cache.
    encoder : computes what is not there yet.
    photographs : in the order of the rows.
    mirrored : whether to keep the mirrored photographs too.
    say : told the size before it is written.
    """

    def __init__(
        self,
        folder: Path,
        encoder: Encoder,
        photographs: Sequence[Photograph],
        mirrored: bool,
        say: Callable[[str], None],
    ) -> None:
        L, C = encoder.grid[0] * encoder.grid[1], encoder.channels
        path = folder / f"features-{_fingerprint(encoder, photographs, mirrored)}.npy"
        fill = partial(_compute, encoder=encoder, photographs=photographs)
        self._rows = _cached(path, (len(photographs), 1 + mirrored, L, C), np.float16, fill, say)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, photos: np.ndarray, mirrored: np.ndarray | None = None) -> Tensor:
        """Return float16 (B, L, C) of the photographs `photos` (B,), mirrored where it says so."""
        sides = np.zeros(len(photos), int) if mirrored is None else mirrored.astype(int)
        return torch.from_numpy(self._rows[photos, sides])


def _fingerprint(encoder: Encoder, photographs: Sequence[Photograph], mirrored: bool) -> str:
    weights = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        weights.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    preprocessing = [encoder.size, encoder.mean.flatten().tolist(), encoder.std.flatten().tolist()]
    seen = [preprocessing, mirrored, _files(photographs)]
    return _digest(weights.hexdigest(), repr(encoder.network), *seen)


def _files(photographs: Sequence[Photograph]) -> list[tuple[str, int]]:
    return [(p.name, p.path.stat().st_size) for p in photographs]


def _digest(*values: Any) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]


@torch.inference_mode()
def _compute(rows: np.ndarray, encoder: Encoder, photographs: Sequence[Photograph]) -> None:
    for i in tqdm(range(0, len(photographs), 16), desc="features", unit="×16"):
        images = read_images(photographs[i : i + 16], encoder.size).to(encoder.mean.device)
        for side in range(rows.shape[1]):
            seen = images.flip(2) if side else images
            rows[i : i + 16, side] = encoder(seen).half().cpu().numpy()


def _cached(
    path: Path,
    shape: tuple[int, ...],
    kind: type[np.generic],
    fill: Callable[[np.ndarray], None],
    say: Callable[[str], None],
) -> np.ndarray:
    """Open a memory-mapped file of rows, which `fill` writes if it is not there yet.

    It gets its name when it is whole.
    """
    if not path.exists():
        _reserve(path, np.dtype(kind).itemsize * math.prod(shape), say)
        _clear_abandoned(path)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            rows = np.lib.format.open_memmap(part, mode="w+", dtype=kind, shape=shape)
            _take_space(part)
            fill(rows)
            rows.flush()
            del rows
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    rows = np.load(path, mmap_mode="r")
    if rows.shape != shape:
        raise DataError(f"{path}: not what was written there; delete it and run again")
    return rows


def _reserve(path: Path, size: int, say: Callable[[str], None]) -> None:
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    kind = path.name.partition("-")[0]
    say(f"caching {kind}: {size / 1e9:.2f} GB in {path} ({free / 1e9:.0f} GB free)")
    if size > free:
        raise DataError(
            f"{folder}: the {kind} take {size / 1e9:.2f} GB, {free / 1e9:.2f} GB are free"
        )


def _take_space(path: Path) -> None:
    """Have the disk give what a file declares: without it, a full disk ends the process later."""
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _clear_abandoned(path: Path) -> None:
    """Delete what a process that was killed left of this file."""
    for part in path.parent.glob(f"{path.stem}.*.part"):
        try:
            os.kill(int(part.suffixes[-2][1:]), 0)
        except ProcessLookupError:
            part.unlink(missing_ok=True)
        except PermissionError:
            continue  # it belongs to someone else, who is at work
