import numpy as np
import pytest

from showtell.evaluation.bootstrap import RESAMPLES, interval, resamples


def test_every_resample_has_as_many_photographs() -> None:
    drawn = resamples(50)
    assert drawn.shape == (RESAMPLES, 50)
    assert (drawn.sum(axis=1) == 50).all()
    assert drawn.max() > 1, "drawn with replacement"
    assert (resamples(50) == drawn).all()


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=400)
    low, high = interval(resamples(400) @ values / 400)
    error = values.std() / np.sqrt(400)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
