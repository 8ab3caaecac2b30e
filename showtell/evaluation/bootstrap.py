"""The bootstrap: how far scores would vary with other photographs of the same kind."""

import numpy as np

RESAMPLES = 1000
LEVEL = 95  # percent of the resamples that lie inside the interval
_SEED = 0


def resamples(n: int) -> np.ndarray:
    """Draw `n` photographs out of `n`, with replacement, again and again.

    Returns
    -------
    (RESAMPLES, n) how often each photograph was drawn; the same for the same `n`.
    """
    return np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)


def interval(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentiles between which ``LEVEL`` percent of the resamples' scores lie.

    Parameters
    ----------
    scores : (RESAMPLES, ...).
    """
    tail = (100 - LEVEL) / 2
    low, high = np.percentile(scores, [tail, 100 - tail], axis=0)
    return low, high
