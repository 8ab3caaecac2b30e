"""Calibration: fits a model's confidences, and measures their calibration error.

A word is right if one of the people who described the photograph used it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from tqdm import tqdm

from showtell.caption import Caption
from showtell.captioner import BATCH, Captioner
from showtell.confidence import ConfidenceModel, are_visual, features, visual_mean
from showtell.data import Dataset, Photograph
from showtell.runtime import Encoded
from showtell.vocab import tokenize

DIRECTIONS = 32  # principal components; docs/doubt.md compares others
FALSE_ALARMS = 0.02  # share of dev photographs that are called out of distribution
GOOD = 2 / 3  # share of right visual words from which a caption is good
MISSED_GOOD = 0.05  # share of good captions that are called unsure
MOST_TRAINING = 2000  # maximum number of training photographs for the principal components
BINS = 10
# Minimum numbers of photographs for a fit.
LEAST_TRAINING, LEAST_DEV = 10 * DIRECTIONS, 100
_RIDGE = 1e-3  # keeps weights finite if every word is right


@dataclass(frozen=True)
class Calibration:
    """How well the confidences of captions are calibrated.

    Attributes
    ----------
    right : share of the visual words that are right, mean over the captions.
    confidence : mean confidence of the captions.
    error : expected calibration error of the captions: in each of ten bins of confidence, the
        difference between the mean confidence and the mean share of right visual words; weighted
        mean over the bins.
    words_error : expected calibration error of the visual words.
    unsure : share of photographs that are marked as unsure; 0 without a confidence model.
    """

    right: float
    confidence: float
    error: float
    words_error: float
    unsure: float


def fit(captioner: Captioner, datasets: Sequence[Dataset]) -> ConfidenceModel | None:
    """Fit a confidence model; return None if there are too few photographs.

    The confidences are fitted on the dev splits by logistic regression, with equal weight for each
    split. The principal components are those of the training splits. Both limits are set on the dev
    splits, so that ``FALSE_ALARMS`` of their photographs are called out of distribution, and
    ``MISSED_GOOD`` of their good captions unsure.

    Parameters
    ----------
    captioner : the model; its own confidence model is not used.
    datasets : the training data sets. Those with a small or no dev split are only used for the
        principal components.

    Raises
    ------
    ImageError : a photograph cannot be read.
    """
    training = [photograph for each in datasets for photograph in each.splits["train"]]
    dev = [each.splits["dev"] for each in datasets if len(each.splits["dev"]) >= LEAST_DEV]
    if len(training) < LEAST_TRAINING or not dev:
        return None
    means = np.concatenate([a.mean(axis=1) for a in annotations(captioner, training)])
    plain = ConfidenceModel(np.zeros(9), np.zeros(9), components(means, DIRECTIONS), 0.0)
    judged = [_judge(captioner, plain, split) for split in dev]
    ood_scores = np.concatenate([each.ood_scores for each in judged])
    ood_limit = float(np.quantile(ood_scores, 1 - FALSE_ALARMS))
    visual, function = _weights(judged)
    fitted = replace(plain, ood_limit=ood_limit, visual=visual, function=function)
    return replace(fitted, least_confidence=_least(fitted, judged))


@dataclass(frozen=True, eq=False)
class _Judged:
    """The captions of a dev split, compared with the references.

    Attributes
    ----------
    captions : captions of P photographs.
    ood_scores : (P,) score of each photograph, see :meth:`ConfidenceModel.ood_score`.
    seen : for each caption, the evidence of classifier and detector for its words, (T, 4).
    right : for each caption, whether each of its words is right, (T,) bool.
    """

    captions: Sequence[Caption]
    ood_scores: np.ndarray
    seen: Sequence[np.ndarray]
    right: Sequence[np.ndarray]


def _judge(
    captioner: Captioner, plain: ConfidenceModel, photographs: Sequence[Photograph]
) -> _Judged:
    captions: list[Caption] = []
    ood_scores, seen = [], []
    for encoded in _look(captioner, photographs):
        ood_scores.append(plain.ood_score(encoded.state.annotations))
        batch = captioner.decode(encoded)
        captions += batch
        seen += [captioner.evidence(encoded, i, c.words) for i, c in enumerate(batch)]
    good = list(map(right, captions, photographs))
    return _Judged(captions, np.concatenate(ood_scores), seen, good)


def _weights(judged: Sequence[_Judged]) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights for visual and for function words; splits have equal weight."""
    rows, good, visual, counts = [], [], [], []
    for split in judged:
        for caption, seen, known in zip(split.captions, split.seen, split.right, strict=True):
            rows.append(features(caption.probabilities, caption.gates, caption.logprob, seen))
            good.append(known)
            visual.append(are_visual(caption.words))
            counts.append(np.full(len(known), 1 / len(split.captions)))
    X, y, kind, n = map(np.concatenate, (rows, good, visual, counts))
    n *= len(n) / n.sum()
    return logistic(X[kind], y[kind], n[kind]), logistic(X[~kind], y[~kind], n[~kind])


