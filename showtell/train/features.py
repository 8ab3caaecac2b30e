"""Features that the CNN computes, and the disk caches of photographs and features."""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor
from tqdm import tqdm

from showtell import image
from showtell.data import Photograph
from showtell.errors import DataError
from showtell.train.encoder import Encoder
from showtell.train.graphs import features_graph

Extract = Callable[[Tensor], Tensor]  # maps uint8 images (B, size, size, 3) to features (B, L, C)


def read_images(photographs: Sequence[Photograph], size: int) -> Tensor:
    """Read photographs as uint8 (B, size, size, 3)."""
    return torch.from_numpy(np.stack([image.read(p.path, size) for p in photographs]))


def extractor(encoder: Encoder) -> Extract:
    """Return a function that computes an encoder's features, with its current weights.

    On a CPU it runs ONNX Runtime in single precision, which takes a fraction of PyTorch's time. On
    other devices it runs the encoder itself.
    """
    if encoder.mean.device.type != "cpu":
        return torch.inference_mode()(encoder.forward)
    graph = features_graph(encoder).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])

    def extract(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(["features"], {"images": images.numpy()})[0])

    return extract


class Pixels:
    """A memory-mapped uint8 cache of resized photographs, so that each is decoded only once.

    Parameters
    ----------
    folder : the cache folder.
    photographs : the photographs, in the order of the rows.
    size : width and height in pixels that photographs are resized to.
    say : called with the size of the cache before it is written.
    """

    def __init__(
        self, folder: Path, photographs: Sequence[Photograph], size: int, say: Callable[[str], None]
    ) -> None:
        def fill(rows: np.ndarray) -> None:
            for i in tqdm(range(0, len(photographs), 16), desc="photographs", unit="×16"):
                rows[i : i + 16] = read_images(photographs[i : i + 16], size).numpy()

        path = folder / f"photographs-{_digest(size, _files(photographs))}.npy"
        self._rows = _cached(path, (len(photographs), size, size, 3), np.uint8, fill, say)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, photos: np.ndarray) -> Tensor:
        """Return images, uint8 (B, size, size, 3), for the indices `photos` (B,)."""
        return torch.from_numpy(self._rows[photos])


class Features:
    """A memory-mapped float16 cache of features of photographs and of their mirror images.

    The file name contains a hash of the encoder, its weights, the preprocessing and the
    photographs, so that each combination has its own file.

    Parameters
    ----------
    folder : the cache folder.
    encoder : computes features that are not cached yet.
    photographs : the photographs, in the order of the rows.
    mirrored : whether to also cache mirrored photographs.
    say : called with the size of the cache before it is written.
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
        """Return features, float16 (B, L, C), for the indices `photos` (B,).

        `mirrored` (B,) selects the mirrored photographs; None selects none.
        """
        sides = np.zeros(len(photos), int) if mirrored is None else mirrored.astype(int)
        return torch.from_numpy(self._rows[photos, sides])


class Joined:
    """The concatenated rows of several caches.

    Parameters
    ----------
    parts : caches that are all :class:`Features`, or all :class:`Pixels`.
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])

    def read(self, photos: np.ndarray, *sides: np.ndarray) -> Tensor:
        """Return the concatenated rows `photos` (B,), as ``read`` of the parts returns them."""
        of = np.searchsorted(self._starts, photos, side="right") - 1
        order = np.argsort(of, kind="stable")
        parts = [
            self._parts[part].read(photos[rows] - self._starts[part], *(s[rows] for s in sides))
            for part in np.unique(of)
            for rows in [order[of[order] == part]]
        ]
        return torch.cat(parts)[np.argsort(order)]


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


def _compute(rows: np.ndarray, encoder: Encoder, photographs: Sequence[Photograph]) -> None:
    extract = extractor(encoder)
    for i in tqdm(range(0, len(photographs), 16), desc="features", unit="×16"):
        images = read_images(photographs[i : i + 16], encoder.size)
        for side in range(rows.shape[1]):
            seen = images.flip(2) if side else images
            rows[i : i + 16, side] = extract(seen).half().cpu().numpy()


def _cached(
    path: Path,
    shape: tuple[int, ...],
    kind: type[np.generic],
    fill: Callable[[np.ndarray], None],
    say: Callable[[str], None],
) -> np.ndarray:
    """Open a memory-mapped file of rows; call `fill` to write it if it does not exist.

    The file gets its final name only when it is complete.
    """
    if not path.exists():
        _reserve(path, np.dtype(kind).itemsize * math.prod(shape), say)
        _clear_abandoned(path)
        part = path.with_suffix(f".{token_hex(8)}.{os.getpid()}.part")
        part.touch(exist_ok=False)
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
        raise DataError(f"{path}: damaged; delete it and run again")
    return rows


def _reserve(path: Path, size: int, say: Callable[[str], None]) -> None:
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    kind = path.name.partition("-")[0]
    say(f"caching {kind}: {size / 1e9:.2f} GB in {path} ({free / 1e9:.0f} GB free)")
    if size > free:
        raise DataError(
            f"{folder}: the {kind} need {size / 1e9:.2f} GB, but {free / 1e9:.2f} GB are free"
        )


def _take_space(path: Path) -> None:
    """Allocate a sparse file's disk space, so that a full disk does not kill the process later."""
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _clear_abandoned(path: Path) -> None:
    """Delete partial files that killed processes left behind."""
    for part in path.parent.glob(f"{path.stem}.{16 * '[0-9a-f]'}.[0-9]*.part"):
        try:
            os.kill(int(part.suffixes[-2][1:]), 0)
        except ProcessLookupError:
            part.unlink(missing_ok=True)
        except (PermissionError, ValueError, OverflowError):
            continue  # another user's running process, or not one of our files
