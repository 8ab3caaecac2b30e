"""Rules that report clear grammatical errors, and accept the rest."""

import pytest

from showtell.evaluation.grammar import disagrees, doubles, faulty


@pytest.mark.parametrize(
    "caption",
    [
        "a man and a dog is running",
        "two dogs is playing in the snow",
        "a young man and two women is on a beach",
        "the people is at a table",
        "a dog are running",
        "a black dog have a ball",
    ],
)
def test_a_subject_and_a_verb_that_disagree(caption: str) -> None:
    assert disagrees(caption.split())
    assert faulty(caption.split())


@pytest.mark.parametrize(
    "caption",
    [
        "a man and a dog are running",
        "a black and white dog is running",
        "a dog with a ball and a stick is running",
        "a man riding a horse and a dog are outside",
        "a group of people is at a table",
        "a group of people are at a table",
        "there are two dogs on the grass",
        "two dogs play",
        "the dog is asleep",
        "",
    ],
)
def test_what_is_right_or_cannot_be_judged(caption: str) -> None:
    assert not faulty(caption.split())


def test_a_word_said_twice() -> None:
    assert doubles(["a", "black", "and", "black", "dog"])
    assert doubles(["a", "man", "in", "a", "red", "red", "shirt"])
    assert not doubles(["a", "man", "and", "a", "woman", "and", "a", "child"])
