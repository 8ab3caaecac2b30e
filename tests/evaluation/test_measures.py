import numpy as np
import pytest

from showtell.evaluation.measures import attention_difference, gates, repeats


def test_attention_difference() -> None:
    left, right, even = [[1, 0]], [[0, 1]], [[0.5, 0.5]]
    assert attention_difference(np.array([left, left, left], np.float32)) == 0
    assert attention_difference(np.array([left, right], np.float32)) == 1
    assert attention_difference(np.array([left, right, left], np.float32)) == pytest.approx(2 / 3)
    assert attention_difference(np.array([left, right, even], np.float32)) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("caption", "repeated"),
    [
        ("a dog runs on the grass with a ball in a park", False),
        ("a dog runs on a dog", True),
        ("a dog in in the grass", True),
        ("a man and a woman and a child", False),
        ("", False),
    ],
)
def test_repeated_words(caption: str, repeated: bool) -> None:
    assert repeats(caption.split()) is repeated


def test_the_gate_of_visual_and_function_words() -> None:
    said = [("dog", 0.9)] * 10 + [("the", 0.3)] * 30 + [("snow", 0.8)] * 9 + [("red", 0.7)] * 11
    found = gates(said)
    assert found is not None
    assert found.visual == pytest.approx((10 * 0.9 + 9 * 0.8 + 11 * 0.7) / 30)
    assert found.function == pytest.approx(0.3)
    assert [word.word for word in found.most] == ["dog", "red", "the"], "snow is too rare"
    assert [word.word for word in found.least] == ["the", "red", "dog"]
    assert found.least[0].times == 30


def test_without_function_words_there_is_nothing_to_compare() -> None:
    assert gates([("dog", 0.5)]) is None
    assert gates([]) is None
