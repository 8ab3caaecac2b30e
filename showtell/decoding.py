"""Decoding: from a model that scores the next word to whole captions.

Three parts are kept apart: who scores (a :class:`StepModel`), who chooses (:func:`beam_search`,
:func:`sample`) and who ranks (:meth:`Hypothesis.score`). No backend is known here; the arrays are
NumPy's. Photographs are decoded together, and one that is done leaves the batch.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from showtell.vocab import END, PAD, START, UNK

MAX_LENGTH = 20
LENGTH_POWER = 0.7
NEVER_SAID = [PAD, START, UNK]


class Step(NamedTuple):
    """What a model says of the next word, for `k` hypotheses of each of `B` photographs.

    Attributes
    ----------
    logprobs : (B, k, V) natural logarithms of the words' probabilities.
    alphas : (B, k, L) attention over the annotations; sums to 1 over L.
    betas : (B, k) gate on the context vector, 0..1.
    """

    logprobs: np.ndarray
    alphas: np.ndarray
    betas: np.ndarray


class StepModel(Protocol):
    """Scores the next word. A state belongs to the model; decoding only carries it around."""

    def step(self, state: Any, words: np.ndarray) -> tuple[Step, Any]:
        """Advance every hypothesis by its last word, `words` of shape (B, k)."""

    def select(self, state: Any, photos: np.ndarray, beams: np.ndarray) -> Any:
        """Return the state of the hypotheses `beams` (B', k') of the photographs `photos` (B',)."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A caption, or from :func:`sample` the beginning of one.

    Attributes
    ----------
    words : ids, without ``START`` and ``END``.
    logprobs : (T,) log-probability of each word, and of ``END`` when it was reached.
    alphas : (T, L) attention with which each of them was chosen.
    betas : (T,) gate with which each of them was chosen.
    """

    words: tuple[int, ...]
    logprobs: np.ndarray
    alphas: np.ndarray
    betas: np.ndarray

    @property
    def ended(self) -> bool:
        """Whether the model said ``END``, rather than being cut off."""
        return len(self.logprobs) > len(self.words)

    @property
    def logprob(self) -> float:
        """Sum of the log-probabilities."""
        return float(self.logprobs.sum())

    def score(self, length_power: float = LENGTH_POWER) -> float:
        """Log-probability over length to a power: 0 ranks by probability, 1 by its mean."""
        return self.logprob / len(self.logprobs) ** length_power


class _Beams(NamedTuple):
    """Hypotheses that grow: `k` of each of `B` photographs, `t` words long."""

    words: np.ndarray  # (B, k, t)
    logprobs: np.ndarray  # (B, k, t)
    alphas: np.ndarray  # (B, k, t, L)
    betas: np.ndarray  # (B, k, t)

    def grow(self, parents: np.ndarray, words: np.ndarray, step: Step) -> "_Beams":
        """Continue the hypotheses `parents` (B, n) with the words (B, n)."""
        rows = np.arange(len(parents))[:, None]
        new: tuple[np.ndarray, ...] = (
            words,
            step.logprobs[rows, parents, words],
            step.alphas[rows, parents],
            step.betas[rows, parents],
        )
        histories = (history[rows, parents] for history in self)
        grown = zip(histories, new, strict=True)
        return _Beams(*(np.concatenate([old, now[:, :, None]], axis=2) for old, now in grown))

    def take(self, photos: np.ndarray, beams: np.ndarray) -> "_Beams":
        """Keep the hypotheses `beams` (B', k') of the photographs `photos` (B',)."""
        return _Beams(*(history[photos[:, None], beams] for history in self))

    def hypothesis(self, photo: int, beam: int) -> Hypothesis:
        """Cut one out, up to its first ``END``."""
        words, logprobs, alphas, betas = (history[photo, beam] for history in self)
        ends = np.flatnonzero(words == END)
        said = ends[0] if len(ends) else len(words)
        T = said + 1
        return Hypothesis(tuple(words[:said].tolist()), logprobs[:T], alphas[:T], betas[:T])


def _nothing_said(step: Step) -> _Beams:
    """Return hypotheses without a word, for as many as `step` continues."""
    B, k, L = step.alphas.shape
    nothing = np.zeros((B, k, 0), np.float32)
    return _Beams(nothing.astype(np.int64), nothing, np.zeros((B, k, 0, L), np.float32), nothing)


def _best(scores: np.ndarray, n: int) -> np.ndarray:
    """Return where the `n` largest of each row stand, best first; of equals, the first."""
    if n < scores.shape[1]:
        # By threshold, because argpartition chooses arbitrarily among equals.
        threshold = np.partition(scores, -n, axis=1)[:, -n, None]
        found = [np.flatnonzero(row >= least) for row, least in zip(scores, threshold, strict=True)]
        best = [
            i[np.argsort(-row[i], kind="stable")[:n]] for row, i in zip(scores, found, strict=True)
        ]
        return np.stack(best)
    return np.argsort(-scores, axis=1, kind="stable")


def beam_search(
    model: StepModel,
    state: Any,
    n_photos: int,
    *,
    beam: int = 5,
    max_length: int = MAX_LENGTH,
    length_power: float = LENGTH_POWER,
) -> list[list[Hypothesis]]:
    """Find the best captions of each photograph by beam search.

    At every length the `beam` best unfinished hypotheses go on; one that ends among the best is
    set aside. A photograph is done when `beam` were set aside. Those that have `max_length` words
    by then must end, at the price that the model puts on it: a caption is never cut off.

    Parameters
    ----------
    model, state : who scores, and its state for one hypothesis of each of `n_photos` photographs.
    beam : hypotheses that go on; 1 is greedy decoding.
    max_length : words at most, 1 or more; ``END`` is not counted.
    length_power : see :meth:`Hypothesis.score`.

    Returns
    -------
    For each photograph one to `beam` hypotheses, the best score first.
    """
    done: list[list[Hypothesis]] = [[] for _ in range(n_photos)]
    photos = np.arange(n_photos)  # those still in the batch
    words = np.full((n_photos, 1), START)
    totals = np.zeros((n_photos, 1))
    beams = None
    for length in range(max_length + 1):
        step, state = model.step(state, words)
        beams = beams or _nothing_said(step)
        logprobs = step.logprobs if length < max_length else _only_end(step.logprobs)
        candidates, parents, words = _candidates(totals, logprobs, 2 * beam)
        beams = beams.grow(parents, words, step)

        ended = words == END
        for row, i in np.argwhere(ended[:, :beam] & np.isfinite(candidates[:, :beam])):
            done[photos[row]].append(beams.hypothesis(row, i))

        going = np.flatnonzero([len(done[photo]) < beam for photo in photos])
        if len(going) == 0:
            break
        alive = np.argsort(ended, axis=1, kind="stable")[going, :beam]  # those that did not end
        beams = beams.take(going, alive)
        state = model.select(state, going, parents[going[:, None], alive])
        totals = np.where(ended, -np.inf, candidates)[going[:, None], alive]
        words, photos = beams.words[:, :, -1], photos[going]

    return [
        sorted(found, key=lambda h: h.score(length_power), reverse=True)[:beam] for found in done
    ]


def _only_end(logprobs: np.ndarray) -> np.ndarray:
    """Forbid every word but ``END``."""
    return np.where(np.arange(logprobs.shape[-1]) == END, logprobs, -np.inf)


def _candidates(
    totals: np.ndarray, logprobs: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rank every word behind every hypothesis of a photograph.

    Parameters
    ----------
    totals : (B, k) log-probability of each hypothesis so far.
    logprobs : (B, k, V) of each word behind it.
    n : how many to return; 2 k always hold k that do not end, where there are so many.

    Returns
    -------
    scores, parents, words : (B, n) each, the best first.
    """
    B, k, V = logprobs.shape
    scores = totals[:, :, None] + logprobs
    scores[:, :, NEVER_SAID] = -np.inf
    scores = scores.reshape(B, k * V)
    best = _best(scores, n)
    parents, words = np.divmod(best, V)
    return np.take_along_axis(scores, best, axis=1), parents, words


def greedy(
    model: StepModel, state: Any, n_photos: int, *, max_length: int = MAX_LENGTH
) -> list[Hypothesis]:
    """Take the likeliest word at every step; one hypothesis for each photograph."""
    found = beam_search(model, state, n_photos, beam=1, max_length=max_length)
    return [hypotheses[0] for hypotheses in found]


def sample(
    model: StepModel,
    state: Any,
    n_photos: int,
    rng: np.random.Generator,
    *,
    n: int = 1,
    temperature: float = 1.0,
    max_length: int = MAX_LENGTH,
) -> list[list[Hypothesis]]:
    """Draw `n` captions of each photograph, word by word; some may be cut off.

    Parameters
    ----------
    model, state, n_photos, max_length : as in :func:`beam_search`.
    rng : where chance comes from.
    temperature : above 0; what the log-probabilities are divided by before drawing.
    """
    state = model.select(state, np.arange(n_photos), np.zeros((n_photos, n), np.int64))
    words = np.full((n_photos, n), START)
    own = np.tile(np.arange(n), (n_photos, 1))
    beams = None
    for _ in range(max_length):
        step, state = model.step(state, words)
        beams = beams or _nothing_said(step)
        tempered = step.logprobs / temperature
        tempered[:, :, NEVER_SAID] = -np.inf
        words = np.argmax(tempered + rng.gumbel(size=tempered.shape), axis=2)
        beams = beams.grow(own, words, step)
        if (beams.words == END).any(axis=2).all():
            break
    assert beams is not None, "max_length is at least 1"
    return [[beams.hypothesis(photo, i) for i in range(n)] for photo in range(n_photos)]
