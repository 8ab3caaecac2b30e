"""Decoding, with step models that are small enough to compute all results by hand."""

from typing import Any

import numpy as np
import pytest

from showtell.decoding import Mention, beam_search
from showtell.vocab import END, START
from tests.step_models import (
    A,
    B,
    C,
    L,
    Table,
    V,
    distribution,
    exhaustive,
    random_probabilities,
    satisfies,
)


@pytest.mark.parametrize("power", [0.0, 0.7, 1.0])
def test_a_wide_beam_agrees_with_exhaustive_search(power: float) -> None:
    model = Table(random_probabilities)
    found = beam_search(model, model.start(4), 4, beam=400, max_length=4, length_power=power)
    for photo, hypotheses in enumerate(found):
        words, score = exhaustive(photo, 4, power)
        assert hypotheses[0].words == words
        assert hypotheses[0].score(power) == pytest.approx(score)


def test_scores_do_not_rise_with_rank_and_no_caption_comes_twice() -> None:
    model = Table(random_probabilities)
    for hypotheses in beam_search(model, model.start(8), 8, beam=6, max_length=8):
        scores = [h.score() for h in hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({h.words for h in hypotheses}) == len(hypotheses) <= 6


def test_one_photograph_at_a_time_gives_the_same_as_many() -> None:
    model = Table(random_probabilities)
    together = beam_search(model, model.start(6), 6, beam=3, max_length=8)
    for photo in range(6):
        alone = beam_search(model, model.start(6)[photo : photo + 1], 1, beam=3, max_length=8)[0]
        assert [h.words for h in alone] == [h.words for h in together[photo]]
        np.testing.assert_array_equal(alone[0].alphas, together[photo][0].alphas)


def test_a_photograph_that_is_done_leaves_the_batch() -> None:
    def probabilities(photo: int, said: tuple[int, ...]) -> np.ndarray:
        return distribution(end=1.0) if len(said) == photo else distribution(a=1.0)

    model = Table(probabilities)
    found = [hs[0] for hs in beam_search(model, model.start(3), 3, beam=1)]
    assert [h.words for h in found] == [(), (A,), (A, A)]
    assert model.batches == [3, 2, 1]


def test_a_caption_that_is_as_long_as_it_may_be_must_end() -> None:
    """Captions that reached the limit were cut off: "a man in a"."""
    model = Table(lambda photo, said: distribution(a=0.6, b=0.3, end=0.1))
    found = beam_search(model, model.start(1), 1, beam=2, max_length=4)[0]
    assert [h.words for h in found] == [(A, A, A, A), (A, A, A, B)]
    assert all(len(h.logprobs) == len(h.words) + 1 for h in found)
    assert found[0].logprob == pytest.approx(4 * np.log(0.6) + np.log(0.1))


def test_one_that_must_end_competes_with_those_that_ended() -> None:
    """A caption can end after b, but not after a, so the limit selects b."""

    def probabilities(photo: int, said: tuple[int, ...]) -> np.ndarray:
        if not said:
            return distribution(a=0.6, b=0.4)
        return distribution(a=0.99, end=0.01) if said[0] == A else distribution(end=0.9, b=0.1)

    model = Table(probabilities)
    found = beam_search(model, model.start(1), 1, beam=2, max_length=1)[0]
    assert [h.words for h in found] == [(B,), (A,)]


def test_a_model_that_ends_at_once_gives_an_empty_caption() -> None:
    model = Table(lambda photo, said: distribution(end=1.0))
    found = beam_search(model, model.start(2), 2, beam=5)
    for hypotheses in found:
        assert [h.words for h in hypotheses] == [()]
        assert len(hypotheses[0].logprobs) == 1
        assert hypotheses[0].alphas.shape == (1, L)
        assert hypotheses[0].logprob == 0.0


def test_of_two_equal_hypotheses_the_first_word_wins_every_time() -> None:
    def probabilities(photo: int, said: tuple[int, ...]) -> np.ndarray:
        return distribution(b=0.5, c=0.5) if not said else distribution(end=1.0)

    model = Table(probabilities)
    for _ in range(3):
        found = beam_search(model, model.start(2), 2, beam=2)
        assert [[h.words for h in hs] for hs in found] == [[(B,), (C,)]] * 2


def test_beam_search_finds_what_greedy_decoding_misses() -> None:
    def probabilities(photo: int, said: tuple[int, ...]) -> np.ndarray:
        if not said:
            return distribution(a=0.6, b=0.4)
        return distribution(end=0.3, c=0.7) if said == (A,) else distribution(end=1.0)

    model = Table(probabilities)
    assert beam_search(model, model.start(1), 1, beam=1)[0][0].words == (A, C)
    assert beam_search(model, model.start(1), 1, beam=2, length_power=0)[0][0].words == (A, C)
    wide = beam_search(model, model.start(1), 1, beam=3, length_power=0)[0]
    assert [h.words for h in wide] == [(A, C), (B,), (A,)]


def test_special_words_are_never_said() -> None:
    p = np.full(V, 0.01)
    p[[START, A, END]] = 0.5, 0.3, 0.1
    model = Table(lambda photo, said: p)
    found = beam_search(model, model.start(1), 1, beam=4, max_length=6)
    assert {w for hypotheses in found for h in hypotheses for w in h.words} <= {A, B, C}


def test_alphas_follow_their_hypothesis() -> None:
    """Attention is reordered with the beams: the model attends to cell t mod 3 at step t."""
    model = Table(random_probabilities)
    for hypothesis in beam_search(model, model.start(1), 1, beam=4, max_length=7)[0]:
        cells = hypothesis.alphas.argmax(axis=1)
        assert cells.tolist() == [(t + 2) % L for t in range(len(hypothesis.logprobs))]
        assert hypothesis.logprobs == pytest.approx(
            [
                np.log(random_probabilities(0, hypothesis.words[:t])[w])
                for t, w in enumerate((*hypothesis.words, END)[: len(hypothesis.logprobs)])
            ]
        )


# Captions that must mention something

MENTIONS: list[Mention] = [
    [{A}],
    [{A, B}],
    [{A}, {C}],
    [{A, B}, {B, C}],  # B satisfies both
    [{A}, {A}],
    [{A}, {B}, {C}],
    [],
]


@pytest.mark.parametrize("power", [0.0, 0.7])
def test_a_wide_constrained_beam_agrees_with_exhaustive_search(power: float) -> None:
    """One batch has photographs with all kinds of sets, and one without sets."""
    model = Table(random_probabilities)
    n = len(MENTIONS)
    options: Any = {"beam": 200, "max_length": 4, "length_power": power, "mention": MENTIONS}
    found = beam_search(model, model.start(n), n, **options)
    for photo, (hypotheses, mention) in enumerate(zip(found, MENTIONS, strict=True)):
        words, score = exhaustive(photo, 4, power, mention)
        assert hypotheses[0].words == words
        assert hypotheses[0].score(power) == pytest.approx(score)


@pytest.mark.parametrize("beam", [1, 2, 5])
@pytest.mark.parametrize("max_length", [3, 8])
def test_every_caption_satisfies_its_sets(beam: int, max_length: int) -> None:
    model = Table(random_probabilities)
    n = len(MENTIONS)
    found = beam_search(
        model, model.start(n), n, beam=beam, max_length=max_length, mention=MENTIONS
    )
    for hypotheses, mention in zip(found, MENTIONS, strict=True):
        assert 1 <= len(hypotheses) <= beam
        assert all(len(h.words) == len(h.logprobs) - 1 <= max_length for h in hypotheses)
        assert all(satisfies(h.words, mention) for h in hypotheses)


def test_photographs_with_sets_do_not_change_those_beside_them() -> None:
    model = Table(random_probabilities)
    n = len(MENTIONS)
    together = beam_search(model, model.start(n), n, beam=2, max_length=6, mention=MENTIONS)
    plain = beam_search(model, model.start(n), n, beam=2, max_length=6)
    for photo, mention in enumerate(MENTIONS):
        start = model.start(n)[photo : photo + 1]
        alone = beam_search(model, start, 1, beam=2, max_length=6, mention=[mention])[0]
        for other in [alone] if mention else [alone, plain[photo]]:
            assert [h.words for h in other] == [h.words for h in together[photo]]
            for one, beside in zip(other, together[photo], strict=True):
                np.testing.assert_array_equal(one.logprobs, beside.logprobs)
                np.testing.assert_array_equal(one.alphas, beside.alphas)


def test_an_early_word_does_not_keep_a_likelier_late_one_out() -> None:
    """The search stopped at the first caption with the word, "c", but "a b c" is more probable."""

    def probabilities(photo: int, said: tuple[int, ...]) -> np.ndarray:
        if C in said:
            return distribution(end=1.0)
        nexts = {(): {"a": 0.99, "c": 0.01}, (A,): {"b": 0.99, "c": 0.01}}
        return distribution(**nexts.get(said, {"c": 1.0}))

    model = Table(probabilities)
    found = beam_search(model, model.start(1), 1, beam=1, mention=[[{C}]])[0]
    assert found[0].words == (A, B, C)


@pytest.mark.parametrize(
    ("mention", "message"),
    [
        ([[{A}]], "for 1 photographs, not for 2"),
        ([[], [set()]], "photograph 1: .* a word or more"),
        ([[], [{A, END}]], "photograph 1: .* special"),
        ([[{A}, {B}, {C}], []], "^'mention': .* at least 3 words, but 'max_length' is 2"),
        ([[{A}] * 5, []], "photograph 0: 5 sets .* at most 4"),
    ],
)
def test_what_cannot_be_mentioned_is_refused(mention: list[Mention], message: str) -> None:
    model = Table(random_probabilities)
    with pytest.raises(ValueError, match=message):
        beam_search(model, model.start(2), 2, max_length=2, mention=mention)
    assert not model.batches
