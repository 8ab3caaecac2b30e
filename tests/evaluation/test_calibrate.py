"""Calibration of confidences, and the limit for out-of-distribution photographs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from showtell.caption import Caption
from showtell.data import Photograph
from showtell.evaluation import calibrate
from showtell.evaluation.calibrate import Bin
from showtell.runtime import Encoded, State


def caption(words: tuple[str, ...], probabilities: list[float], **changes: Any) -> Caption:
    p = np.array(probabilities, np.float32)
    n = len(words)
    entries = {
        "text": " ".join(words),
        "words": words,
        "logprob": float(np.log(p).sum()),
        "confidence": float(p.mean()),
        "attention": np.full((n, 1, 1), 1.0, np.float32),
        "probabilities": p,
        "gates": np.full(n, 0.5, np.float32),
        "confidences": p,
        "model": "fake",
    }
    return Caption(**entries | changes)


def photograph(*captions: str) -> Photograph:
    return Photograph("a.jpg", Path("a.jpg"), captions)


def test_a_word_is_right_when_anyone_used_it() -> None:
    seen = photograph("A Dog runs.", "the brown dog")
    said = caption(("a", "brown", "cat", "runs"), [0.5] * 4)
    assert calibrate.right(said, seen).tolist() == [True, True, False, True]


def test_reliability_by_hand() -> None:
    said, true = np.array([0.05, 0.15, 0.19, 1.0]), np.array([0, 1, 0, 1])
    found = calibrate.reliability(said, true)
    assert [b.count for b in found] == [1, 2, 1]
    assert found[1] == Bin(2, pytest.approx(0.17), 0.5)
    # 1/4 of 0.05, 2/4 of 0.33, and 1/4 of 0
    assert calibrate.calibration_error(said, true) == pytest.approx(0.1775)


def test_captions_are_measured_by_their_visual_words() -> None:
    captions = [caption(("a", "dog"), [0.9, 0.4]), caption(("a", "cat"), [0.9, 0.8], unsure=True)]
    seen = [photograph("dog"), photograph("a dog")]
    found = calibrate.calibration(captions, seen)
    assert found.right == pytest.approx(0.5)
    assert found.confidence == pytest.approx(0.75)
    assert found.words_error == pytest.approx((0.6 + 0.8) / 2)
    assert found.error == pytest.approx((0.35 + 0.85) / 2)
    assert found.unsure == 0.5


def test_regression_finds_the_weights_that_things_were_drawn_by() -> None:
    rng = np.random.default_rng(0)
    signs = np.stack([rng.normal(0, 1, 20_000), np.ones(20_000)], axis=1)
    true = np.array([2.0, -1.0])
    right = rng.random(20_000) < 1 / (1 + np.exp(-signs @ true))
    np.testing.assert_allclose(calibrate.logistic(signs, right), true, atol=0.1)


def test_regression_stays_finite_where_everything_is_right() -> None:
    weights = calibrate.logistic(np.ones((50, 5)), np.ones(50, bool))
    assert np.isfinite(weights).all()
    assert weights.sum() > 3


class Overconfident:
    """Captions all photographs "a dog"; with confidence p, the share with a dog is p squared."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(1)
        self.means = rng.normal(0, 1, (n, 1, 16)) * np.r_[9, 9, np.ones(14)]
        self.said = rng.uniform(0.1, 0.9, n)
        dogs = rng.random(n) < self.said**2
        self.photographs = tuple(
            Photograph(str(i), Path(str(i)), ("a dog" if dogs[i] else "a cat",)) for i in range(n)
        )

    def encode(self, paths: list[Path]) -> Encoded:
        rows = [int(str(path)) for path in paths]
        state = State(self.means[rows], np.array(rows), np.zeros(0), np.zeros(0))
        return Encoded(state, None, None)

    def decode(self, encoded: Encoded) -> list[Caption]:
        return [caption(("a", "dog"), [0.9, self.said[row]]) for row in encoded.state.projected]

    def evidence(self, encoded: Encoded, photo: int, words: tuple[str, ...]) -> np.ndarray:
        """Return zeros: there is neither a classifier nor a detector."""
        return np.zeros((len(words), 4))


class Detecting(Overconfident):
    """It has a detector, which knows more than the probabilities."""

    def evidence(self, encoded: Encoded, photo: int, words: tuple[str, ...]) -> np.ndarray:
        """Speak for a word that is right, and against one that is wrong; at times the reverse."""
        row = int(encoded.state.projected[photo])
        found = super().evidence(encoded, photo, words)
        right = self.photographs[row].captions == ("a dog",)
        found[words.index("dog"), 3] = 2.0 if right != (row % 10 == 0) else -2.0
        return found


def fitted(n: int, kind: type[Overconfident] = Overconfident) -> tuple[Overconfident, Any]:
    model = kind(n)
    half = n // 2
    splits = {"train": model.photographs[:half], "dev": model.photographs[half:]}
    return model, calibrate.fit(model, [SimpleNamespace(splits=splits)])  # type: ignore[arg-type, list-item]


def test_what_was_overconfident_becomes_true() -> None:
    model, found = fitted(4000)
    captions = model.decode(model.encode([p.path for p in model.photographs]))
    said = np.array(
        [found.confidences(c.words, c.probabilities, c.gates, c.logprob)[1] for c in captions]
    )
    np.testing.assert_allclose(said, model.said**2, atol=0.06)
    true = np.array(
        [calibrate.right(c, p)[1] for c, p in zip(captions, model.photographs, strict=True)]
    )
    assert calibrate.calibration_error(said, true) < 0.03
    assert calibrate.calibration_error(model.said, true) > 0.1


def test_the_detector_is_believed_as_far_as_it_is_right() -> None:
    """Nine times of ten: log odds of 2.2 for evidence of 2, beside what the probability says."""
    assert fitted(4000)[1].visual[8] == 0
    _, found = fitted(4000, Detecting)
    assert found.visual[8] == pytest.approx(np.log(9) / 2, abs=0.15)


def test_the_limit_has_the_false_alarms_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibrate, "DIRECTIONS", 2)
    model, found = fitted(2000)
    assert found.components.shape[0] == 1 + calibrate.DIRECTIONS
    above = found.ood_score(model.means) > found.ood_limit
    assert above[1000:].mean() == calibrate.FALSE_ALARMS
    # a large distance is in distribution along a component, but not along another direction
    far = np.zeros((2, 1, 16))
    far[0, 0, 0] = far[1, 0, 9] = 20
    assert (found.ood_score(far) > found.ood_limit).tolist() == [False, True]


def test_few_photographs_say_nothing() -> None:
    assert fitted(2 * calibrate.LEAST_DEV)[1] is None
