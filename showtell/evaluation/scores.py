"""Computes BLEU, METEOR, ROUGE-L and CIDEr as COCO's caption evaluation does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from statistics import fmean
from typing import Any

import numpy as np

from showtell.errors import MissingExtraError
from showtell.evaluation.bootstrap import interval, resamples
from showtell.evaluation.java import Corpus, JavaError, meteor, ptb_tokenize
from showtell.vocab import tokenize

PTB = "PTBTokenizer"
OWN = "showtell"

_NO_SPICE = "it requires a large separate download, which showtell does not support"


@dataclass(frozen=True)
class Bound:
    """One end of the confidence intervals of :class:`Scores`."""

    bleu: tuple[float, ...]
    meteor: float | None
    rouge_l: float
    cider: float


@dataclass(frozen=True)
class Scores:
    """Scores of captions against references, 0..1 except `cider` (0..10) and `length_ratio`.

    Attributes
    ----------
    bleu : BLEU-1 to BLEU-4 of the corpus, with the brevity penalty against the closest reference.
    bleu_without_penalty : BLEU without the brevity penalty, as in Xu et al., 2015, Table 1.
    length_ratio : number of words in the captions, divided by that in the references closest in
        length.
    meteor : METEOR 1.5; None if it cannot be computed.
    rouge_l : ROUGE-L.
    cider : CIDEr-D.
    tokenizer : ``PTB``, or ``OWN`` without Java. Scores with different tokenisers are not
        comparable.
    not_computed : name of a score → why it is absent.
    interval : both ends of the 95% bootstrap interval over photographs; None for people. Each
        resample uses CIDEr-D's document frequencies of all photographs.
    """

    bleu: tuple[float, ...]
    bleu_without_penalty: tuple[float, ...]
    length_ratio: float
    meteor: float | None
    rouge_l: float
    cider: float
    tokenizer: str
    not_computed: dict[str, str]
    interval: tuple[Bound, Bound] | None = None


def score(hypotheses: Mapping[Any, str], references: Mapping[Any, Sequence[str]]) -> Scores:
    """Score captions against references.

    Parameters
    ----------
    hypotheses : photograph → its caption.
    references : photograph → its references. Photographs without a hypothesis are ignored.

    Raises
    ------
    MissingExtraError : pycocoevalcap is not installed.
    """
    return _score([_corpus(hypotheses, references)])[0]


def score_beside_people(
    hypotheses: Mapping[Any, str], references: Mapping[Any, Sequence[str]]
) -> tuple[Scores, Scores | None]:
    """Score captions as :func:`score` does, and the references against each other.

    To score people, the first references of all photographs are scored against the others, then the
    second ones, and so on; the scores are the means. None if a photograph has only one reference.
    One function does both, since METEOR is slow to start.
    """
    corpus = _corpus(hypotheses, references)
    mine, *people = _score([corpus, *_leave_one_out(corpus[1])])
    return mine, _mean(people) if people else None


def quick(
    hypotheses: Mapping[Any, Sequence[str]], references: Mapping[Any, Sequence[Sequence[str]]]
) -> tuple[float, float]:
    """Return BLEU-4 and CIDEr-D of tokenised captions, without running Java.

    Parameters
    ----------
    hypotheses : photograph → the words of its caption.
    references : photograph → the words of each of its references.

    Raises
    ------
    MissingExtraError : pycocoevalcap is not installed.
    """
    require_pycocoevalcap()
    spoken = [" ".join(words) for words in hypotheses.values()]
    wanted = [[" ".join(words) for words in references[key]] for key in hypotheses]
    bleu, _, _ = _bleu(_cooked(spoken, wanted))
    return bleu[3], float(_cider(spoken, wanted).mean())


def require_pycocoevalcap() -> None:
    """Raise an error early if scores cannot be computed.

    Raises
    ------
    MissingExtraError : pycocoevalcap is not installed.
    """
    try:
        import pycocoevalcap.bleu.bleu_scorer  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("Scoring captions", "eval") from error


def _corpus(hypotheses: Mapping[Any, str], references: Mapping[Any, Sequence[str]]) -> Corpus:
    return list(hypotheses.values()), [list(references[key]) for key in hypotheses]


def _leave_one_out(references: list[list[str]]) -> list[Corpus]:
    n = min(map(len, references))
    if n < 2:
        return []
    return [
        ([r[i] for r in references], [r[:i] + r[i + 1 :] for r in references]) for i in range(n)
    ]


def _score(corpora: list[Corpus]) -> list[Scores]:
    """Score each corpus, with one run of each Java program for all of them."""
    require_pycocoevalcap()
    not_computed = {"SPICE": _NO_SPICE}
    tokenizer = OWN
    meteors: Sequence[float | None] = [None] * len(corpora)
    of_resamples: list[float] = []
    drawn = resamples(len(corpora[0][0]))
    try:
        corpora, tokenizer = _tokenized(corpora, ptb_tokenize), PTB
        meteors, of_resamples = meteor(corpora, drawn)
    except JavaError as error:
        not_computed["METEOR"] = str(error)
    if tokenizer == OWN:
        corpora = _tokenized(corpora, _own)
    figures = [(_cooked(*c), _rouge_l(*c), _cider(*c)) for c in corpora]
    scores = [
        Scores(*_bleu(b), m, float(r.mean()), float(c.mean()), tokenizer, not_computed)
        for (b, r, c), m in zip(figures, meteors, strict=True)
    ]
    ends = _interval(drawn, *figures[0], of_resamples)
    return [replace(scores[0], interval=ends), *scores[1:]]


def _interval(
    drawn: np.ndarray, cooked: Any, rouge_l: np.ndarray, cider: np.ndarray, meteors: list[float]
) -> tuple[Bound, Bound]:
    """Return the interval of each score over the resamples `drawn` (R, n)."""
    bleu = interval(_bleu_of(drawn @ _counts(cooked)))
    means = interval(drawn @ np.stack([rouge_l, cider], axis=1) / len(cider))
    meteor_ends = [float(end) for end in interval(np.array(meteors))] if meteors else [None, None]
    low, high = (
        Bound(tuple(b.tolist()), m, *both.tolist())
        for b, m, both in zip(bleu, meteor_ends, means, strict=True)
    )
    return low, high


def _mean(scores: list[Scores]) -> Scores:
    """Return the means of scores."""
    meteors = [s.meteor for s in scores if s.meteor is not None]
    return replace(
        scores[0],
        bleu=tuple(map(fmean, zip(*(s.bleu for s in scores), strict=True))),
        bleu_without_penalty=tuple(
            map(fmean, zip(*(s.bleu_without_penalty for s in scores), strict=True))
        ),
        length_ratio=fmean(s.length_ratio for s in scores),
        meteor=fmean(meteors) if meteors else None,
        rouge_l=fmean(s.rouge_l for s in scores),
        cider=fmean(s.cider for s in scores),
    )


def _cooked(hypotheses: list[str], references: list[list[str]]) -> Any:
    """Return a BleuScorer of pycocoevalcap with the n-gram counts of each caption."""
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=4)
    for pair in zip(hypotheses, references, strict=True):
        scorer += pair
    return scorer


def _bleu(scorer: Any) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Return BLEU-1 to 4 with and without the brevity penalty, and the length ratio."""
    scorer.special_reflen = None
    bleu, _ = scorer.compute_score(option="closest")
    ratio = scorer.testlen() / max(scorer.reflen(), 1)
    scorer.special_reflen = 0  # no caption is shorter, so there is no penalty
    without_penalty, _ = scorer.recompute_score(option="closest")
    return tuple(bleu), tuple(without_penalty), ratio


