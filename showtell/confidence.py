"""Doubt: how likely each word is right, and whether a photograph is like those trained on.

:mod:`showtell.evaluation.calibrate` fits both to a model when it is exported. The bundle keeps them
in its manifest's ``doubt`` and in ``familiar.npy``; a bundle may have neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from showtell.bundle import FAMILIAR, MAX_GRAPH, Bundle, read_file
from showtell.errors import BundleError
from showtell.function_words import FUNCTION_WORDS

STRANGE = "this photo is unlike the training data, so the caption is probably wrong"
UNSURE = "the model is unsure of what it sees, so the caption is probably wrong"
_MOST = 1e6  # of a weight, so that nothing overflows
_LEAST = 1e-6  # probability, so that its logarithm and that of the rest are finite


@dataclass(frozen=True, eq=False)
class Doubt:
    """What a model's words are worth, and what its training photographs have in common.

    Attributes
    ----------
    visual, function : (8,) weights of :func:`evidence`, for the words that name what is seen and
        for function words; (5,) in older bundles.
    familiar : (1 + k, D) float16; the mean of the training photographs' mean annotations, and the k
        directions in which they differ most, each of length 1.
    limit : of :meth:`strangeness`, above which a photograph is strange.
    least : confidence of a caption below which the model is unsure of it.
    """

    visual: np.ndarray
    function: np.ndarray
    familiar: np.ndarray
    limit: float
    least: float = 0.0

    def confidences(
        self,
        words: Sequence[str],
        probabilities: np.ndarray,
        gates: np.ndarray,
        logprob: float,
        seen: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return for each of `T` words, (T,), how likely a person would say it of the photograph.

        Parameters
        ----------
        words, probabilities, gates, logprob : of a caption.
        seen : (T, 3), from :meth:`showtell.things.Names.evidence`; None without a classifier.
        """
        weights = np.where(are_visual(words)[:, None], self.visual, self.function)
        known = evidence(probabilities, gates, logprob, seen)[:, : weights.shape[1]]
        return 1 / (1 + np.exp(-(known * weights).sum(axis=1)))

    def strangeness(self, annotations: np.ndarray) -> np.ndarray:
        """Return how much of the mean annotation of photographs the familiar does not explain.

        The squared length, (B,), of what is left of it outside of the familiar directions.

        Parameters
        ----------
        annotations : (B, L, D).
        """
        mean, *directions = self.familiar.astype(np.float32)
        apart = annotations.mean(axis=1) - mean  # (B, D)
        within = apart @ np.array(directions).T  # (B, k)
        return (apart**2).sum(axis=1) - (within**2).sum(axis=1)

    def files(self) -> dict[str, bytes]:
        """Return what a bundle keeps as a file, by its name."""
        file = BytesIO()
        np.save(file, self.familiar, allow_pickle=False)
        return {FAMILIAR: file.getvalue()}

    def entry(self) -> dict[str, Any]:
        """Return what a bundle keeps in its manifest, as ``doubt``."""
        return {
            "visual": self.visual.tolist(),
            "function": self.function.tolist(),
            "limit": self.limit,
            "least": self.least,
        }


def read(bundle: Bundle, size: int) -> Doubt | None:
    """Return the doubt of a bundle; None where it has none.

    Parameters
    ----------
    bundle : that was verified.
    size : D, of its annotations.

    Raises
    ------
    BundleError : it is not what :meth:`Doubt.entry` and :meth:`Doubt.files` write.
    """
    entry = bundle.manifest.get("doubt")
    if entry is None:
        return None
    read_file(bundle.path / FAMILIAR, MAX_GRAPH)  # which refuses what is no file
    try:
        # Mapped first: a header that claims more than the file has costs no memory.
        familiar = np.array(np.lib.format.open_memmap(bundle.path / FAMILIAR, mode="r"))
        visual, function = (np.array(entry[name], float) for name in ("visual", "function"))
        limit, least = float(entry["limit"]), float(entry.get("least", 0.0))
        found = Doubt(visual, function, familiar, limit, least)
    except Exception as error:  # NumPy's parser of headers raises those of Python's
        raise BundleError(f"{bundle.path}: its doubt cannot be read: {error}") from error
    fits = familiar.ndim == 2 and familiar.shape[1] == size and familiar.dtype == np.float16
    weights = visual, function
    weighs = any(all(w.shape == (n,) and np.abs(w).max() < _MOST for w in weights) for n in (5, 8))
    if not fits or len(familiar) < 2 or not weighs or not np.isfinite([limit, least]).all():
        raise BundleError(f"{bundle.path}: its doubt does not fit its graphs; export it again")
    return found


def evidence(
    probabilities: np.ndarray, gates: np.ndarray, logprob: float, seen: np.ndarray | None = None
) -> np.ndarray:
    """Return what the confidence of each of `T` words is computed from, (T, 8).

    log p and −log(1 − p) of its probability p, as in beta calibration (Kull et al., 2017); its gate
    β; the mean log p over the caption and its end; 1; and three numbers of what the classifier
    sees.

    Parameters
    ----------
    probabilities, gates : (T,), of the words of a caption.
    logprob : of the caption, its end included.
    seen : (T, 3), from :meth:`showtell.things.Names.evidence`; None counts as 0.
    """
    T = len(probabilities)
    p = probabilities.astype(float).clip(_LEAST, 1 - _LEAST)
    mean = np.full(T, logprob / (T + 1))
    said = np.stack([np.log(p), -np.log1p(-p), gates, mean, np.ones(T)], axis=1)  # (T, 5)
    return np.concatenate([said, np.zeros((T, 3)) if seen is None else seen], axis=1)


def are_visual(words: Sequence[str]) -> np.ndarray:
    """Tell of each word, (T,) bool, whether it names what is seen rather than joins others."""
    return np.array([word not in FUNCTION_WORDS for word in words], bool)


def of_caption(words: Sequence[str], values: np.ndarray) -> float:
    """Return the mean of `values` (T,) over the visual words, over all words if none is.

    Of the words' confidences this is the share of them that is likely right.
    """
    if not words:
        return 0.0
    visual = are_visual(words)
    return float(values[visual].mean() if visual.any() else values.mean())
