"""Builds a :class:`Dataset` from what the reader of a layout found."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from showtell.data.dataset import SPLITS, Dataset, Finding, Findings, Photograph
from showtell.errors import DataError
from showtell.formats import is_picture
from showtell.vocab import lacks_spaces

# The names of splits in data sets, and here.
SPLIT_NAMES = {
    "train": "train",
    "restval": "train",
    "dev": "dev",
    "val": "dev",
    "validation": "dev",
    "test": "test",
}

Captions = dict[str, list[str]]


@dataclass(frozen=True)
class Release:
    """What the reader of a layout found, before anything is left out.

    Attributes
    ----------
    captions : pairs of a photograph's name and a caption, in the order of the file.
    splits : split by name of the photograph.
    pictures : paths of the pictures by name.
    broken : lines that could not be read.
    """

    captions: Iterable[tuple[str, str]]
    splits: Mapping[str, str]
    pictures: Mapping[str, Path]
    broken: Iterable[str] = ()


@dataclass(frozen=True)
class Layout:
    """A layout of data sets in a folder.

    Attributes
    ----------
    name : name of the layout.
    looks_for : the files by which it is recognised, for messages.
    read : reads a folder; returns None if the folder does not have this layout.
    """

    name: str
    looks_for: str
    read: Callable[[Path], Release | None]


def assign(splits: dict[str, str], name: str, split: str, where: str) -> None:
    """Assign a photograph to a split.

    Raises
    ------
    DataError : the photograph is already in another split.
    """
    if splits.setdefault(name, split) != split:
        raise DataError(
            f"{where}: {name} is in the {splits[name]} split and in the {split} split; "
            "keep it in one"
        )


def split_by_name(name: str) -> str:
    """Return the split of a photograph by the hash of its name, for data sets without splits.

    The hash is the first 8 hex digits of the SHA-256 of the file's name without its folder. Modulo
    10, it is 0 for dev (10%), 1 for test (10%), and anything else for train. This must not change.
    """
    name = PurePosixPath(name).name
    remainder = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 10
    return {0: "dev", 1: "test"}.get(remainder, "train")


def assemble(root: Path, layout: str, release: Release) -> Dataset:
    """Put the photographs that have a file, a caption and a split into their splits."""
    released: Captions = {}
    for name, caption in release.captions:
        released.setdefault(name, []).append(caption.strip())
    usable = {name: [c for c in captions if has_words(c)] for name, captions in released.items()}
    splits: dict[str, list[Photograph]] = {split: [] for split in SPLITS}
    for name in sorted(release.splits.keys() & release.pictures.keys()):
        if captions := usable.get(name):
            photograph = Photograph(name, release.pictures[name], tuple(captions))
            splits[release.splits[name]].append(photograph)
    tuples = {split: tuple(photographs) for split, photographs in splits.items()}
    return Dataset(root, layout, tuples, _findings(release, released, usable))


def _findings(release: Release, released: Captions, usable: Captions) -> Findings:
    pictures = release.pictures.keys()
    captioned = {name for name, captions in usable.items() if captions}
    named = released.keys() | release.splits.keys()
    stray = {name for name in named if not is_picture(PurePosixPath(name).name)}
    return Findings(
        missing=Finding.of(named - pictures - stray),
        uncaptioned=Finding.of(pictures - captioned),
        unsplit=Finding.of((pictures & captioned) - release.splits.keys()),
        stray=Finding.of(stray),
        duplicates=Finding.of(_repeats(usable)),
        empty=Finding.of(n for n in released for _ in range(len(released[n]) - len(usable[n]))),
        unspaced=Finding.of(n for n, texts in usable.items() for t in texts if lacks_spaces(t)),
        broken=Finding.of(release.broken),
    )


def _repeats(captions: Captions) -> Iterable[str]:
    for name, texts in captions.items():
        yield from [name] * (len(texts) - len(set(texts)))


def has_words(caption: str) -> bool:
    """Return whether a caption has a letter or a digit."""
    return any(letter.isalnum() for letter in caption)
