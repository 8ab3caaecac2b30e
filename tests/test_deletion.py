"""The deletion test, with models that are one line of arithmetic each."""

import numpy as np
import pytest

from showtell.deletion import SHARE, Drops, deletion, drops
from showtell.runtime import State
from tests.step_models import CELLS, CellReader, sees_its_cell


def measure(likely, words: list[int], draws: int = 1, share: float = SHARE) -> Drops:
    cells = np.arange(CELLS, dtype=float)[None, :, None]
    state = State(cells, cells, np.zeros((1, 1, 2)), np.zeros((1, 1, 2)))
    return drops(CellReader(likely), state, words, np.random.default_rng(0), draws, share)


def test_words_that_need_their_cell() -> None:
    """A quarter of the cells is masked, so one of four random draws includes the needed cell."""
    found = measure(sees_its_cell, [4, 5, 6, 7] * 3, draws=200)
    np.testing.assert_allclose(found.probability, 0.8)
    np.testing.assert_allclose(found.attended, 0.7)
    assert found.random.mean() == pytest.approx(0.7 / 4, abs=0.02)
    assert deletion([found]).ratio == pytest.approx(4, abs=0.5)


def test_as_many_cells_are_left_out_as_one_says() -> None:
    def by_how_many(cells: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.full(len(cells), cells.shape[1] / 20)

    assert measure(by_how_many, [4, 5], share=0.5).attended == pytest.approx(8 / 20)
    assert measure(by_how_many, [4, 5], share=0.75).random == pytest.approx(12 / 20)


def test_words_that_need_any_cells() -> None:
    """All cells count the same, so attended cells matter as much as others."""
    found = measure(lambda cells, _: np.full(len(cells), cells.shape[1] / 20), [4, 5, 6])
    np.testing.assert_allclose(found.attended, 4 / 20)
    assert deletion([found]).ratio == pytest.approx(1)


def test_words_that_need_no_cell() -> None:
    total = deletion([measure(lambda cells, _: np.full(len(cells), 0.5), [4, 5])])
    assert (total.attended, total.random, total.ratio, total.words) == (0, 0, None, 2)


def test_words_before_are_said_with_the_whole_photograph() -> None:
    """The state before the third word does not depend on the cells masked for it."""
    found = measure(lambda cells, place: 0.1 + 0.1 * place, [4, 5, 6])
    np.testing.assert_allclose(found.probability, [0.1, 0.2, 0.3])
    np.testing.assert_allclose(found.attended, 0, atol=1e-9)


def test_words_count_alike_in_captions_of_any_length() -> None:
    one = Drops(np.ones(1), np.array([0.4]), np.array([0.1]))
    three = Drops(np.ones(3), np.array([0.0, 0.0, 0.4]), np.array([0.1, 0.1, 0.1]))
    total = deletion([one, three])
    assert (total.attended, total.random, total.words) == (
        pytest.approx(0.2), pytest.approx(0.1), 4
    )  # fmt: skip
