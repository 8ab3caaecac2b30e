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


class _Path(NamedTuple):
    """The last word of `N` hypotheses, and whom each of them continues.

    A chain that is read backwards: growing by a word copies nothing of what was said before.
    """

    before: "_Path | None"
    parents: np.ndarray  # (N,) row in `before`, and in what the step said
    words: np.ndarray  # (N,)
    logprobs: np.ndarray  # (N,)
    alphas: np.ndarray  # (rows of the step, L)
    betas: np.ndarray  # (rows of the step,)

    def take(self, rows: np.ndarray) -> "_Path":
        """Keep the hypotheses `rows` (N',)."""
        parents, words, logprobs = (part[rows] for part in self[1:4])
        return self._replace(parents=parents, words=words, logprobs=logprobs)

    def hypothesis(self, row: int) -> Hypothesis:
        """Read one from its beginning up to its first ``END``."""
        path: _Path | None = self
        said = []
        while path is not None:
            parent = path.parents[row]
            word, logprob = path.words[row], path.logprobs[row]
            said.append((word, logprob, path.alphas[parent], path.betas[parent]))
            path, row = path.before, parent
        words, *told = (np.array(part) for part in zip(*reversed(said), strict=True))
        ends = np.flatnonzero(words == END)
        n = ends[0] if len(ends) else len(words)
        return Hypothesis(tuple(words[:n].tolist()), *(part[: n + 1] for part in told))


def _grow(before: _Path | None, step: Step, parents: np.ndarray, words: np.ndarray) -> _Path:
    """Continue the hypotheses `parents` (B, n) with the words (B, n)."""
    B, k, L = step.alphas.shape
    rows = np.arange(B)[:, None]
    logprobs = step.logprobs[rows, parents, words]
    said = ((rows * k + parents).ravel(), words.ravel(), logprobs.ravel())
    return _Path(before, *said, step.alphas.reshape(B * k, L), step.betas.ravel())


def _best(scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `n` largest scores of each row, best first, and their columns.

    Of equal scores the first wins. Where a row has fewer finite ones, -inf fills the rest.
    """
    R, size = scores.shape
    # The n-th largest of the maxima of chunks is a bound that only little more than n reach.
    # A partition of the scores themselves would be slow where most of them are -inf.
    chunks = np.arange(0, size, max(1, size // (4 * n)))
    maxima = np.sort(np.maximum.reduceat(scores, chunks, axis=1), axis=1)
    bound = np.maximum(maxima[:, -min(n, len(chunks)), None], np.finfo(scores.dtype).min)
    found = np.flatnonzero(scores >= bound)
    rows, columns = np.divmod(found, size)
    values = scores.ravel()[found]
    order = np.lexsort((-values, rows))  # leaves `rows` as they are
    rank = np.arange(len(found)) - np.searchsorted(rows, rows)
    kept = rank < n
    rows, rank, order = rows[kept], rank[kept], order[kept]
    best, places = np.full((R, n), -np.inf, scores.dtype), np.zeros((R, n), np.int64)
    best[rows, rank], places[rows, rank] = values[order], columns[order]
    return best, places


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
    found = _search(model, state, n_photos, beam, max_length)
    return [
        sorted(ended, key=lambda h: h.score(length_power), reverse=True)[:beam] for ended in found
    ]


def _search(
    model: StepModel, state: Any, n_photos: int, beam: int, max_length: int
) -> list[list[Hypothesis]]:
    """Return the hypotheses of each photograph that ended, in the order in which they did."""
    done: list[list[Hypothesis]] = [[] for _ in range(n_photos)]
    photos = np.arange(n_photos)  # those still in the batch
    words = np.full((n_photos, 1), START)
    totals = np.zeros((n_photos, 1), np.float32)
    path = None
    for length in range(max_length + 1):
        step, state = model.step(state, words)
        logprobs = step.logprobs if length < max_length else _only_end(step.logprobs)
        scores, parents, words = _candidates(totals, logprobs, 2 * beam)
        path = _grow(path, step, parents, words)

        n = words.shape[1]
        ended = words == END
        for row, i in np.argwhere(ended[:, :beam]):
            done[photos[row]].append(path.hypothesis(row * n + i))

        going = np.flatnonzero([len(done[photo]) < beam for photo in photos])
        if len(going) == 0:
            break
        alive = np.argsort(ended, axis=1, kind="stable")[going, :beam]  # those that did not end
        rows = going[:, None]
        path = path.take((rows * n + alive).ravel())
        state = model.select(state, going, parents[rows, alive])
        totals = np.where(ended, -np.inf, scores)[rows, alive]
        words, photos = words[rows, alive], photos[going]
    return done


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
    best, places = _best(scores.reshape(B, k * V), n)
    parents, words = np.divmod(places, V)
    return best, parents, words


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
    rng: "np.random.Generator",  # in quotes, or NumPy would import it for every caption
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
    ended = np.zeros((n_photos, n), bool)
    path = None
    for _ in range(max_length):
        step, state = model.step(state, words)
        tempered = step.logprobs / temperature
        tempered[:, :, NEVER_SAID] = -np.inf
        words = np.argmax(tempered + rng.gumbel(size=tempered.shape), axis=2)
        path = _grow(path, step, own, words)
        ended |= words == END
        if ended.all():
            break
    assert path is not None, "max_length is at least 1"
    return [[path.hypothesis(photo * n + i) for i in range(n)] for photo in range(n_photos)]
