"""How likely each word is right, and whether a photograph is out of distribution.

:mod:`showtell.evaluation.calibrate` calibrates both when a model is exported. The bundle keeps them
in its manifest's ``doubt`` and in ``familiar.npy``; a bundle may have neither.
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
_MOST = 1e6  # of a weight, so that nothing overflows
_LEAST = 1e-6  # probability, so that its logarithm and that of the rest are finite


@dataclass(frozen=True, eq=False)
class ConfidenceModel:
    """The calibration of a model's confidences, and its measure of how unusual a photograph is.

    Attributes
    ----------
    visual, function : (9,) weights of :func:`features`, for the words that name what is seen and
        for function words; (5,) or (8,) in older bundles, for the first of them.
    components : (1 + k, D) float16; the mean of the training photographs' mean annotations, and
        their first k principal components, each of length 1.
    ood_limit : of :meth:`ood_score`, above which a photograph is out of distribution.
    least_confidence : of a caption, below which the model is unsure of it.
    """

    visual: np.ndarray
    function: np.ndarray
    components: np.ndarray
    ood_limit: float
    least_confidence: float = 0.0

    @classmethod
    def read(cls, bundle: Bundle, size: int) -> "ConfidenceModel | None":
        """Read the confidence model of a bundle; None where it has none.

        Parameters
        ----------
        bundle : that was verified.
        size : D, of its annotations.

        Raises
        ------
        BundleError : it is not what :meth:`entry` and :meth:`files` write.
        """
        entry = bundle.manifest.get("doubt")
        if entry is None:
            return None
        path = bundle.path / COMPONENTS
        read_file(path, MAX_GRAPH)  # which refuses what is no file
        try:
            # Mapped first: a header that claims more than the file has costs no memory.
            components = np.array(np.lib.format.open_memmap(path, mode="r"))
            visual, function = (np.array(entry[name], float) for name in ("visual", "function"))
            limit, least = float(entry["limit"]), float(entry.get("least", 0.0))
            model = cls(visual, function, components, limit, least)
        except Exception as error:  # NumPy's parser of headers raises those of Python's
            raise BundleError(
                f"{bundle.path}: its confidence model cannot be read: {error}"
            ) from error
        if not model._fits(size):
            raise BundleError(
                f"{bundle.path}: its confidence model does not match its graphs; export it again"
            )
        return model

    def _fits(self, size: int) -> bool:
        """Return whether shapes and values are those of a model with annotations of `size`."""
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
        """Return for each of `T` words, (T,), how likely a person would say it of the photograph.

        Parameters
        ----------
        words, probabilities, gates, logprob : of a caption.
        seen : (T, 4), from :meth:`showtell.captioner.Captioner.evidence`; None counts as 0.
        """
        weights = np.where(are_visual(words)[:, None], self.visual, self.function)
        inputs = features(probabilities, gates, logprob, seen)[:, : weights.shape[1]]
        return 1 / (1 + np.exp(-(inputs * weights).sum(axis=1)))

    def ood_score(self, annotations: np.ndarray) -> np.ndarray:
        """Return how unlike the training data photographs are: the PCA reconstruction error, (B,).

        It is the squared length of what the components leave of the mean annotation.

        Parameters
        ----------
        annotations : (B, L, D).
        """
        mean, *directions = self.components.astype(np.float32)
        apart = annotations.mean(axis=1) - mean  # (B, D)
        within = apart @ np.array(directions).T  # (B, k)
        return (apart**2).sum(axis=1) - (within**2).sum(axis=1)

    def files(self) -> dict[str, bytes]:
        """Return what a bundle keeps as a file, by its name."""
        file = BytesIO()
        np.save(file, self.components, allow_pickle=False)
        return {COMPONENTS: file.getvalue()}

    def entry(self) -> dict[str, Any]:
        """Return what a bundle keeps in its manifest, as ``doubt``."""
        return {
            "visual": self.visual.tolist(),
            "function": self.function.tolist(),
            "limit": self.ood_limit,
            "least": self.least_confidence,
        }


def features(
    probabilities: np.ndarray, gates: np.ndarray, logprob: float, seen: np.ndarray | None = None
) -> np.ndarray:
    """Return what the confidence of each of `T` words is computed from, (T, 9).

    log p and −log(1 − p) of its probability p, as in beta calibration (Kull et al., 2017); its gate
    β; the mean log p over the caption and its end; 1; three numbers of what the classifier sees;
    and the evidence of the word detector.

    Parameters
    ----------
    probabilities, gates : (T,), of the words of a caption.
    logprob : of the caption, its end included.
    seen : (T, 4), from :meth:`showtell.captioner.Captioner.evidence`; None counts as 0.
    """
    T = len(probabilities)
    p = probabilities.astype(float).clip(_LEAST, 1 - _LEAST)
    mean = np.full(T, logprob / (T + 1))
    said = np.stack([np.log(p), -np.log1p(-p), gates, mean, np.ones(T)], axis=1)  # (T, 5)
    return np.concatenate([said, np.zeros((T, 4)) if seen is None else seen], axis=1)


def are_visual(words: Sequence[str]) -> np.ndarray:
    """Tell of each word, (T,) bool, whether it names what is seen rather than joins others."""
    return np.array([word not in FUNCTION_WORDS for word in words], bool)


def visual_mean(words: Sequence[str], values: np.ndarray) -> float:
    """Return the mean of `values` (T,) over the visual words, over all words if none is.

    Of the words' confidences this is the share of them that is likely right.
    """
    if not words:
        return 0.0
    visual = are_visual(words)
    return float(values[visual].mean() if visual.any() else values.mean())
