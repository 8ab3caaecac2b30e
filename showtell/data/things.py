"""Things: groups of ImageNet's classes under everyday names, with the words that mention them.

The table is ``things.json``, with one thing per line, sorted by name. The classes are the 1,000 of
ImageNet (Deng et al., 2009), in the order of a classifier's outputs. Each class is a noun of
WordNet (Miller, 1995). The groups follow WordNet's hypernyms, so every breed of dog is a *dog*, and
the words that captions use, so a yawl is a *boat*. Classes that captions rarely mention, such as
*trilobite* or *velvet*, are in no group.
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
    name : name to display, one or two words, such as ``traffic light``.
    words : tokens that mention the thing in a caption, most common first. Things share no words.
        A name of two words is mentioned by its distinctive word, such as ``meter`` for *parking
        meter*.
    classes : indices 0..999, ascending. Things share no classes. The probability of a thing is the
        sum of their probabilities.
    """

    name: str
    words: tuple[str, ...]
    classes: tuple[int, ...]


@cache
def load() -> tuple[Thing, ...]:
    """Return all things, sorted by name."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(Thing(r["name"], tuple(r["words"]), tuple(r["classes"])) for r in rows)