def _counts(scorer: Any) -> np.ndarray:
    """Return the counts that BLEU adds up for each caption, (n, 10).

    These are the words of the caption and of the reference nearest in length, then for n-grams of 1
    to 4 words how many there are, then how many of them are in a reference.
    """
    return np.array(
        [
            [
                caption["testlen"],
                min(caption["reflen"], key=lambda n: (abs(n - caption["testlen"]), n)),
                *caption["guess"],
                *caption["correct"],
            ]
            for caption in scorer.ctest
        ]
    )


def _bleu_of(sums: np.ndarray) -> np.ndarray:
    """Return BLEU-1 to 4, (R, 4), of sums of :func:`_counts`, (R, 10)."""
    words, nearest, guessed, correct = np.split(sums.astype(np.float64), [1, 2, 6], axis=1)
    with np.errstate(divide="ignore"):  # if no n-gram is correct, BLEU is 0
        precision = np.log(correct / np.maximum(guessed, 1)).cumsum(axis=1) / np.arange(1, 5)
    penalty = np.minimum(0, 1 - nearest / np.maximum(words, 1))
    return np.exp(precision + penalty)


def _rouge_l(hypotheses: list[str], references: list[list[str]]) -> np.ndarray:
    """Return ROUGE-L of each caption."""
    from pycocoevalcap.rouge.rouge import Rouge

    _, each = Rouge().compute_score(*_by_number(hypotheses, references))
    return np.asarray(each)


def _cider(hypotheses: list[str], references: list[list[str]]) -> np.ndarray:
    """Return CIDEr-D of each caption."""
    from pycocoevalcap.cider.cider import Cider

    if not any(map(any, references)):
        return np.zeros(
            len(hypotheses)
        )  # without a single word there is no document frequency, and Cider fails
    _, each = Cider().compute_score(*_by_number(hypotheses, references))
    return np.asarray(each)


def _by_number(
    hypotheses: list[str], references: list[list[str]]
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Return references and hypotheses, in this order, in pycocoevalcap's format."""
    return dict(enumerate(references)), {i: [caption] for i, caption in enumerate(hypotheses)}


def _tokenized(corpora: list[Corpus], split: Callable[[list[str]], list[str]]) -> list[Corpus]:
    """Return the corpora with each caption tokenised by `split`: words separated by spaces."""
    every = (c for corpus in corpora for c in chain(corpus[0], *corpus[1]))
    captions = list(dict.fromkeys(every))
    words = dict(zip(captions, split(captions), strict=True))
    return [
        ([words[c] for c in hypotheses], [[words[c] for c in cs] for cs in references])
        for hypotheses, references in corpora
    ]


def _own(captions: list[str]) -> list[str]:
    return [" ".join(tokenize(caption)) for caption in captions]
