"""Property-based tests: words, searches, bundles and scores."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell import bundle
from showtell.bundle import Bundle
from showtell.decoding import Hypothesis, beam_search
from showtell.vocab import END, SPECIAL, Vocabulary, detokenize, tokenize
from tests.step_models import Table, exhaustive, random_probabilities

settings.register_profile("few", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("few")

WORD = st.text("abcdefghijklmnopqrstuvwxyzäß0123456789", min_size=1, max_size=6)
WORDS = st.lists(WORD, max_size=12)
VOCABULARY = st.lists(WORD, max_size=20, unique=True).map(lambda w: Vocabulary((*SPECIAL, *w)))

# Words and their ids


@given(st.text(max_size=60))
def test_words_are_stable(caption: str) -> None:
    """Tokenising the words of a caption again gives the same words."""
    words = tokenize(caption)
    assert tokenize(" ".join(words)) == words
    assert tokenize(detokenize(words)) == words
    assert not any(set(word) & set(" \t\n.,;!?") for word in words)


@given(VOCABULARY, st.data())
def test_known_words_come_back_from_their_ids(vocabulary: Vocabulary, data: st.DataObject) -> None:
    known = vocabulary.words[len(SPECIAL) :]
    words = data.draw(st.lists(st.sampled_from(known), max_size=9) if known else st.just([]))
    assert vocabulary.decode(vocabulary.encode(words)) == tuple(words)


@given(VOCABULARY, WORDS)
def test_unknown_words_are_marked_and_keep_their_place(
    vocabulary: Vocabulary, words: list[str]
) -> None:
    decoded = vocabulary.decode(vocabulary.encode(words))
    assert decoded == tuple(word if word in vocabulary else "<unk>" for word in words)


@given(st.lists(WORDS, max_size=8), st.integers(1, 3))
def test_a_vocabulary_does_not_depend_on_the_order(captions: list[list[str]], least: int) -> None:
    built = Vocabulary.build(captions, least)
    assert built == Vocabulary.build(captions[::-1], least)
    said = [word for caption in captions for word in caption]
    assert set(built.words) - set(SPECIAL) == {w for w in said if said.count(w) >= least}


# Searching

SEARCH = {"beam": st.integers(1, 8), "max_length": st.integers(1, 5)}


@given(first=st.integers(0, 10**6), power=st.sampled_from([0.0, 0.7, 1.0]), **SEARCH)
def test_scores_do_not_rise_with_rank(first: int, beam: int, max_length: int, power: float) -> None:
    found = search([first], beam, max_length, power)[0]
    scores = [h.score(power) for h in found]
    assert scores == sorted(scores, reverse=True)
    assert len({h.words for h in found}) == len(found) <= beam
    assert all(len(h.words) == len(h.logprobs) - 1 <= max_length for h in found)


@given(
    first=st.integers(0, 10**6), power=st.sampled_from([0.0, 0.7, 1.0]), length=st.integers(1, 3)
)
def test_a_beam_that_holds_everything_finds_the_best(first: int, power: float, length: int) -> None:
    """A wider beam is not always better: it may drop what a narrow one keeps."""
    everything = search([first], 3**length * 2, length, power)[0][0]
    words, score = exhaustive(first, length, power)
    assert (everything.words, everything.score(power)) == (words, pytest.approx(score))
    for beam in (1, 2, 4):
        assert search([first], beam, length, power)[0][0].score(power) <= score + 1e-9


@given(photos=st.lists(st.integers(0, 10**6), min_size=1, max_size=4), **SEARCH)
def test_a_photograph_does_not_depend_on_those_beside_it(
    photos: list[int], beam: int, max_length: int
) -> None:
    together = search(photos, beam, max_length)
    for photo, found in zip(photos, together, strict=True):
        (alone,) = search([photo], beam, max_length)
        assert [h.words for h in alone] == [h.words for h in found]
        for one, other in zip(alone, found, strict=True):
            np.testing.assert_array_equal(one.logprobs, other.logprobs)
            np.testing.assert_array_equal(one.alphas, other.alphas)


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_a_beam_of_one_is_greedy_decoding(photo: int, max_length: int) -> None:
    words: tuple[int, ...] = ()
    while len(words) < max_length:
        likeliest = int(random_probabilities(photo, words).argmax())
        if likeliest == END:
            break
        words += (likeliest,)
    assert search([photo], 1, max_length)[0][0].words == words


def search(
    photos: list[int], beam: int, max_length: int, power: float = 0.7
) -> list[list[Hypothesis]]:
    model = Table(random_probabilities)
    options = {"beam": beam, "max_length": max_length, "length_power": power}
    return beam_search(model, state_of(model, photos), len(photos), **options)


def state_of(model: Table, photos: list[int]) -> np.ndarray:
    state = model.start(len(photos))
    state[:, 0] = [(photo,) for photo in photos]
    return state


# Bundles


@given(VOCABULARY, st.binary(max_size=50), st.text("abc -", min_size=1), st.integers(1, 4096))
def test_a_bundle_comes_back_as_it_was_written(
    vocabulary: Vocabulary, graph: bytes, name: str, size: int
) -> None:
    manifest = {
        "name": name,
        "image_size": size,
        "grid": [1, size],
        "vocabulary_size": len(vocabulary),
    }
    files = {"encoder.onnx": graph, "decoder.onnx": graph[::-1]}
    files["vocab.json"] = json.dumps(vocabulary.words).encode()
    with tempfile.TemporaryDirectory() as folder:
        written = bundle.write(Path(folder, "model"), manifest, files)
        read = Bundle.load(Path(folder, "model"))
        assert read == written
        assert read.vocabulary == vocabulary
        assert (read.image_size, read.grid) == (size, (1, size))
        for file, content in files.items():
            assert (read.path / file).read_bytes() == content


# Scores

SAID = ["a", "dog", "runs", "on", "the", "green", "grass"]
CAPTION = st.lists(st.sampled_from(SAID), min_size=4, max_size=8)
REFERENCES = st.lists(st.lists(CAPTION, min_size=2, max_size=3), min_size=2, max_size=4)


@given(REFERENCES, st.data())
def test_scores_know_no_order_and_the_same_caption_is_the_best(
    references: list[list[list[str]]], data: st.DataObject
) -> None:
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed")
    from showtell.evaluation.scores import quick

    names = [f"{i}.jpg" for i in range(len(references))]
    all_references = dict(zip(names, references, strict=True))
    captions = {name: data.draw(CAPTION) for name in names}
    same = {name: found[0] for name, found in all_references.items()}
    bleu, cider = quick(captions, all_references)
    order = data.draw(st.permutations(names))
    turned = quick({n: captions[n] for n in order}, {n: all_references[n] for n in order})
    assert turned == pytest.approx((bleu, cider))
    assert quick(same, all_references)[0] == pytest.approx(1)
    assert 0 <= bleu <= 1 + 1e-9
    assert 0 <= cider <= 10 + 1e-9
