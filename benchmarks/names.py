"""Whether a few photographs teach a name: albums of Flickr8k, told by their mean annotations.

    python benchmarks/names.py flickr8k [--model M]

The albums were chosen by eye among photographs that the CNN finds alike: one tennis player in one
match, one softball field, one football game, and black and brown dobermans in snow, on a beach and
on grass. The controls are photographs of one kind that show different individuals.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from showtell.captioner import BATCH, load
from showtell.data import Photograph
from showtell.data import load as load_data

TAUGHT, HELD_OUT = 5, 8  # photographs, where an album has as many
DRAWS = 40  # of the photographs that are taught
COMPONENTS = 128  # of the annotations, that are whitened
FALSE = 0.015  # of the training split, that the limit lets pass


class Album(NamedTuple):
    """An album, by the numbers that its files' names start with, and words for its kind."""

    name: str
    kind: str
    numbers: Sequence[int] = ()


ALBUMS = [
    Album(
        "tennis player",
        "tennis (player|racket|court)|playing tennis",
        (3425061393, 3425846980, 3425851292, 3425853460, 3425887426, 3425069551),
    ),
    Album(
        "softball field",
        "softball|baseball",
        (
            3514278386,
            3514179514,
            3513362553,
            3517056462,
            3517040752,
            3516312179,
            3516299821,
            3517124784,
            3517127930,
        ),
    ),
    Album("football game", "football", range(241345323, 241347824)),
    Album(
        "dobermans",
        r"doberman|\brott",  # rottweilers look much alike
        (
            2874728371,
            2895403073,
            2869491449,
            2887614578,
            2708634088,
            2439384468,
            3266306177,
            3385593926,
            1525153022,
            2637959357,
            3545779287,
            2892995070,
        ),
    ),
]
CONTROLS = [
    Album("German shepherds", "german shep"),
    Album("greyhounds", "greyhound"),
    Album("dirt bikes", "dirt bike"),
    Album("surfers", "surf"),
    Album("black dogs", "black dog"),
]


class Photographs(NamedTuple):
    """All photographs: (N, D) vectors of length 1, and which are of the splits."""

    all: list[Photograph]
    vectors: np.ndarray
    train: np.ndarray
    test: np.ndarray

    def members(self, album: Album) -> np.ndarray:
        numbers = [int(p.name.split("_")[0]) for p in self.all]
        return np.flatnonzero([number in album.numbers for number in numbers])

    def of_kind(self, album: Album) -> np.ndarray:
        said = (" ".join(p.captions).lower() for p in self.all)
        return np.flatnonzero([bool(re.search(album.kind, captions)) for captions in said])


def see(root: Path, model: str | None) -> Photographs:
    """Encode every photograph, and whiten its mean annotation."""
    data, captioner = load_data(root), load(model)
    splits = [data.split(name) for name in ("train", "dev", "test")]
    photographs = [p for split in splits for p in split]
    means = []
    for i in range(0, len(photographs), BATCH):
        encoded = captioner.encode([p.path for p in photographs[i : i + BATCH]])
        means.append(encoded.state.annotations.mean(axis=1))
    annotations = np.concatenate(means)
    train = np.arange(len(splits[0]))
    apart = annotations - annotations[train].mean(axis=0)
    values, directions = np.linalg.eigh(np.cov(apart[train].T))
    vectors = apart @ directions[:, -COMPONENTS:] / np.sqrt(values[-COMPONENTS:])
    test = np.arange(len(photographs) - len(splits[2]), len(photographs))
    return Photographs(photographs, unit(vectors), train, test)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def prototype(vectors: np.ndarray) -> np.ndarray:
    return unit(vectors.mean(axis=0))


def draws(album: Album, photographs: Photographs) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield what is taught and what is held out, `DRAWS` times; a control's album is drawn too."""
    rng = np.random.default_rng(1)
    members = photographs.members(album) if album.numbers else photographs.of_kind(album)
    taught = min(TAUGHT, len(members) // 2)
    for _ in range(DRAWS):
        order = rng.permutation(members)
        yield order[:taught], order[taught : taught + HELD_OUT]


def measure(album: Album, photographs: Photographs, strict: bool) -> list[float]:
    """Return the shares that are named: held out, test split, others of the kind.

    The limit lets `FALSE` of the training split pass. A strict limit is also at least the lowest
    score of a taught photograph for the prototype of the other ones.
    """
    vectors, kind, rows = photographs.vectors, photographs.of_kind(album), []
    for taught, held_out in draws(album, photographs):
        members = photographs.members(album) if album.numbers else np.append(taught, held_out)
        scores = vectors @ prototype(vectors[taught])
        limit = np.quantile(scores[np.setdiff1d(photographs.train, members)], 1 - FALSE)
        if strict:
            others = [np.delete(taught, i) for i in range(len(taught))]
            own = [vectors[t] @ prototype(vectors[o]) for t, o in zip(taught, others, strict=True)]
            limit = max(limit, min(own))
        parts = [held_out, *(np.setdiff1d(part, members) for part in (photographs.test, kind))]
        rows.append([float((scores[part] > limit).mean()) for part in parts])
    return np.mean(rows, axis=0).tolist()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    seen = see(arguments.data, arguments.model)
    for strict in (False, True):
        print(f"\n| {'strict' if strict else 'album'} | held out | test | others of the kind |")
        print("| --- | ---: | ---: | ---: |", flush=True)
        for album in [*ALBUMS, *CONTROLS]:
            shares = (f"{share:.1%}" for share in measure(album, seen, strict))
            print(f"| {album.name} | {' | '.join(shares)} |", flush=True)
