"""Things: what the classifier recognises, and its evidence for the words of a caption."""

import json
from pathlib import Path

import numpy as np
import pytest

from showtell.bundle import THINGS, Bundle
from showtell.errors import BundleError
from showtell.things import MOST, Names
from showtell.vocab import SPECIAL, Vocabulary

NAMES = Names(("dog", "traffic light", "eel"), (("dog", "puppy"), ("light",), ("eel",)))


def bundle_with(folder: Path, content: bytes) -> Bundle:
    (folder / THINGS).write_bytes(content)
    return Bundle(folder, {}, Vocabulary(SPECIAL))


def test_the_likeliest_come_first_and_the_unlikely_do_not_come() -> None:
    seen = NAMES.seen(np.array([0.1, 0.7, 0.04], np.float32), None, (1, 2))
    assert [thing.name for thing in seen] == ["traffic light", "dog"]
    assert seen[0].to_dict() == {"name": "traffic light", "probability": 0.7}


def test_ten_at_most() -> None:
    names = Names(tuple(f"thing {i}" for i in range(12)), ((),) * 12)
    assert len(names.seen(np.full(12, 1 / 12), None, (1, 1))) == MOST == 10


def test_a_map_sums_to_1_and_one_without_light_is_even() -> None:
    places = np.array([[0.1, 0.3, 0], [0.1, 0.1, 0]], np.float32)
    found = {thing.name: thing for thing in NAMES.seen(np.array([0.3, 0.4, 0.2]), places, (1, 2))}
    maps = {name: thing.to_dict()["attention"] for name, thing in found.items()}
    assert maps == {"traffic light": [0.75, 0.25], "dog": [0.5, 0.5], "eel": [0.5, 0.5]}


def test_the_evidence_of_words() -> None:
    """Synonyms count; the last number is the most probable thing that no word mentions."""
    words = ("a", "puppy", "eel")
    found = NAMES.evidence(words, np.array([0.5, 0.3, 0.0]))
    expected = [[0, 0, 0.3], [1, np.log(0.5), 0.3], [1, np.log(1e-4), 0.3]]
    np.testing.assert_allclose(found, expected)
    none = NAMES.evidence(("dog", "light", "eel"), np.array([0.5, 0.3, 0.0]))
    np.testing.assert_allclose(none[:, 2], 0)


def test_names_come_back_from_a_bundle(tmp_path: Path) -> None:
    assert Names.read(bundle_with(tmp_path, NAMES.content()), 3) == NAMES


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (NAMES.content()[:-5], "cannot be read"),
        (b'[{"name": "dog"}]', "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (json.dumps([{"name": "dog", "words": ["dog"]}]).encode(), "lists 1 things"),
        (NAMES.content().replace(b'"eel"', b'"e\\nl"'), "unprintable"),
    ],
)
def test_names_that_cannot_be_used_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        Names.read(bundle_with(tmp_path, content), 3)
