"""Decoding: beam search over a model that scores the next word.

Scoring (a :class:`StepModel`), search (:func:`beam_search`) and ranking (:meth:`Hypothesis.score`)
are separate. This module is independent of the backend: all arrays are NumPy arrays. Photographs
are decoded as a batch; a finished photograph leaves the batch.
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

# What a caption must mention: at least one word of each set of ids, such as {dog, dogs, puppy}.
Mention = Sequence[Collection[int]]


class Step(NamedTuple):
    """A model's output for the next word, for `k` hypotheses of each of `B` photographs.

    Attributes
    ----------
    logprobs : (B, k, V) log-probabilities of the words, in nats.
    alphas : (B, k, L) attention over the annotations; sums to 1 over L.
    betas : (B, k) gate on the context vector, 0..1.
    """

    logprobs: np.ndarray
    alphas: np.ndarray
    betas: np.ndarray


class StepModel(Protocol):
    """A model that scores the next word. Its state is opaque to the search."""

    def step(self, state: Any, words: np.ndarray) -> tuple[Step, Any]:
        """Advance every hypothesis by its last word, `words` of shape (B, k)."""

    def select(self, state: Any, photos: np.ndarray, beams: np.ndarray) -> Any:
        """Return the state of the hypotheses `beams` (B', k') of the photographs `photos` (B',)."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A caption.

    Attributes
    ----------
    words : T - 1 ids, without ``START`` and ``END``.
    logprobs : (T,) log-probability of each word and of ``END``.
    alphas : (T, L) attention at each of these steps.
    betas : (T,) gate at each of these steps.
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
        """Length-normalised log-probability: `logprob` divided by T to the power `length_power`.

        With 0, hypotheses rank by probability; with 1, by mean log-probability per word.
        """
        return self.logprob / len(self.logprobs) ** length_power


class _Path(NamedTuple):
    """The last word of `N` hypotheses, and the hypothesis that each of them extends.

    Paths form a linked list from the last word to the first, so extending a hypothesis copies no
    earlier words.
    """

    before: "_Path | None"
    parents: np.ndarray  # (N,) row in `before`, and in the step's output
    words: np.ndarray  # (N,)
    logprobs: np.ndarray  # (N,)
    alphas: np.ndarray  # (rows of the step, L)
    betas: np.ndarray  # (rows of the step,)

    def take(self, rows: np.ndarray) -> "_Path":
        """Keep the hypotheses `rows` (N',)."""
        parents, words, logprobs = (part[rows] for part in self[1:4])
        return self._replace(parents=parents, words=words, logprobs=logprobs)

    def hypothesis(self, row: int) -> Hypothesis:
        """Return the hypothesis `row`, which must contain ``END``, up to its first ``END``."""
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
    """Extend the hypotheses `parents` (B, n) by `words` (B, n)."""
    B, k, L = step.alphas.shape
    rows = np.arange(B)[:, None]
    logprobs = step.logprobs[rows, parents, words]
    said = ((rows * k + parents).ravel(), words.ravel(), logprobs.ravel())
    return _Path(before, *said, step.alphas.reshape(B * k, L), step.betas.ravel())


def _best(scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `n` largest scores of each row, best first, and their columns.

    Ties go to the lower column. A row with fewer than `n` finite scores is padded with -inf.
    """
    R, size = scores.shape
    # The n-th largest of the maxima of chunks is a bound that few more than n scores reach.
    # np.partition on the scores themselves is slow if most of them are -inf.
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

    At every step the search keeps the `beam` best unfinished hypotheses of a photograph, and
    collects those that end among the `beam` best. A photograph is finished when `beam` hypotheses
    have ended. After `max_length` words ``END`` is the only word allowed, with the probability that
    the model gives it, so captions are never cut off.

    With `mention`, the search is constrained (Anderson et al., 2017, arXiv 1612.00576). The
    hypotheses of a photograph with n sets are divided into 2^n groups by the sets that they
    satisfy, and the search keeps the `beam` best of each group. An improbable word therefore
    competes only with hypotheses that satisfy the same sets. Only hypotheses that satisfy all sets
    may end, and the search continues while an unfinished hypothesis is more probable than all that
    have ended.

    Parameters
    ----------
    model : the model that scores words.
    state : the model's state for one hypothesis of each of `n_photos` photographs.
    beam : beam width, per group; 1 is greedy search.
    max_length : maximum number of words, 1 or more; ``END`` is not counted.
    length_power : see :meth:`Hypothesis.score`.
    mention : for each photograph, up to ``MAX_MENTIONS`` sets of word ids. Its captions contain at
        least one word of each set. An empty sequence leaves the search unconstrained.

    Returns
    -------
    For each photograph, one to `beam` hypotheses, best score first.

    Raises
    ------
    ValueError : `mention` does not have `n_photos` elements, has too many sets for a photograph, or
        has a set that is empty or contains special ids.
    OptionError : mentioning all sets takes more words than `max_length`.
    """
    mention = [()] * n_photos if mention is None else mention
    _require_possible(mention, n_photos, max_length)
    results: list[list[Hypothesis]] = [[] for _ in mention]
    for n in {len(sets) for sets in mention}:  # all photographs of a batch have 2^n groups
        photos = [photo for photo, sets in enumerate(mention) if len(sets) == n]
        start = model.select(state, np.array(photos), np.zeros((len(photos), 2**n), np.int64))
        ended = _search(model, start, [mention[photo] for photo in photos], beam, max_length)
        for photo, hypotheses in zip(photos, ended, strict=True):
            hypotheses.sort(key=lambda h: h.score(length_power), reverse=True)
            results[photo] = hypotheses[:beam]
    return results


def _require_possible(mention: Sequence[Mention], n_photos: int, max_length: int) -> None:
    """Raise a ValueError or an OptionError unless captions can satisfy the sets."""
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
    """Raise an OptionError if a caption of `max_length` words cannot mention all sets."""
    fewest = _fewest_words(sets)
    if fewest > max_length:
        raise OptionError(
            f"'mention': a caption that mentions all of it needs at least {fewest} words, "
            f"but 'max_length' is {max_length}"
        )


def _held(sets: Mention) -> dict[int, int]:
    """Return, for each word, a bit mask of the sets that contain it."""
    held: dict[int, int] = {}
    for i, words in enumerate(sets):
        for word in words:
            held[word] = held.get(word, 0) | 1 << i
    return held


def _fewest_words(sets: Mention) -> int:
    """Return the minimum number of words that mention all sets; a word may be in several."""
    held = set(_held(sets).values())
    groups, n = {0}, 0
    while 2 ** len(sets) - 1 not in groups:
        groups = {group | bits for group in groups for bits in held}
        n += 1
    return n


def _search(
    model: StepModel, state: Any, mention: Sequence[Mention], beam: int, max_length: int
) -> list[list[Hypothesis]]:
    """Return the hypotheses of each photograph that ended, in the order in which they ended.

    The hypotheses of a photograph are sorted by group. The bits of a group's number are the sets
    that it satisfies: the first group satisfies none, the last one all.

    Parameters
    ----------
    state : state for one hypothesis in each group.
    mention : the sets of each photograph; all photographs have the same number of sets.
    """
    B, G = len(mention), 2 ** len(mention[0])
    done: list[list[Hypothesis]] = [[] for _ in mention]
    photos = np.arange(B)  # photographs that are still in the batch
    words = np.full((B, G), START)
    totals = np.full((B, G), -np.inf, np.float32)
    totals[:, 0] = 0  # the empty hypothesis satisfies no set
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
    """Return the columns of the `beam` best unfinished candidates of each group.

    `ended` (B, G, n) is whether each candidate ended; candidates are sorted, best first.
    """
    B, G, n = ended.shape
    best = np.argsort(ended, axis=2, kind="stable")[:, :, :beam]
    return (best + n * np.arange(G)[:, None]).reshape(B, -1)


def _is_done(finished: list[Hypothesis], rival: float, beam: int) -> bool:
    """Return whether `beam` hypotheses ended and none that is unfinished is more probable.

    `rival` is the log-probability of the best unfinished hypothesis. It can only fall with more
    words, so the search may stop (the stopping rule of Anderson et al.).
    """
    return len(finished) >= beam and max(h.logprob for h in finished) >= rival


def _only_end(logprobs: np.ndarray) -> np.ndarray:
    """Forbid every word except ``END``."""
    return np.where(np.arange(logprobs.shape[-1]) == END, logprobs, -np.inf)


def _candidates(
    totals: np.ndarray, logprobs: np.ndarray, sets: Sequence[Mention], n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rank all extensions of all hypotheses by one word, within each group.

    Parameters
    ----------
    totals : (B, k) log-probability of each hypothesis so far.
    logprobs : (B, k, V) log-probability of each next word.
    sets : the sets of each photograph; G groups, as in :func:`_search`.
    n : number of candidates to return per group. At most k / G of a group end, so 2 k / G
        candidates include k / G that do not end. Groups with fewer candidates are padded with
        scores of -inf.

    Returns
    -------
    scores, parents, words : (B, G * n) each, best first within each group.
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
    """Yield, for each group, the scores (B, k, V) of the words that lead into it, -inf elsewhere.

    A word leads from the group of its hypothesis to the group that also satisfies the word's sets.
    ``END`` is forbidden outside the last group.
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
