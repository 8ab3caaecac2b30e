"""Words and their ids."""

import pytest

from showtell.vocab import END, SPECIAL, START, UNK, Vocabulary, detokenize, tokenize


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A child in a pink dress .", ["a", "child", "in", "a", "pink", "dress"]),
        ("the dog's ball", ["the", "dog", "'s", "ball"]),
        ("the dog 's ball", ["the", "dog", "'s", "ball"]),
        ("the dog\u2019s ball", ["the", "dog", "'s", "ball"]),
        ("It isn't a T-shirt, is it?", ["it", "is", "n't", "a", "t-shirt", "is", "it"]),
        ('"Hello" -- 5-year-old (left)', ["hello", "5-year-old", "left"]),
        ("Café naïve 狗", ["café", "naïve", "狗"]),
        (" \t\n.,;!", []),
    ],
)
def test_tokenize(caption: str, words: list[str]) -> None:
    assert tokenize(caption) == words


@pytest.mark.parametrize("caption", ["the dog's ball", "it isn't a t-shirt", "two dogs", ""])
def test_detokenize_restores_the_caption(caption: str) -> None:
    assert detokenize(tokenize(caption)) == caption


def test_build_keeps_frequent_words_in_a_stable_order() -> None:
    captions = [tokenize(c) for c in ("a dog", "a cat", "a dog and a cat", "a bird")]
    assert Vocabulary.build(captions, min_count=2).words == (*SPECIAL, "a", "cat", "dog")


def test_new_words_stand_behind_those_that_were_there() -> None:
    vocabulary = Vocabulary((*SPECIAL, "dog", "a"))
    captions = [tokenize(c) for c in ("Rex and a dog", "Bella and Rex", "Bella, Rex")]
    assert vocabulary.grow(captions, min_count=2).words == (
        *vocabulary.words,
        "rex",
        "and",
        "bella",
    )
    assert vocabulary.grow(captions, min_count=4) == vocabulary


def test_encode_and_decode() -> None:
    vocabulary = Vocabulary((*SPECIAL, "a", "dog"))
    ids = vocabulary.encode(["a", "zebra", "dog"])
    assert ids == [START, 4, UNK, 5, END]
    assert vocabulary.decode(ids) == ("a", "<unk>", "dog")
    assert vocabulary.decode([4, END, 5]) == ("a",)
    assert len(vocabulary) == 6
    assert "dog" in vocabulary
    assert "zebra" not in vocabulary


@pytest.mark.parametrize("words", [("a", "dog"), (*SPECIAL, "a", "a"), ()])
def test_a_vocabulary_that_would_mislead_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="a vocabulary"):
        Vocabulary(words)
