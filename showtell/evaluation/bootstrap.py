"""The bootstrap: confidence intervals of scores, by resampling the photographs."""

import numpy as np

RESAMPLES = 1000
LEVEL = 95  # percent of the resamples inside the interval
_SEED = 0


def resamples(n: int) -> np.ndarray:
    """Draw bootstrap resamples of `n` photographs.

    Returns
    -------
    (RESAMPLES, n) how often each photograph was drawn. The random seed is fixed.
    """
    return np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)


def interval(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the interval with ``LEVEL`` percent of the resamples' scores.

    Parameters
    ----------
    scores : (RESAMPLES, ...).
    """
    tail = (100 - LEVEL) / 2
    low, high = np.percentile(scores, [tail, 100 - tail], axis=0)
    return low, high
