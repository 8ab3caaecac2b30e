"""Which words count as seen, with models that are one line of arithmetic each."""

import numpy as np
import pytest

from showtell.deletion import Drops
from showtell.proof import Proof, prove
from showtell.runtime import State
from tests.step_models import CELLS, CellReader, sees_its_cell


def proof(likely) -> Proof:
    """Return the proof of a caption of four words, which attend to the cells 0 to 3."""
    cells = np.arange(CELLS, dtype=float)[None, :, None]
    state = State(cells, cells, np.zeros((1, 1, 2)), np.zeros((1, 1, 2)))
    return prove(CellReader(likely), state, [4, 5, 6, 7])


def test_a_word_that_needs_what_it_attended_to_was_seen() -> None:
    found = proof(sees_its_cell)
    np.testing.assert_allclose(found.attended, 0.7)
    assert found.random.mean() < 0.6  # three in four draws mask the cell as well
    assert found.seen.any()
    assert found.attended.dtype == found.random.dtype == np.float32


def test_a_word_that_does_not_mind_was_said() -> None:
    found = proof(lambda cells, _: np.full(len(cells), 0.5))
    assert not found.seen.any()
    np.testing.assert_allclose([found.attended, found.random], 0)


def test_a_word_that_any_three_quarters_of_the_cells_cost_as_much_was_said() -> None:
    """It depends on the photograph, but not on the attended cells."""
    found = proof(lambda cells, _: np.full(len(cells), 0.05 * cells.shape[1]))
    np.testing.assert_allclose(found.attended, 0.05 * 12, rtol=1e-6)
    assert not found.seen.any()


def test_a_quarter_of_its_probability_beyond_chance_makes_a_word_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    p, attended = np.array([0.8, 0.8, 0.8, 0.04]), np.array([0.3, 0.3, 0.15, 0.02])
    found = Drops(p, attended, random=np.array([0.05, 0.15, -0.01, 0.0]))
    monkeypatch.setattr("showtell.proof.drops", lambda *_: found)
    assert proof(sees_its_cell).seen.tolist() == [True, False, False, True]


def test_the_proof_of_a_caption_is_always_the_same() -> None:
    np.testing.assert_array_equal(proof(sees_its_cell).random, proof(sees_its_cell).random)
