"""Detects grammatical errors that captioners make, with a few patterns.

The rules report only clear errors, and accept sentences that they cannot analyse.
"""

from collections.abc import Sequence
from itertools import pairwise

_VERBS = {"is": 1, "was": 1, "has": 1, "are": 2, "were": 2, "have": 2}
_ONE = frozenset(["a", "an", "one", "another"])
_SEVERAL = frozenset(
    ["two", "three", "four", "five", "six", "seven", "eight", "several", "many", "some", "both"]
)
_PLURALS = frozenset(
    ["people", "men", "women", "children", "kids", "boys", "girls", "dogs", "adults", "players"]
)
# These nouns take a singular or a plural verb: "a group of people is", "a group of people are".
_GROUPS = frozenset(
    ["group", "couple", "crowd", "pair", "bunch", "herd", "flock", "team", "family", "sheep"]
)
# A subject ends before one of these words or a participle.
_PREPOSITIONS = ["in", "on", "with", "of", "at", "near", "by", "over", "through", "from", "to"]
_MORE = frozenset([*_PREPOSITIONS, "next", "behind", "under", "that", "who", "which", "while"])


def disagrees(words: Sequence[str]) -> bool:
    """Return whether subject and verb disagree, as in *a man and a dog is* or *two dogs is*."""
    verb = next((i for i, word in enumerate(words) if word in _VERBS), None)
    if verb is None:
        return False
    subject = _subject(words[:verb])
    more = words[len(subject) : verb]
    if not subject or "and" in more or _GROUPS.intersection(subject):
        return False
    starts = _ONE | _SEVERAL
    joined = any(a == "and" and b in starts for a, b in pairwise(subject))
    if joined or subject[0] in _SEVERAL or subject[-1] in _PLURALS:
        return _VERBS[words[verb]] == 1
    return subject[0] in _ONE and _VERBS[words[verb]] == 2


def _subject(words: Sequence[str]) -> Sequence[str]:
    for i, word in enumerate(words):
        if word in _MORE or word.endswith("ing"):
            return words[:i]
    return words


def doubles(words: Sequence[str]) -> bool:
    """Return whether a word is repeated, directly or around *and*, as in *black and black*."""
    around = any(
        a == c and b == "and" for a, b, c in zip(words, words[1:], words[2:], strict=False)
    )
    return around or any(a == b for a, b in pairwise(words))


def faulty(words: Sequence[str]) -> bool:
    """Return whether a caption has one of these errors."""
    return disagrees(words) or doubles(words)
