"""Decoding: from a model that scores the next word to whole captions.

Three parts are kept apart: who scores (a :class:`StepModel`), who chooses (:func:`beam_search`)
and who ranks (:meth:`Hypothesis.score`). No backend is known here; the arrays are NumPy's.
Photographs are decoded together, and one that is done leaves the batch.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from showtell.errors import OptionError
from showtell.search import MAX_MENTIONS, Search
from showtell.vocab import END, PAD, START, UNK

LENGTH_POWER = 0.7
NEVER_SAID = [PAD, START, UNK]

# What a caption must mention: a word of each of some sets of ids, as {dog, dogs, puppy}.
Mention = Sequence[Collection[int]]


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
    """A caption.

    Attributes
    ----------
    words : ids, without ``START`` and ``END``.
    logprobs : (T,) log-probability of each word, and of ``END``.
    alphas : (T, L) attention with which each of them was chosen.
    betas : (T,) gate with which each of them was chosen.
    """

    words: tuple[int, ...]
    logprobs: np.ndarray
    alphas: np.ndarray
    betas: np.ndarray

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
        """Read one that ended from its beginning up to its ``END``."""
        path: _Path | None = self
        said = []
        while path is not None:
            parent = path.parents[row]
            word, logprob = path.words[row], path.logprobs[row]
            said.append((word, logprob, path.alphas[parent], path.betas[parent]))
            path, row = path.before, parent
        words, *rest = (np.array(part) for part in zip(*reversed(said), strict=True))
        n = int(np.argmax(words == END))
        return Hypothesis(tuple(words[:n].tolist()), *(part[: n + 1] for part in rest))


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
    indices = np.flatnonzero(scores >= bound)
    rows, columns = np.divmod(indices, size)
    values = scores.ravel()[indices]
    order = np.lexsort((-values, rows))  # leaves `rows` as they are
    rank = np.arange(len(indices)) - np.searchsorted(rows, rows)
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
    beam: int = Search.beam,
    max_length: int = Search.max_length,
    length_power: float = LENGTH_POWER,
    mention: Sequence[Mention] | None = None,
) -> list[list[Hypothesis]]:
    """Find the best captions of each photograph by beam search.

    At every length the `beam` best unfinished hypotheses go on; one that ends among the best is
    set aside. A photograph is done when `beam` were set aside. Those that have `max_length` words
    by then must end, at the price that the model puts on it: a caption is never cut off.

    With `mention` the search is constrained (Anderson et al., 2017, arXiv 1612.00576). The
    hypotheses of a photograph with n sets are divided into 2^n groups by the sets of which they
    hold a word, and the `beam` best of each group go on: an unlikely word competes only with
    hypotheses that said as much of what is asked for. Only hypotheses that hold a word of every
    set may end, and the search goes on while an unfinished one is likelier than all that ended.

    Parameters
    ----------
    model, state : who scores, and its state for one hypothesis of each of `n_photos` photographs.
    beam : hypotheses that go on, in each group; 1 is greedy decoding.
    max_length : words at most, 1 or more; ``END`` is not counted.
    length_power : see :meth:`Hypothesis.score`.
    mention : for each photograph up to ``MAX_MENTIONS`` sets of word ids; its captions hold at
        least one word of each set. Without sets, a photograph has the captions that it has without
        `mention`.

    Returns
    -------
    For each photograph one to `beam` hypotheses, the best score first.

    Raises
    ------
    ValueError : `mention` is not for `n_photos` photographs, or has sets that are too many, empty
        or of special ids.
    OptionError : what a caption must mention takes more words than `max_length`.
    """
    mention = [()] * n_photos if mention is None else mention
    _require_possible(mention, n_photos, max_length)
    results: list[list[Hypothesis]] = [[] for _ in mention]
    for n in {len(sets) for sets in mention}:  # as many groups in every row of a batch
        photos = [photo for photo, sets in enumerate(mention) if len(sets) == n]
        start = model.select(state, np.array(photos), np.zeros((len(photos), 2**n), np.int64))
        ended = _search(model, start, [mention[photo] for photo in photos], beam, max_length)
        for photo, hypotheses in zip(photos, ended, strict=True):
            hypotheses.sort(key=lambda h: h.score(length_power), reverse=True)
            results[photo] = hypotheses[:beam]
    return results


def _require_possible(mention: Sequence[Mention], n_photos: int, max_length: int) -> None:
    """Raise a ValueError unless a caption can satisfy the sets of each photograph."""
    if len(mention) != n_photos:
        raise ValueError(f"mention has sets for {len(mention)} photographs, not for {n_photos}")
    for photo, sets in enumerate(mention):
        if len(sets) > MAX_MENTIONS:
            raise ValueError(
                f"photograph {photo}: {len(sets)} sets to mention; at most {MAX_MENTIONS}"
            )
        if not all(sets) or any(word in (*NEVER_SAID, END) for words in sets for word in words):
            raise ValueError(
                f"photograph {photo}: a set to mention needs a word or more, special ids aside"
            )
        require_room(sets, max_length)


def require_room(sets: Mention, max_length: int) -> None:
    """Raise an OptionError if a caption of `max_length` words cannot hold a word of each set."""
    fewest = _fewest_words(sets)
    if fewest > max_length:
        raise OptionError(
            f"'mention': a caption that mentions all of it needs at least {fewest} words, "
            f"but 'max_length' is {max_length}"
        )


def _held(sets: Mention) -> dict[int, int]:
    """Return for each word the sets that hold it, a bit for each."""
    held: dict[int, int] = {}
    for i, words in enumerate(sets):
        for word in words:
            held[word] = held.get(word, 0) | 1 << i
    return held


def _fewest_words(sets: Mention) -> int:
    """Return how many words a caption needs to hold one of each set; a word may be in several."""
    held = set(_held(sets).values())
    groups, n = {0}, 0
    while 2 ** len(sets) - 1 not in groups:
        groups = {group | bits for group in groups for bits in held}
        n += 1
    return n


def _search(
    model: StepModel, state: Any, mention: Sequence[Mention], beam: int, max_length: int
) -> list[list[Hypothesis]]:
    """Return the hypotheses of each photograph that ended, in the order in which they did.

    The hypotheses of a photograph stand group behind group. The bits of a group's number say of
    which sets they hold a word: the first group holds none, the last one of every set.

    Parameters
    ----------
    state : for one hypothesis in each group.
    mention : the sets of each photograph; as many for all of them.
    """
    B, G = len(mention), 2 ** len(mention[0])
    done: list[list[Hypothesis]] = [[] for _ in mention]
    photos = np.arange(B)  # those still in the batch
    words = np.full((B, G), START)
    totals = np.full((B, G), -np.inf, np.float32)
    totals[:, 0] = 0  # nothing was said yet
    path = None
    for length in range(max_length + 1):
        step, state = model.step(state, words)
        logprobs = step.logprobs if length < max_length else _only_end(step.logprobs)
        sets = [mention[photo] for photo in photos.tolist()]
        scores, parents, words = _candidates(totals, logprobs, sets, 2 * beam)
        path = _grow(path, step, parents, words)

        n = words.shape[1]
        ended, rank = words == END, np.arange(n) % (2 * beam)
        for row, i in np.argwhere(ended & (rank < beam)):
            done[photos[row]].append(path.hypothesis(row * n + i))

        alive = _alive(ended.reshape(-1, G, 2 * beam), beam)
        totals = np.take_along_axis(np.where(ended, -np.inf, scores), alive, axis=1)
        rivals = totals.max(axis=1) if G > 1 else np.full(len(photos), -np.inf)
        waiting = [not _is_done(done[photo], rivals[i], beam) for i, photo in enumerate(photos)]
        going = np.flatnonzero(waiting)
        if len(going) == 0:
            break
        rows, alive = going[:, None], alive[going]
        path = path.take((rows * n + alive).ravel())
        state = model.select(state, going, parents[rows, alive])
        words, totals, photos = words[rows, alive], totals[going], photos[going]
    return done


def _alive(ended: np.ndarray, beam: int) -> np.ndarray:
    """Return where the `beam` best of each group stand that did not end, from `ended` (B, G, n)."""
    B, G, n = ended.shape
    best = np.argsort(ended, axis=2, kind="stable")[:, :, :beam]
    return (best + n * np.arange(G)[:, None]).reshape(B, -1)


def _is_done(finished: list[Hypothesis], rival: float, beam: int) -> bool:
    """Whether `beam` hypotheses ended, and the best is as likely as the rival that goes on.

    A rival only becomes less likely with every word (Anderson et al. stop by this rule).
    """
    return len(finished) >= beam and max(h.logprob for h in finished) >= rival


def _only_end(logprobs: np.ndarray) -> np.ndarray:
    """Forbid every word but ``END``."""
    return np.where(np.arange(logprobs.shape[-1]) == END, logprobs, -np.inf)


def _candidates(
    totals: np.ndarray, logprobs: np.ndarray, sets: Sequence[Mention], n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rank every word behind every hypothesis of a photograph, in each group for itself.

    Parameters
    ----------
    totals : (B, k) log-probability of each hypothesis so far.
    logprobs : (B, k, V) of each word behind it.
    sets : of each photograph; G groups, as in :func:`_search`.
    n : how many to return of each group; 2 k / G always hold k / G that do not end, where there
        are so many. Where there are fewer, scores of -inf fill the rest.

    Returns
    -------
    scores, parents, words : (B, G * n) each, the best of a group first.
    """
    B, k, V = logprobs.shape
    scores = totals[:, :, None] + logprobs
    scores[:, :, NEVER_SAID] = -np.inf
    ranked, places = [], []
    for group in _by_group(scores, sets) if any(sets) else [scores]:
        best, where = _best(group.reshape(B, k * V), n)
        ranked.append(best)
        places.append(where)
    parents, words = np.divmod(np.concatenate(places, axis=1), V)
    return np.concatenate(ranked, axis=1), parents, words


def _by_group(scores: np.ndarray, sets: Sequence[Mention]) -> Iterator[np.ndarray]:
    """Yield for each group the scores (B, k, V) of the words that lead into it, and else -inf.

    A word leads from the group of the hypothesis before it to the one that has the word's sets
    as well. ``END`` is forbidden outside the last group.
    """
    B, k, V = scores.shape
    groups = np.arange(2 ** len(sets[0]), dtype=np.uint8)
    before = np.repeat(groups, k // len(groups))  # (k,)
    scores[:, before < groups[-1], END] = -np.inf
    held = np.zeros((B, V), np.uint8)
    for photo, bits in enumerate(map(_held, sets)):
        held[photo, list(bits)] = list(bits.values())
    behind = before[:, None] | held[:, None, :]  # (B, k, V)
    for group in groups:
        yield np.where(behind == group, scores, -np.inf)
