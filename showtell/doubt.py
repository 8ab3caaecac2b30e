"""Doubt: how likely each word is right, and whether a photograph is like those trained on.

:mod:`showtell.evaluation.calibrate` fits both to a model when it is exported. The bundle keeps them
in its manifest's ``doubt`` and in ``familiar.npy``; a bundle may have neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from showtell.bundle import FAMILIAR, Bundle
from showtell.errors import BundleError
from showtell.function_words import FUNCTION_WORDS

STRANGE = "unlike the photographs that the model was trained on, so the caption is likely wrong"
_LEAST = 1e-6  # probability, so that its logarithm and that of the rest are finite


@dataclass(frozen=True, eq=False)
class Doubt:
    """What a model's words are worth, and what its training photographs have in common.

    Attributes
    ----------
    visual, function : (5,) weights of :func:`signs`, for the words that name what is seen and for
        function words.
    familiar : (1 + k, D) float16; the mean of the training photographs' mean annotations, and the k
        directions in which they differ most, each of length 1.
    limit : of :meth:`strangeness`, above which a photograph is strange.
    """

    visual: np.ndarray
    function: np.ndarray
    familiar: np.ndarray
    limit: float

    def confidences(
        self, words: Sequence[str], probabilities: np.ndarray, gates: np.ndarray, logprob: float
    ) -> np.ndarray:
        """Return for each of `T` words, (T,), how likely a person would say it of the photograph.

        Parameters
        ----------
        words, probabilities, gates, logprob : of a caption.
        """
        weights = np.where(are_visual(words)[:, None], self.visual, self.function)  # (T, 5)
        return 1 / (1 + np.exp(-(signs(probabilities, gates, logprob) * weights).sum(axis=1)))

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
    try:
        # Mapped first: a header that claims more than the file has costs no memory.
        familiar = np.array(np.load(bundle.path / FAMILIAR, mmap_mode="r", allow_pickle=False))
        visual, function = (np.array(entry[name], float) for name in ("visual", "function"))
        found = Doubt(visual, function, familiar, float(entry["limit"]))
    except (OSError, KeyError, TypeError, ValueError, EOFError) as error:
        raise BundleError(f"{bundle.path}: its doubt cannot be read: {error}") from error
    fits = familiar.ndim == 2 and familiar.shape[1] == size and familiar.dtype == np.float16
    weighs = visual.shape == function.shape == (5,) and np.isfinite([visual, function]).all()
    if not fits or not weighs:
        raise BundleError(f"{bundle.path}: its doubt does not fit its graphs; export it again")
    return found


def signs(probabilities: np.ndarray, gates: np.ndarray, logprob: float) -> np.ndarray:
    """Return by what the confidence of each of `T` words is told, (T, 5).

    log p and −log(1 − p) of its probability p, as in beta calibration (Kull et al., 2017); its gate
    β; the mean log p over the caption and its end; and 1.

    Parameters
    ----------
    probabilities, gates : (T,), of the words of a caption.
    logprob : of the caption, its end included.
    """
    T = len(probabilities)
    p = probabilities.astype(float).clip(_LEAST, 1 - _LEAST)
    mean = np.full(T, logprob / (T + 1))
    return np.stack([np.log(p), -np.log1p(-p), gates, mean, np.ones(T)], axis=1)  # (T, 5)


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
