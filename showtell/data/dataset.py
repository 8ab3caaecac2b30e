"""A data set in memory: photographs and their captions in three splits, and what was odd."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from showtell.data.official import hash_names
from showtell.errors import DataError

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Photograph:
    """One photograph and what people said of it.

    Attributes
    ----------
    name : the file's name, as the captions write it.
    path : where the file lies.
    captions : at least one, as released, without white space at the ends.
    """

    name: str
    path: Path
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """How often something odd was met, and the first few names that show it."""

    count: int
    examples: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterable[str]) -> "Finding":
        """Count `names`; one that is odd twice counts twice and is an example once."""
        names = list(names)
        return cls(len(names), tuple(sorted(set(names))[:3]))


@dataclass(frozen=True)
class Findings:
    """What a release holds besides what is used. None of it stops the work.

    Attributes
    ----------
    missing : photographs that captions or a split name, without a file; they are left out.
    uncaptioned : photographs without a caption; they are left out.
    unsplit : photographs with captions that no split names; they are left out.
    stray : captioned names that are no picture's, as ``2258277193_586949ec62.jpg.1`` of Flickr8k.
    duplicates : captions that their photograph has already. They are kept, in training as in the
        references: they are the release's own, and scores are comparable only with all of them.
    empty : captions without a letter or digit; they are dropped, since they say nothing.
    unspaced : captions in a script that is written without spaces; each is kept as one long word.
    broken : lines that cannot be read; they are skipped.
    """

    missing: Finding
    uncaptioned: Finding
    unsplit: Finding
    stray: Finding
    duplicates: Finding
    empty: Finding
    unspaced: Finding
    broken: Finding

    def sentences(self) -> list[str]:
        """Tell each finding whose count is not 0."""
        findings = ((f.name, getattr(self, f.name)) for f in fields(self))
        return [_sentence(name, finding) for name, finding in findings if finding.count]


# For one, and for many.
_SENTENCES = {
    "missing": (
        "photograph is named but has no file: it is left out",
        "photographs are named but have no file: they are left out",
    ),
    "uncaptioned": (
        "photograph has no caption: it is left out",
        "photographs have no caption: they are left out",
    ),
    "unsplit": (
        "photograph is in no split: it is left out",
        "photographs are in no split: they are left out",
    ),
    "stray": (
        "captioned file name is not that of an image: it is left out",
        "captioned file names are not those of images: they are left out",
    ),
    "duplicates": (
        "caption repeats another of its photograph: it is kept",
        "captions repeat another of their photograph: they are kept",
    ),
    "empty": (
        "caption has no words: it is dropped",
        "captions have no words: they are dropped",
    ),
    "unspaced": (
        "caption has no spaces between its words: it counts as one word unless you separate them",
        "captions have no spaces between their words: each counts as one word unless you separate "
        "them",
    ),
    "broken": (
        "line cannot be read: it is skipped",
        "lines cannot be read: they are skipped",
    ),
}


def _sentence(name: str, finding: Finding) -> str:
    one, many = _SENTENCES[name]
    text = f"{finding.count:,} {one if finding.count == 1 else many}"
    more = ", ..." if finding.count > len(finding.examples) else ""
    return f"{text} ({', '.join(finding.examples)}{more})."


@dataclass(frozen=True)
class Dataset:
    """Photographs with captions, in splits.

    Attributes
    ----------
    root : the folder it was read from.
    layout : name of the layout that was recognised.
    splits : the photographs of ``train``, ``dev`` and ``test``, each sorted by name.
    findings : what was odd.
    """

    root: Path
    layout: str
    splits: Mapping[str, tuple[Photograph, ...]]
    findings: Findings

    def split(self, name: str) -> tuple[Photograph, ...]:
        """Return the photographs of a split, at least one.

        Raises
        ------
        DataError : there is no split of this name, or it holds no photograph.
        """
        photographs = self._known(name)
        if not photographs:
            empty = f"{self.root}: the {name} split contains no photograph with a caption."
            if self.layout == "own":
                empty += f" Write {name} for some of them in the column 'split' of captions.csv."
            if self.layout == "corrections":
                empty += " Correct ten photographs or more: the fifth is in dev, the tenth in test."
            raise DataError(" ".join([empty, *self.findings.sentences()]))
        return photographs

    def split_hash(self, name: str) -> str:
        """Return what a scorecard quotes: SHA-256 of the sorted names, joined by newlines.

        Raises
        ------
        DataError : there is no split of this name.
        """
        return hash_names(photograph.name for photograph in self._known(name))

    def _known(self, name: str) -> tuple[Photograph, ...]:
        if name not in self.splits:
            raise DataError(f"there is no split {name!r}: the splits are {', '.join(self.splits)}")
        return self.splits[name]
