"""Evaluates a model's confidences and its out-of-distribution detection; writes docs/doubt.md.

python benchmarks/doubt.py --data flickr8k [--model M]

Confidences: reliability on the test split, to which nothing was fitted. Out-of-distribution
detection: a comparison of several scores, on the photographs of the test split and on pictures of
other kinds (strange.py).
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import strange
from PIL import Image, ImageFilter
from scipy.cluster.vq import kmeans2
from scipy.stats import rankdata

from showtell.bundle import COMPONENTS
from showtell.caption import Caption
from showtell.captioner import BATCH, Captioner, load
from showtell.confidence import ConfidenceModel
from showtell.data import Photograph
from showtell.data import load as load_data
from showtell.evaluation import calibrate

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = 40  # pictures of each kind
CENTRES = 128
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- /measured -->)", re.S)


class Seen(NamedTuple):
    """Mean annotations of photographs, (N, D), and their captions."""

    means: np.ndarray
    captions: list[Caption]


# Returns a score for each photograph of a set; higher is more unusual.
Score = Callable[[Seen], np.ndarray]


def see(captioner: Captioner, sources: Sequence[Path] | Sequence[bytes]) -> Seen:
    """Encode and caption photographs."""
    means, captions = [], []
    for i in range(0, len(sources), BATCH):
        encoded = captioner.encode(sources[i : i + BATCH])
        means.append(encoded.state.annotations.mean(axis=1))
        captions += captioner.decode(encoded)
    return Seen(np.concatenate(means), captions)


# Out-of-distribution detection


def scores(training: np.ndarray) -> dict[str, Score]:
    """Return the scores to compare, fitted to the mean annotations (N, D) of training data."""
    centres, _ = kmeans2(training, CENTRES, iter=20, minit="++", seed=0)

    def nearest(seen: Seen) -> np.ndarray:
        return np.sqrt(((seen.means[:, None] - centres) ** 2).sum(axis=2)).min(axis=1)

    return {
        "log-probability a word": lambda seen: -np.array([_logprob(c) for c in seen.captions]),
        "disagreement within the beam": lambda seen: -np.array([_alike(c) for c in seen.captions]),
        "length of the mean annotation": lambda seen: np.linalg.norm(seen.means, axis=1),
        f"distance to the nearest of {CENTRES} centres": nearest,
        "Mahalanobis, 64 directions": _mahalanobis(training, 64),
        **{f"outside of {k} directions": _outside(training, k) for k in (16, 32, 64, 128)},
    }


def _logprob(caption: Caption) -> float:
    return caption.logprob / (len(caption.words) + 1)


def _alike(caption: Caption) -> float:
    """Return the share of words that two captions of the beam have in common, mean over pairs."""
    sets = [set(one.words) for one in (caption, *caption.alternatives)]
    pairs = [len(a & b) / len(a | b) for i, a in enumerate(sets) for b in sets[:i]]
    return float(np.mean(pairs))


def _mahalanobis(training: np.ndarray, k: int) -> Score:
    mean = training.mean(axis=0)
    _, lengths, directions = np.linalg.svd(training - mean, full_matrices=False)
    return lambda seen: (((seen.means - mean) @ directions[:k].T / lengths[:k]) ** 2).sum(axis=1)


def _outside(training: np.ndarray, k: int) -> Score:
    known = ConfidenceModel(np.zeros(5), np.zeros(5), calibrate.components(training, k), 0.0)
    return lambda seen: known.ood_score(seen.means[:, None])


def auroc(familiar: np.ndarray, stranger: np.ndarray) -> float:
    """Return the probability that a value of the second set is above one of the first."""
    ranks = rankdata(np.concatenate([familiar, stranger]))[len(familiar) :]
    n = len(stranger)
    return float((ranks.sum() - n * (n + 1) / 2) / (len(familiar) * n))


def compare(training: np.ndarray, dev: Seen, test: Seen, strangers: dict[str, Seen]) -> Iterator:
    """Return a row per score: AUROC, false alarms on test, and detections of each kind."""
    yield ["score", "AUROC", "test split", *(name.replace("_", " ") for name in strangers)]
    for name, score in scores(training).items():
        limit = np.quantile(score(dev), 1 - calibrate.FALSE_ALARMS)
        found = [score(seen) for seen in strangers.values()]
        familiar = score(test)
        area = auroc(familiar, np.concatenate(found))
        yield [
            name,
            f"{area:.3f}",
            *(f"{100 * (s > limit).mean():.0f}" for s in (familiar, *found)),
        ]


# Changes after which a photograph is still in distribution.
CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda photo: photo,
    "grey": lambda photo: photo.convert("L"),
    "a third as bright": lambda photo: photo.point(lambda value: value // 3),
    "on its side": lambda photo: photo.transpose(Image.Transpose.ROTATE_90),
    "the middle, half as wide and high": lambda photo: photo.crop(
        (photo.width // 4, photo.height // 4, 3 * photo.width // 4, 3 * photo.height // 4)
    ),
    "blurred by 2 pixels": lambda photo: photo.filter(ImageFilter.GaussianBlur(2)),
    "a sixth as large": lambda photo: photo.reduce(6),
}


def changed(
    captioner: Captioner, model: ConfidenceModel, photographs: Sequence[Photograph]
) -> Iterator:
    """Return a row per change: how many photographs are called out of distribution after it."""
    yield [f"{len(photographs)} photographs of the test split", "unsure"]
    for name, change in CHANGES.items():
        above: list[bool] = []
        for i in range(0, len(photographs), BATCH):
            opened = (Image.open(p.path).convert("RGB") for p in photographs[i : i + BATCH])
            encoded = captioner.encode([strange.jpeg(change(photo)) for photo in opened])
            above += (model.ood_score(encoded.state.annotations) > model.ood_limit).tolist()
        yield [name, f"{100 * np.mean(above):.1f}"]


# Confidences


def worth(raw: list[Caption], told: list[Caption], photographs: Sequence[Photograph]) -> Iterator:
    """Return a row per method: calibration error and AUROC of words, error of captions."""
    yield ["test split", "says", "is", "error", "words' error", "words' AUROC"]
    for name, captions in (("probabilities", raw), ("confidences", told)):
        found = calibrate.calibration(captions, photographs)
        said, right = calibrate.of_words(captions, photographs)
        shares = (found.confidence, found.right, found.error, found.words_error)
        area = auroc(said[~right], said[right])
        yield [name, *(f"{share:.3f}" for share in (*shares, area))]


def told_apart(captions: Sequence[Caption], photographs: Sequence[Photograph]) -> Iterator:
    """Return the share of right words where the model is sure, and where it is not."""
    _, shares = calibrate.of_captions(captions, photographs)
    unsure = np.array([caption.unsure for caption in captions])
    yield ["test split", "photographs", "visual words that are right"]
    for name, which in (("sure", ~unsure), ("unsure", unsure)):
        yield [name, str(which.sum()), f"{shares[which].mean():.3f}"]


def draw(raw: list[Caption], told: list[Caption], photographs: Sequence[Photograph]) -> None:
    """Draw the reliability diagrams of captions and of words, before and after calibration."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "doubt"  # the same file each time
    from matplotlib import pyplot

    figure, both = pyplot.subplots(1, 2, figsize=(8, 4), layout="constrained", sharey=True)
    for axes, of, title in zip(
        both, (calibrate.of_captions, calibrate.of_words), ("captions", "words"), strict=True
    ):
        axes.plot([0, 1], [0, 1], color="#bbb", linewidth=1)
        for name, captions, form in (("probabilities", raw, "s:"), ("confidences", told, "o-")):
            bins = calibrate.reliability(*of(captions, photographs))
            said, true, counts = zip(*((b.said, b.true, b.count) for b in bins), strict=True)
            (line,) = axes.plot(said, true, form, label=name)
            sizes = 900 * np.array(counts) / sum(counts)
            axes.scatter(said, true, sizes, color=line.get_color(), alpha=0.2)
        axes.set(title=title, xlabel="what they say", xlim=(0, 1), ylim=(0, 1))
    both[0].set(ylabel="share of visual words that are right")
    both[0].legend()
    figure.savefig(DOCS / "doubt.svg", metadata={"Date": None})
    pyplot.close(figure)


