"""Things with everyday names, each a group of ImageNet's classes, and the words that mention them.

``things.json`` holds the table, one thing a line, sorted by name. The classes are the 1,000 of
ImageNet (Deng et al., 2009) in the order of a classifier's outputs. Each class is a noun of WordNet
(Miller, 1995). The groups were checked against WordNet's hypernyms, so every breed of dog belongs
to *dog*, and against how captions talk: a yawl is a boat, and an owl is an owl. Classes that
captions rarely name, such as *trilobite* or *velvet*, belong to no thing.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("things.json")


@dataclass(frozen=True)
class Thing:
    """A group of ImageNet's classes under one everyday name.

    Attributes
    ----------
    name : what to show to people, one word or two: ``traffic light``.
    words : tokens that mention it in a caption, the most usual first. No other thing has them. A
        name of two words is mentioned by its telling word, such as ``meter`` for *parking meter*.
    classes : indices in 0..999, ascending. No other thing has them. The probability of a thing is
        the sum of theirs.
    """

    name: str
    words: tuple[str, ...]
    classes: tuple[int, ...]


@cache
def load() -> tuple[Thing, ...]:
    """Return all things, sorted by name."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(Thing(r["name"], tuple(r["words"]), tuple(r["classes"])) for r in rows)
