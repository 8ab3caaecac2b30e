"""A data set in memory: photographs and captions in three splits, and findings about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from showtell.data.official import hash_names
from showtell.errors import DataError

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Photograph:
    """One photograph and its captions.

    Attributes
    ----------
    name : name of the file, as in the captions.
    path : path of the file.
    captions : the captions, at least one, as released but stripped of white space.
    """

    name: str
    path: Path
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """How often something occurred, and the first few names as examples."""

    count: int
    examples: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterable[str]) -> "Finding":
        """Count `names`; a repeated name counts each time, but is only one example."""
        names = list(names)
        return cls(len(names), tuple(sorted(set(names))[:3]))


@dataclass(frozen=True)
class Findings:
    """What was left out of a data set or is unusual in it. None of these is an error.

    Attributes
    ----------
    missing : photographs in captions or splits that have no file; left out.
    uncaptioned : photographs without a caption; left out.
    unsplit : photographs with captions that are in no split; left out.
    stray : captioned names that are not names of pictures, such as Flickr8k's
        ``2258277193_586949ec62.jpg.1``; left out.
    duplicates : captions that repeat another of their photograph. They are kept in training and as
        references, since scores are only comparable with all captions of the release.
    empty : captions without a letter or a digit; dropped.
    unspaced : captions in a script without spaces between words; each is kept as one long word.
    broken : lines that cannot be read; skipped.
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
        """Return a sentence for each finding with a count above 0."""
        findings = ((f.name, getattr(self, f.name)) for f in fields(self))
        return [_sentence(name, finding) for name, finding in findings if finding.count]


# Singular and plural of each sentence.
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
    root : the folder of the data set.
    layout : name of its layout.
    splits : the photographs of ``train``, ``dev`` and ``test``, each sorted by name.
    findings : what was left out or is unusual.
    """

    root: Path
    layout: str
    splits: Mapping[str, tuple[Photograph, ...]]
    findings: Findings

    def split(self, name: str) -> tuple[Photograph, ...]:
        """Return the photographs of a split, at least one.

        Raises
        ------
        DataError : there is no split of this name, or it is empty.
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
        """Return the SHA-256 of a split's sorted names, joined by newlines.

        Raises
        ------
        DataError : there is no split of this name.
        """
        return hash_names(photograph.name for photograph in self._known(name))

    def _known(self, name: str) -> tuple[Photograph, ...]:
        if name not in self.splits:
            raise DataError(f"there is no split {name!r}: the splits are {', '.join(self.splits)}")
        return self.splits[name]
