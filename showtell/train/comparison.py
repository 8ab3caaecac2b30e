"""Before and after: what two models say of photographs that neither learned from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from showtell.captioner import Captioner
from showtell.data import Photograph
from showtell.evaluation.scores import quick
from showtell.vocab import tokenize


class Change(NamedTuple):
    """A number of the model as it was, and of the model as it is."""

    before: float
    after: float


class Said(NamedTuple):
    """What is said of a photograph: by the model as it was, as it is, and by a person."""

    name: str
    before: str
    after: str
    wanted: str


@dataclass(frozen=True)
class Comparison:
    """Two models, beside what a person says.

    Attributes
    ----------
    said : of each photograph that is held out.
    words : share of the words that are right: F1 of the caption's words and the person's, in any
        order, mean over the photographs.
    logprob : natural logarithm of the probability of a word of the person's, behind those before
        it, mean over all words; a word that a model does not know counts as ``<unk>``.
    known : photographs of the old test split.
    cider : CIDEr-D on them.
    """

    said: tuple[Said, ...]
    words: Change
    logprob: Change
    known: int
    cider: Change

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers, in plain types; the captions are nobody else's business."""
        return {
            "held_out": len(self.said),
            "words": self.words._asdict(),
            "logprob": self.logprob._asdict(),
            "known": self.known,
            "cider": self.cider._asdict(),
        }

    def captions(self) -> str:
        """Return what is said of each photograph, side by side."""
        return "\n".join(
            f"{said.name}\n  before  {said.before}\n  after   {said.after}\n  yours   {said.wanted}"
            for said in self.said
        )

    def __str__(self) -> str:
        n = f"{len(self.said)} photographs held out"
        rows = [
            (f"words that are right, of {n}", self.words, 3),
            (f"log-probability of a word, of {n}", self.logprob, 3),
            (f"CIDEr on the {self.known:,} old test photographs", self.cider, 4),
        ]
        lines = [
            f"{what:55} {change.before:7.{digits}f} {change.after:7.{digits}f}"
            for what, change, digits in rows
        ]
        return "\n".join([f"{'':55} {'before':>7} {'after':>7}", *lines])


def compare(
    before: Captioner,
    after: Captioner,
    held_out: Sequence[Photograph],
    known: Sequence[Photograph],
) -> Comparison:
    """Compare two models.

    Parameters
    ----------
    before, after : the models, as they ship.
    held_out : photographs that `after` did not learn from, at least one; the first caption of each
        is the person's.
    known : photographs of the test split of what `before` was trained on.

    Raises
    ------
    ImageError : a photograph cannot be read.
    """
    models = before, after
    wanted = [photograph.captions[0] for photograph in held_out]
    said = [[c.text for c in m.caption([p.path for p in held_out])] for m in models]
    names = [photograph.name for photograph in held_out]
    return Comparison(
        said=tuple(map(Said, names, *said, wanted)),
        words=Change(*(fmean(map(words_right, captions, wanted)) for captions in said)),
        logprob=Change(*(mean_logprob(model, held_out) for model in models)),
        known=len(known),
        cider=Change(*(cider(model, known) for model in models)),
    )


def words_right(caption: str, wanted: str) -> float:
    """Return F1 of the words of a caption and of those that it should have, in any order."""
    said, should = Counter(tokenize(caption)), Counter(tokenize(wanted))
    return 2 * (said & should).total() / (said.total() + should.total())


def mean_logprob(captioner: Captioner, photographs: Sequence[Photograph]) -> float:
    """Return the mean log-probability of a word of the first captions, their ends included."""
    logprobs = []
    for photograph in photographs:
        state = captioner.encode([photograph.path]).state
        words = captioner.bundle.vocabulary.encode(tokenize(photograph.captions[0]))
        for last, word in pairwise(words):
            step, state = captioner.runtime.step(state, np.array([[last]]))
            logprobs.append(float(step.logprobs[0, 0, word]))
    return fmean(logprobs)


def cider(captioner: Captioner, photographs: Sequence[Photograph]) -> float:
    """Return CIDEr-D of the captions of photographs, on words as :mod:`showtell.vocab` has them."""
    captions = captioner.caption([photograph.path for photograph in photographs])
    said = {p.name: c.words for p, c in zip(photographs, captions, strict=True)}
    return quick(said, {p.name: [tokenize(c) for c in p.captions] for p in photographs})[1]
