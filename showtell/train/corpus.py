"""What a run learns from and is judged by: one data set, or several."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from showtell.data import Dataset, Photograph, load
from showtell.train.recipe import MoreData


@dataclass(frozen=True)
class Corpus:
    """A run's own data set, and more that are trained on beside it.

    Attributes
    ----------
    sets : the data sets, the run's own first.
    weights : how many times an epoch holds each photograph of each of them.
    written : whether people wrote the captions of each of them.
    """

    sets: tuple[Dataset, ...]
    weights: tuple[int, ...]
    written: tuple[bool, ...]

    @classmethod
    def load(cls, data: str, more: Sequence[MoreData] = ()) -> "Corpus":
        """Read the data sets of a recipe.

        Raises
        ------
        DataError : one of them cannot be read.
        """
        folders = [data, *(each.data for each in more)]
        weights, written = (each.weight for each in more), (each.written for each in more)
        return cls(tuple(map(load, folders)), (1, *weights), (True, *written))

    @property
    def parts(self) -> tuple[tuple[Photograph, ...], ...]:
        """The training split of each set; DataError where one holds no photograph."""
        return tuple(each.split("train") for each in self.sets)

    @property
    def photographs(self) -> tuple[Photograph, ...]:
        """All parts, one after the other."""
        return tuple(chain.from_iterable(self.parts))

    @property
    def copies(self) -> tuple[int, ...]:
        """How many times an epoch holds each of the photographs."""
        pairs = zip(self.parts, self.weights, strict=True)
        return tuple(weight for part, weight in pairs for _ in part)

    @property
    def copies_written(self) -> tuple[int, ...]:
        """The same, and 0 where no person wrote the captions."""
        pairs = zip(self.parts, self.weights, self.written, strict=True)
        return tuple(weight * written for part, weight, written in pairs for _ in part)

    def judges(self, most: int) -> dict[str, tuple[Photograph, ...]]:
        """Return the first photographs, at most so many, of each dev split, by its set's name.

        Raises
        ------
        DataError : the run's own set has none; the others may.
        """
        own, *others = self.sets
        splits = {own.root.name: own.split("dev")}
        splits |= {each.root.name: each.splits["dev"] for each in others if each.splits["dev"]}
        return {name: split[:most] for name, split in splits.items()}