def _least(fitted: ConfidenceModel, judged: Sequence[_Judged]) -> float:
    """Return the confidence below which few captions are good."""
    confidences = []
    for split in judged:
        for caption, seen, known in zip(split.captions, split.seen, split.right, strict=True):
            if visual_mean(caption.words, known) >= GOOD:
                parts = caption.probabilities, caption.gates, caption.logprob, seen
                words = fitted.confidences(caption.words, *parts)
                confidences.append(visual_mean(caption.words, words))
    return float(np.quantile(confidences, MISSED_GOOD)) if confidences else 0.0


def annotations(captioner: Captioner, training: Sequence[Photograph]) -> Iterator[np.ndarray]:
    """Return the annotations (B, L, D) of up to ``MOST_TRAINING`` training photographs."""
    every = -(-len(training) // MOST_TRAINING)
    return (encoded.state.annotations for encoded in _look(captioner, training[::every]))


def _look(captioner: Captioner, photographs: Sequence[Photograph]) -> Iterator[Encoded]:
    with tqdm(total=len(photographs), desc="calibrating", disable=None) as bar:
        for i in range(0, len(photographs), BATCH):
            batch = photographs[i : i + BATCH]
            yield captioner.encode([p.path for p in batch])
            bar.update(len(batch))


def components(means: np.ndarray, directions: int) -> np.ndarray:
    """Compute the mean and the principal components of mean annotations (N, D).

    Returns
    -------
    (1 + k, D) float16, see :class:`~showtell.confidence.ConfidenceModel`.
    """
    mean = means.mean(axis=0)
    _, _, differ = np.linalg.svd(means - mean, full_matrices=False)
    k = min(directions, means.shape[1] // 2)  # fewer than D, so that there is a remainder
    return np.concatenate([mean[None], differ[:k]]).astype(np.float16)


def logistic(
    evidence: np.ndarray, right: np.ndarray, counts: np.ndarray | None = None
) -> np.ndarray:
    """Fit a logistic regression of `right` (N,) on `evidence` (N, n); return the weights (n,).

    Uses Newton's method with a negligible ridge penalty. `counts` (N,) are weights of the rows, 1
    by default.
    """
    n = np.ones(len(right)) if counts is None else counts
    weights = np.zeros(evidence.shape[1])
    for _ in range(25):
        p = 1 / (1 + np.exp(-evidence @ weights))
        slope = evidence.T @ (n * (right - p)) - _RIDGE * weights
        curvature = (evidence.T * (n * p * (1 - p))) @ evidence + _RIDGE * np.eye(len(weights))
        weights += np.linalg.solve(curvature, slope)
    return weights


def right(caption: Caption, photograph: Photograph) -> np.ndarray:
    """Return, for each word of a caption, whether a reference contains it, (T,) bool."""
    used = {word for text in photograph.captions for word in tokenize(text)}
    return np.array([word in used for word in caption.words], bool)


def calibration(captions: Sequence[Caption], photographs: Sequence[Photograph]) -> Calibration:
    """Measure how well the confidences of captions are calibrated."""
    shares = of_captions(captions, photographs)
    words = of_words(captions, photographs)
    return Calibration(
        right=float(shares[1].mean()),
        confidence=float(shares[0].mean()),
        error=calibration_error(*shares),
        words_error=calibration_error(*words),
        unsure=fmean(bool(caption.unsure) for caption in captions),
    )


def of_captions(
    captions: Sequence[Caption], photographs: Sequence[Photograph]
) -> tuple[np.ndarray, np.ndarray]:
    """Return each caption's confidence, and the share of its visual words that are right."""
    shares = [
        visual_mean(caption.words, right(caption, photograph))
        for caption, photograph in zip(captions, photographs, strict=True)
    ]
    return np.array([caption.confidence for caption in captions]), np.array(shares)


def of_words(
    captions: Sequence[Caption], photographs: Sequence[Photograph]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each visual word, and whether it is right."""
    visual = np.concatenate([are_visual(caption.words) for caption in captions])
    said = np.concatenate([caption.confidences for caption in captions])
    good = np.concatenate(list(map(right, captions, photographs)))
    return said[visual], good[visual]


@dataclass(frozen=True)
class Bin:
    """A bin of similar confidences: count, mean confidence, and mean of what is right."""

    count: int
    said: float
    true: float


def reliability(said: np.ndarray, true: np.ndarray) -> list[Bin]:
    """Group confidences `said` (N,), 0..1, into ``BINS`` bins of equal width; omit empty bins."""
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    parts = [bins == i for i in np.unique(bins)]
    return [Bin(int(p.sum()), float(said[p].mean()), float(true[p].mean())) for p in parts]


def calibration_error(said: np.ndarray, true: np.ndarray) -> float:
    """Return the expected calibration error, 0..1 (Guo et al., 2017, equation 3)."""
    gaps = sum(b.count * abs(b.said - b.true) for b in reliability(said, true))
    return gaps / max(1, len(said))
