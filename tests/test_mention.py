"""What a caption must mention: requested words and names, and certain things."""

from pathlib import Path

import numpy as np
import pytest

from showtell import mention
from showtell.bundle import Bundle
from showtell.errors import OptionError
from showtell.things import Names
from showtell.vocab import SPECIAL, Vocabulary

WORDS = Vocabulary((*SPECIAL, "a", "dog", "dogs", "light", "bus"))
BUNDLE = Bundle(Path(), {}, WORDS)
NAMES = Names(
    ("dog", "traffic light", "sea lion"), (("dog", "dogs", "puppy"), ("light",), ("walrus",))
)


def ids(*words: str) -> frozenset[int]:
    return frozenset(map(WORDS.id, words))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("bus", ["bus"]),
        ("Bus", ["bus"]),
        ("dog", ["dog"]),  # only the word itself, not its synonyms
        ("traffic light", ["light"]),
        ("Traffic  light", ["light"]),
    ],
)
def test_words_and_names_of_things(word: str, expected: list[str]) -> None:
    assert mention.asked((word,), BUNDLE, NAMES) == [ids(*expected)]


@pytest.mark.parametrize("word", ["zebra", "<unk>", "a bus", "sea lion", "!"])
def test_an_unknown_word_is_named(word: str) -> None:
    """So is the name of a thing for which the vocabulary has no word."""
    with pytest.raises(OptionError, match="is not in the model's vocabulary") as caught:
        mention.asked(("bus", word), BUNDLE, NAMES)
    assert repr(word) in str(caught.value)


def test_without_a_classifier_words_are_known() -> None:
    assert mention.asked(("bus", "a"), BUNDLE, None) == [ids("bus"), ids("a")]
    with pytest.raises(OptionError, match="'traffic light'"):
        mention.asked(("traffic light",), BUNDLE, None)


@pytest.mark.parametrize(
    ("probabilities", "words", "expected"),
    [
        ([0.5, 0.4, 0.0], ("a", "bus"), [ids("dog", "dogs")]),
        ([0.5, 0.4, 0.0], ("a", "puppy"), []),  # a synonym mentions it
        ([0.29, 0.1, 0.0], ("a", "bus"), []),  # it is not certain
        ([0.0, 0.1, 0.9], ("a", "bus"), []),  # the vocabulary has no word for it
    ],
)
def test_a_certain_thing_that_a_caption_misses(
    probabilities: list[float], words: tuple[str, ...], expected: list[frozenset[int]]
) -> None:
    assert mention.missing(np.array(probabilities), words, WORDS, NAMES) == expected
