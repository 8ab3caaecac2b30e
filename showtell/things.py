"""Things: the classes that the CNN's classifier recognises, under everyday names.

The names are in the bundle's ``things.json``; the probabilities are an output of the encoder.
Bundles without a classifier have neither.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from showtell.bundle import MAX_TEXT, THINGS, Bundle, read_file
from showtell.errors import BundleError
from showtell.vocab import Vocabulary

LEAST = 0.05  # minimum probability of a reported thing
_LEAST_LOG = 1e-4  # lower bound of a probability before its logarithm is taken
MOST = 10  # maximum number of things reported per photograph


@dataclass(frozen=True, eq=False)
class Thing:
    """A thing that the classifier recognises in a photograph.

    Attributes
    ----------
    name : an everyday name, such as ``traffic light``.
    probability : 0..1. The probabilities of all things sum to at most 1.
    attention : (rows, cols) float32, where in the grid the thing is; sums to 1. None unless
        requested.
    """

    name: str
    probability: float
    attention: np.ndarray | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain types: ``name``, ``probability`` and, if there is one, ``attention``."""
        content: dict[str, Any] = {"name": self.name, "probability": round(self.probability, 6)}
        if self.attention is not None:
            content["attention"] = np.round(self.attention.astype(float), 6).ravel().tolist()
        return content


@dataclass(frozen=True)
class Names:
    """The things that a model can recognise.

    Attributes
    ----------
    names : T names, in the order of the encoder's outputs.
    words : for each thing, the words that mention it in a caption. Things share no words.
    """

    names: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]

    @classmethod
    def read(cls, bundle: Bundle, count: int) -> "Names":
        """Read the names of a bundle.

        Parameters
        ----------
        bundle : a verified bundle.
        count : T, the number of things that its encoder outputs.

        Raises
        ------
        BundleError : the file cannot be read, or does not have `count` printable names.
        """
        path = bundle.path / THINGS
        try:
            rows = json.loads(read_file(path, MAX_TEXT).decode("utf-8"))
            names = cls(
                tuple(str(row["name"]) for row in rows),
                tuple(tuple(map(str, row["words"])) for row in rows),
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise BundleError(f"{path}: cannot be read: {error}") from error
        if len(names.names) != count:
            raise BundleError(
                f"{path}: lists {len(names.names)} things, but the encoder has {count}"
            )
        if odd := [name for name in names.names if not name.isprintable()]:
            raise BundleError(f"{path}: contains an unprintable name: {odd[0]!r}")
        return names

    def content(self) -> bytes:
        """Return the content of ``things.json``."""
        pairs = zip(self.names, self.words, strict=True)
        rows = [{"name": name, "words": list(words)} for name, words in pairs]
        return json.dumps(rows, ensure_ascii=False, indent=0).encode()

    def seen(
        self, probabilities: np.ndarray, places: np.ndarray | None, grid: tuple[int, int]
    ) -> tuple[Thing, ...]:
        """Return the things in a photograph, most probable first.

        Parameters
        ----------
        probabilities : (T,) probability of each thing in the photograph.
        places : (L, T) probability of each thing in each cell alone, or None.
        grid : rows and columns of the cells.
        """
        order = np.argsort(-probabilities, kind="stable")[:MOST]
        return tuple(
            Thing(
                self.names[i],
                float(probabilities[i]),
                None if places is None else _map(places[:, i], grid),
            )
            for i in order.tolist()
            if probabilities[i] >= LEAST
        )

    def evidence(self, words: Sequence[str], probabilities: np.ndarray) -> np.ndarray:
        """Return the classifier's evidence for the words of a caption, (T, 3).

        Columns 0 and 1 are 1 and the log-probability of the thing for a word that mentions a thing,
        0 and 0 for other words. Column 2 is the same for all words: the probability of the most
        probable thing that no word mentions.

        Parameters
        ----------
        words : T words.
        probabilities : probability of each thing in the photograph.
        """
        index = self.of_words(words)
        mentions = index >= 0
        logs = np.log(probabilities.clip(_LEAST_LOG))
        others = np.delete(probabilities, index[mentions])
        evidence = np.zeros((len(words), 3))
        evidence[:, 0] = mentions
        evidence[mentions, 1] = logs[index[mentions]]
        evidence[:, 2] = others.max(initial=0)
        return evidence

    def ids(self, thing: int, vocabulary: Vocabulary) -> frozenset[int]:
        """Return the ids of the words in the vocabulary that mention a thing."""
        return frozenset(vocabulary.id(word) for word in self.words[thing] if word in vocabulary)

    def of_words(self, words: Sequence[str]) -> np.ndarray:
        """Return, for each of `words`, the index of the thing that it mentions, or -1."""
        index = {word: i for i, own in enumerate(self.words) for word in own}
        return np.array([index.get(word, -1) for word in words], int)


def _map(values: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    total = values.sum()
    flat = values / total if total > 0 else np.full(len(values), 1 / len(values))
    return flat.reshape(grid).astype(np.float32)
