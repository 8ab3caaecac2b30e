"""The data sets of a run, for training and validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from showtell.data import Dataset, Photograph, load
from showtell.train.recipe import MoreData


@dataclass(frozen=True)
class Corpus:
    """The main data set of a run and its additional data sets.

    Attributes
    ----------
    sets : the data sets, the main one first.
    weights : for each data set, how often each of its photographs occurs in an epoch.
    written : for each data set, whether its captions were written by people.
    """

    sets: tuple[Dataset, ...]
    weights: tuple[int, ...]
    written: tuple[bool, ...]

    @classmethod
    def load(cls, data: str, more: Sequence[MoreData] = ()) -> "Corpus":
        """Read the data sets of a recipe.

        Raises
        ------
        DataError : a data set cannot be read.
        """
        folders = [data, *(each.data for each in more)]
        weights, written = (each.weight for each in more), (each.written for each in more)
        return cls(tuple(map(load, folders)), (1, *weights), (True, *written))

    @property
    def parts(self) -> tuple[tuple[Photograph, ...], ...]:
        """The training split of each data set; raises a DataError if one is empty."""
        return tuple(each.split("train") for each in self.sets)

    @property
    def photographs(self) -> tuple[Photograph, ...]:
        """The photographs of all parts, concatenated."""
        return tuple(chain.from_iterable(self.parts))

    @property
    def copies(self) -> tuple[int, ...]:
        """How often each photograph occurs in an epoch."""
        pairs = zip(self.parts, self.weights, strict=True)
        return tuple(weight for part, weight in pairs for _ in part)

    @property
    def copies_written(self) -> tuple[int, ...]:
        """Like `copies`, but 0 for photographs whose captions were not written by people."""
        pairs = zip(self.parts, self.weights, self.written, strict=True)
        return tuple(weight * written for part, weight, written in pairs for _ in part)

    def judges(self, most: int) -> dict[str, tuple[Photograph, ...]]:
        """Return up to `most` photographs of each dev split, by the name of the data set.

        Additional data sets without a dev split are skipped.

        Raises
        ------
        DataError : the main data set has no dev split.
        """
        own, *others = self.sets
        splits = {own.root.name: own.split("dev")}
        splits |= {each.root.name: each.splits["dev"] for each in others if each.splits["dev"]}
        return {name: split[:most] for name, split in splits.items()}
