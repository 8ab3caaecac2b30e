"""Word confidences, and detection of out-of-distribution photographs.

:mod:`showtell.evaluation.calibrate` fits the confidence model when a model is exported. A bundle
stores it in the ``doubt`` entry of its manifest and in ``familiar.npy``; both are optional.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from showtell.bundle import COMPONENTS, MAX_GRAPH, Bundle, read_file
from showtell.errors import BundleError
from showtell.function_words import FUNCTION_WORDS

OUT_OF_DISTRIBUTION = (
    "this photograph is unlike the training data, so the caption is probably wrong"
)
LOW_CONFIDENCE = "the model is unsure of what it sees, so the caption is probably wrong"
_MOST = 1e6  # largest absolute weight, to avoid overflow
_LEAST = 1e-6  # least p and 1 - p, so that their logarithms are finite


@dataclass(frozen=True, eq=False)
class ConfidenceModel:
    """A model that estimates word confidences and detects out-of-distribution photographs.

    Attributes
    ----------
    visual, function : (9,) logistic regression weights of :func:`features`, for visual words and
        for function words. Older bundles have (5,) or (8,), for the first features only.
    components : (1 + k, D) float16. The mean over the training photographs of their mean
        annotations, then the first k principal components, each of length 1.
    ood_limit : a photograph with a higher :meth:`ood_score` is out of distribution.
    least_confidence : the model is unsure of a caption with a lower confidence.
    """

    visual: np.ndarray
    function: np.ndarray
    components: np.ndarray
    ood_limit: float
    least_confidence: float = 0.0

    @classmethod
    def read(cls, bundle: Bundle, size: int) -> "ConfidenceModel | None":
        """Read the confidence model of a bundle; None if it has none.

        Parameters
        ----------
        bundle : a verified bundle.
        size : D, the size of its annotations.

        Raises
        ------
        BundleError : the confidence model cannot be read or does not match the annotations.
        """
        entry = bundle.manifest.get("doubt")
        if entry is None:
            return None
        path = bundle.path / COMPONENTS
        read_file(path, MAX_GRAPH)  # rejects anything but a regular file
        try:
            # Memory-mapped, so that a header with a false size allocates no memory.
            components = np.array(np.lib.format.open_memmap(path, mode="r"))
            visual, function = (np.array(entry[name], float) for name in ("visual", "function"))
            limit, least = float(entry["limit"]), float(entry.get("least", 0.0))
            model = cls(visual, function, components, limit, least)
        except Exception as error:  # NumPy's header parser raises many kinds
            raise BundleError(
                f"{bundle.path}: its confidence model cannot be read: {error}"
            ) from error
        if not model._fits(size):
            raise BundleError(
                f"{bundle.path}: its confidence model does not match its graphs; export it again"
            )
        return model

    def _fits(self, size: int) -> bool:
        """Return whether the arrays have valid shapes and values for annotations of `size`."""
        rows, weights = self.components, (self.visual, self.function)
        if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] != size or rows.dtype != np.float16:
            return False
        if not np.isfinite([self.ood_limit, self.least_confidence]).all():
            return False
        return any(
            all(w.shape == (n,) and np.abs(w).max() < _MOST for w in weights) for n in (5, 8, 9)
        )

    def confidences(
        self,
        words: Sequence[str],
        probabilities: np.ndarray,
        gates: np.ndarray,
        logprob: float,
        seen: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the confidence of each word, (T,): the probability that people would use it.

        Parameters
        ----------
        words : the T words of a caption.
        probabilities, gates, logprob, seen : as in :func:`features`.
        """
        weights = np.where(are_visual(words)[:, None], self.visual, self.function)
        inputs = features(probabilities, gates, logprob, seen)[:, : weights.shape[1]]
        return 1 / (1 + np.exp(-(inputs * weights).sum(axis=1)))

    def ood_score(self, annotations: np.ndarray) -> np.ndarray:
        """Return the out-of-distribution score of photographs, (B,).

        It is the squared PCA reconstruction error of the mean annotation.

        Parameters
        ----------
        annotations : (B, L, D) annotations of the photographs.
        """
        mean, *directions = self.components.astype(np.float32)
        apart = annotations.mean(axis=1) - mean  # (B, D)
        within = apart @ np.array(directions).T  # (B, k)
        return (apart**2).sum(axis=1) - (within**2).sum(axis=1)

    def files(self) -> dict[str, bytes]:
        """Return the contents of the bundle's files, by file name."""
        file = BytesIO()
        np.save(file, self.components, allow_pickle=False)
        return {COMPONENTS: file.getvalue()}

    def entry(self) -> dict[str, Any]:
        """Return the ``doubt`` entry of the bundle's manifest."""
        return {
            "visual": self.visual.tolist(),
            "function": self.function.tolist(),
            "limit": self.ood_limit,
            "least": self.least_confidence,
        }


def features(
    probabilities: np.ndarray, gates: np.ndarray, logprob: float, seen: np.ndarray | None = None
) -> np.ndarray:
    """Return the features that determine the confidence of each word, (T, 9).

    The features of a word are log p and −log(1 − p) of its probability p, as in beta calibration
    (Kull et al., 2017); its gate β; the mean log p over the words of the caption and its end; a
    constant 1; three features from the classifier; and the evidence of the word detector.

    Parameters
    ----------
    probabilities, gates : (T,) probability and gate of each word of a caption.
    logprob : log-probability of the caption, including its end.
    seen : (T, 4) from :meth:`showtell.captioner.Captioner.evidence`; None is the same as zeros.
    """
    T = len(probabilities)
    p = probabilities.astype(float).clip(_LEAST, 1 - _LEAST)
    mean = np.full(T, logprob / (T + 1))
    said = np.stack([np.log(p), -np.log1p(-p), gates, mean, np.ones(T)], axis=1)  # (T, 5)
    return np.concatenate([said, np.zeros((T, 4)) if seen is None else seen], axis=1)


def are_visual(words: Sequence[str]) -> np.ndarray:
    """Return whether each word is visual, that is, not a function word, (T,) bool."""
    return np.array([word not in FUNCTION_WORDS for word in words], bool)


def visual_mean(words: Sequence[str], values: np.ndarray) -> float:
    """Return the mean of `values` (T,) over the visual words, or over all words if none is visual.

    The mean of the confidences is the expected share of correct words.
    """
    if not words:
        return 0.0
    visual = are_visual(words)
    return float(values[visual].mean() if visual.any() else values.mean())
