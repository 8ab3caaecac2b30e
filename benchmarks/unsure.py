"""Compare what tells bad captions from good ones, and write the tables into docs/doubt.md.

python benchmarks/unsure.py --data flickr8k --data coco [--model M]

Everything is fitted anew on one half of each dev split and judged on the other half, and the other
way round, with several partitions.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from captions import cider_of_each
from doubt import DOCS, auroc, table
from scipy.stats import spearmanr

from showtell.captioner import BATCH, Captioner, load
from showtell.confidence import are_visual, features, visual_mean
from showtell.data import Photograph
from showtell.data import load as load_data
from showtell.evaluation import calibrate
from showtell.vocab import SPECIAL, tokenize

PARTITIONS = 5
FLAGGED = 1 / 6  # of each split, where scores are compared
WORST, ELEVEN = 0.1, 11
MEASURED = re.compile(r"(?<=<!-- unsure -->\n).*?(?=<!-- /unsure -->)", re.S)


@dataclass(frozen=True, eq=False)
class Told:
    """A caption, and what is known about it.

    Attributes
    ----------
    words : T.
    inputs : (T, 9) features of the words.
    detected : (V,) evidence of the detector.
    ids : of the words.
    right : (T,) which of them are right.
    strange : whether the photograph is out of distribution.
    """

    words: Sequence[str]
    inputs: np.ndarray
    detected: np.ndarray
    ids: Sequence[int]
    right: np.ndarray
    strange: bool

    @property
    def visual(self) -> np.ndarray:
        """Which words are visual, (T,); all where none is."""
        visual = are_visual(self.words)
        return visual if visual.any() else ~visual


@dataclass(frozen=True, eq=False)
class Split:
    """The captions of a dev split, and CIDEr-D of each."""

    name: str
    told: list[Told]
    cider: np.ndarray


def see(captioner: Captioner, name: str, photographs: Sequence[Photograph]) -> Split:
    """Caption the photographs of a split."""
    told: list[Told] = []
    model, vocabulary = captioner.confidence_model, captioner.bundle.vocabulary
    for i in range(0, len(photographs), BATCH):
        batch = photographs[i : i + BATCH]
        encoded = captioner.encode([p.path for p in batch])
        if encoded.state.evidence is None or model is None:
            raise click.UsageError("this model has no word detector or no confidence model")
        strange = model.ood_score(encoded.state.annotations) > model.ood_limit
        for row, (c, photograph) in enumerate(zip(captioner.decode(encoded), batch, strict=True)):
            seen = captioner.evidence(encoded, row, c.words)
            inputs = features(c.probabilities, c.gates, c.logprob, seen)
            detected, ids = encoded.state.evidence[row, 0], [vocabulary.id(w) for w in c.words]
            right = calibrate.right(c, photograph)
            told.append(Told(c.words, inputs, detected, ids, right, bool(strange[row])))
    said = {p.name: t.words for p, t in zip(photographs, told, strict=True)}
    wanted = {p.name: [tokenize(c) for c in p.captions] for p in photographs}
    return Split(name, told, np.array(cider_of_each(said, wanted)))


# Of the words of a caption, (T, n), what their confidence is computed from.
Inputs = Callable[[Told], np.ndarray]


def columns(n: int) -> Inputs:
    """Return the inputs that are the first `n` features."""
    return lambda told: told.inputs[:, :n]


def with_whole(value: Callable[[Told], float]) -> Inputs:
    """Return the inputs that are all features, and a value of the whole caption."""
    return lambda told: np.c_[told.inputs, np.full(len(told.words), value(told))]


def best(told: Told) -> float:
    """Return the highest evidence of the visual words."""
    return float(told.inputs[told.visual, 8].max())


def unsaid(visual: np.ndarray, told: Told) -> float:
    """Return the highest evidence of a visual word (V,) of the vocabulary that is not said."""
    return float(np.delete(told.detected, told.ids)[np.delete(visual, told.ids)].max())


def halves(splits: Sequence[Split]) -> Iterator[list[np.ndarray]]:
    """Return of each split which captions are fitted on, (P,) bool; the others are judged."""
    rng = np.random.default_rng(0)
    for _ in range(PARTITIONS):
        first = [rng.permutation(len(s.told)) < len(s.told) // 2 for s in splits]
        yield first
        yield [~half for half in first]


def confidences(splits: Sequence[Split], inputs: Inputs) -> list[list[np.ndarray]]:
    """Return of each caption the confidences of its words, from fits without that caption."""
    x = [[inputs(t) for t in s.told] for s in splits]
    found = [[np.zeros(len(t.words)) for t in s.told] for s in splits]
    for fitted in halves(splits):
        rows = [(s, i) for s, half in enumerate(fitted) for i in np.flatnonzero(half)]
        told = [splits[s].told[i] for s, i in rows]
        X = np.concatenate([x[s][i] for s, i in rows])
        right = np.concatenate([t.right for t in told])
        kind = np.concatenate([are_visual(t.words) for t in told])
        n = np.repeat([1 / len(splits[s].told) for s, _ in rows], [len(t.words) for t in told])
        n *= len(n) / n.sum()
        visual, function = (calibrate.logistic(X[k], right[k], n[k]) for k in (kind, ~kind))
        for s, half in enumerate(fitted):
            for i in np.flatnonzero(~half):
                kinds = are_visual(splits[s].told[i].words)[:, None]
                logits = (x[s][i] * np.where(kinds, visual, function)).sum(axis=1)
                found[s][i] += 1 / (1 + np.exp(-logits)) / PARTITIONS
    return found


# Of the captions of each split, the lower the worse.
Scores = list[np.ndarray]


def means(splits: Sequence[Split], found: list[list[np.ndarray]]) -> Scores:
    """Return the mean confidence of the visual words."""
    return [
        np.array([visual_mean(t.words, c) for t, c in zip(s.told, own, strict=True)])
        for s, own in zip(splits, found, strict=True)
    ]


def of_each(splits: Sequence[Split], score: Callable[[Told], float]) -> Scores:
    """Return a score that needs no fit."""
    return [np.array([score(t) for t in s.told]) for s in splits]


def candidates(splits: Sequence[Split], visual: np.ndarray) -> Iterator[tuple[str, Scores]]:
    """Return the scores that are compared, by name; `visual` (V,) are words of the vocabulary."""
    sets = {
        "probabilities": columns(5),
        "and the classifier": columns(8),
        "and the detector's evidence for the word": columns(9),
        "and the highest evidence of the caption's words": with_whole(best),
        "instead, the highest evidence of a word not said": with_whole(lambda t: unsaid(visual, t)),
    }
    found = {name: confidences(splits, inputs) for name, inputs in sets.items()}
    yield from ((name, means(splits, own)) for name, own in found.items())
    kept = found["and the detector's evidence for the word"]
    lowest = [
        np.array([c[t.visual].min() for t, c in zip(s.told, own, strict=True)])
        for s, own in zip(splits, kept, strict=True)
    ]
    yield "lowest confidence instead of the mean", lowest
    plain: dict[str, Callable[[Told], float]] = {
        "mean evidence": lambda t: t.inputs[t.visual, 8].mean(),
        "lowest evidence": lambda t: t.inputs[t.visual, 8].min(),
        "highest evidence": best,
        "highest evidence less that of a word not said": lambda t: best(t) - unsaid(visual, t),
        "evidence of a word not said": lambda t: -unsaid(visual, t),
    }
    yield from ((name, of_each(splits, score)) for name, score in plain.items())


def compare(splits: Sequence[Split], visual: np.ndarray) -> Iterator[list[str]]:
    """Return a row of each score: how well it ranks captions, and which it would flag."""
    figures = ("AUROC", "rank", f"worst {ELEVEN}", "worst tenth", "better half")
    yield ["score", *(f"{s.name}: {figure}" for s in splits for figure in figures)]
    for name, scores in candidates(splits, visual):
        row = [name]
        for split, score in zip(splits, scores, strict=True):
            order, n = np.argsort(split.cider, kind="stable"), len(score)
            worst, better = order[: round(WORST * n)], order[n // 2 :]
            flagged = np.argsort(np.argsort(score, kind="stable")) < round(FLAGGED * n)
            row += [
                f"{auroc(-score[order[len(worst) :]], -score[worst]):.3f}",
                f"{spearmanr(score, split.cider).statistic:.2f}",
                str(flagged[order[:ELEVEN]].sum()),
                *(f"{100 * flagged[which].mean():.0f}%" for which in (worst, better)),
            ]
        yield row


def as_exported(splits: Sequence[Split]) -> Iterator[list[str]]:
    """Return a row of each kind of captions: how many are unsure, by the rule of the export."""
    yield ["unsure", *(s.name for s in splits)]
    scores = means(splits, confidences(splits, columns(9)))
    shares = [np.array([visual_mean(t.words, t.right) for t in s.told]) for s in splits]
    good = [share >= calibrate.GOOD for share in shares]
    known = np.concatenate([score[g] for score, g in zip(scores, good, strict=True)])
    least = np.quantile(known, calibrate.MISSED_GOOD)
    rows: dict[str, list[str]] = {}
    for split, score, share, g in zip(splits, scores, shares, good, strict=True):
        unsure = (score < least) | np.array([t.strange for t in split.told])
        order, n = np.argsort(split.cider, kind="stable"), len(score)
        parts = {
            "all": np.arange(n),
            f"the {ELEVEN} worst": order[:ELEVEN],
            "the worst tenth": order[: round(WORST * n)],
            "the better half": order[n // 2 :],
            "two thirds of the visual words are right": np.flatnonzero(g),
        }
        for name, which in parts.items():
            rows.setdefault(name, []).append(f"{unsure[which].sum()} of {len(which)}")
        for name, which in (("unsure", unsure), ("sure", ~unsure)):
            row = rows.setdefault(f"visual words that are right where it is {name}", [])
            row.append(f"{share[which].mean():.3f}")
    yield from ([name, *row] for name, row in rows.items())


@click.command()
@click.option("--data", required=True, multiple=True, help="A data set with a dev split.")
@click.option("--model", help="A bundle's folder; the one that ships if not given.")
def main(data: tuple[str, ...], model: str | None) -> None:
    """Measure on dev splits, and write docs/doubt.md."""
    captioner = load(model)
    splits = [see(captioner, Path(each).name, load_data(each).split("dev")) for each in data]
    words = captioner.bundle.vocabulary.words
    visual = are_visual(words) & ~np.isin(words, SPECIAL)
    parts = (f"Of {captioner.name}.", table(as_exported(splits)), table(compare(splits, visual)))
    measured = "\n" + "\n\n".join(parts) + "\n\n"
    click.echo(measured)
    page = DOCS / "doubt.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(MEASURED.sub(lambda _: measured, text), encoding="utf-8")


if __name__ == "__main__":
    main()