# The page


def table(rows: Iterator[list[str]]) -> str:
    """Return rows, the first of them the heading, as a Markdown table."""
    head, *rest = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rest))


def guesses(photographs: dict[str, Caption]) -> Iterator[list[str]]:
    """Return a row per photograph of scikit-image."""
    yield ["photograph", "caption", "confidence", "unsure"]
    for name, c in photographs.items():
        yield [name, c.text, f"{c.confidence:.2f}", "yes" if c.unsure else ""]


@click.command()
@click.option("--data", required=True, help="The data set that the model was trained on.")
@click.option("--model", help="A bundle's folder; the one that ships if not given.")
def main(data: str, model: str | None) -> None:
    """Measure, and write docs/doubt.md and docs/doubt.svg."""
    captioner, dataset = load(model), load_data(data)
    known = captioner.confidence_model
    if known is None:
        raise click.UsageError("this model has no confidence model: export it again")
    annotations = calibrate.annotations(captioner, dataset.splits["train"])
    training = np.concatenate([a.mean(axis=1) for a in annotations])
    dev = see(captioner, [p.path for p in dataset.split("dev")])
    photographs = dataset.split("test")
    test = see(captioner, [p.path for p in photographs])
    strangers = {
        kind.__name__: see(captioner, list(strange.pictures(kind, PICTURES)))
        for kind in strange.KINDS
    }
    others = strange.photographs()
    guessed = dict(zip(others, captioner.caption(list(others.values())), strict=True))
    raw = [_raw(caption) for caption in test.captions]
    draw(raw, test.captions, photographs)
    digest = hashlib.sha256((captioner.bundle.path / COMPONENTS).read_bytes()).hexdigest()
    parts = [
        f"Of {captioner.name}, `{COMPONENTS}` {digest[:12]}.",
        table(worth(raw, test.captions, photographs)),
        table(told_apart(test.captions, photographs)),
        table(compare(training, dev, test, strangers)),
        table(changed(captioner, known, photographs[::5])),
        table(guesses(guessed)),
    ]
    page = DOCS / "doubt.md"
    measured = "\n" + "\n\n".join(parts) + "\n\n"
    click.echo(measured)
    text = MEASURED.sub(lambda _: measured, page.read_text(encoding="utf-8"))
    page.write_text(text, encoding="utf-8")


def _raw(caption: Caption) -> Caption:
    """Return a caption with the confidences that it would have without a confidence model."""
    confidence = float(np.exp(_logprob(caption)))
    return replace(caption, confidence=confidence, confidences=caption.probabilities)


if __name__ == "__main__":
    main()
