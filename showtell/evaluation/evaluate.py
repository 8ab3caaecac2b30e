"""Scores captions: those of a model for a split of a data set, or those in a file."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from tqdm import tqdm

from showtell.caption import Caption
from showtell.captioner import BATCH, Captioner
from showtell.data import Dataset, Photograph
from showtell.deletion import Drops, deletion, drops
from showtell.errors import DataError
from showtell.evaluation.calibrate import calibration
from showtell.evaluation.grammar import faulty
from showtell.evaluation.measures import attention_difference, gates, repeats
from showtell.evaluation.scorecard import Scorecard
from showtell.evaluation.scores import require_pycocoevalcap, score, score_beside_people
from showtell.runtime import WHOLE_GRID_ONLY, State
from showtell.search import Search
from showtell.vocab import tokenize


def evaluate(
    captioner: Captioner, dataset: Dataset, split: str = "test", beam: int = Search.beam
) -> Scorecard:
    """Caption a split, and score the captions of the model and of people.

    Parameters
    ----------
    captioner : the captioner.
    dataset : the data set.
    split : name of the split.
    beam : beam width.

    Raises
    ------
    MissingExtraError : pycocoevalcap is not installed.
    DataError : there is no such split, or it is empty.
    ImageError : a photograph of the split cannot be read.
    """
    require_pycocoevalcap()
    photographs = dataset.split(split)
    captions, measured = _decode(captioner, photographs, beam)
    texts = {p.name: caption.text for p, caption in zip(photographs, captions, strict=True)}
    scores, people = score_beside_people(texts, {p.name: p.captions for p in photographs})
    words = [caption.words for caption in captions]
    maps = [caption.attention for caption in captions if len(caption.words) > 1]
    return Scorecard(
        model=captioner.name,
        split=split,
        split_hash=dataset.split_hash(split),
        beam=beam,
        photographs=len(photographs),
        unscored=0,
        scores=scores,
        people=people,
        distinct=len(set(words)) / len(words),
        novel=_novel(words, dataset.splits["train"]),
        attention_difference=fmean(map(attention_difference, maps)) if maps else None,
        vocabulary_used=len(set().union(*words)),
        repeats=fmean(map(repeats, words)),
        faults=fmean(map(faulty, words)),
        people_repeat=fmean(repeats(tokenize(c)) for p in photographs for c in p.captions),
        deletion=deletion(measured) if measured else None,
        gates=gates((w, float(g)) for c in captions for w, g in zip(c.words, c.gates, strict=True)),
        calibration=calibration(captions, photographs),
        not_computed={} if captioner.runtime.cells_vary else {"deletion": WHOLE_GRID_ONLY},
    )


def evaluate_files(predictions: Path, references: Path) -> Scorecard:
    """Score a file of captions in COCO's result format, as COCO's evaluation does.

    Parameters
    ----------
    predictions : JSON file, a list of ``{"image_id", "caption"}``. Only these images are scored.
    references : JSON file, ``{"annotations": [{"image_id", "caption"}, ...]}``.

    Raises
    ------
    MissingExtraError : pycocoevalcap is not installed.
    DataError : a file has another format, or an image has two predictions or no references.
    """
    hypotheses = _read_predictions(predictions)
    wanted = _read_references(references)
    for image in hypotheses.keys() - wanted.keys():
        raise DataError(
            f"{predictions} has a caption for image {image!r}, but {references} has none"
        )
    words = [tuple(tokenize(caption)) for caption in hypotheses.values()]
    return Scorecard(
        model=predictions.name,
        split=references.name,
        split_hash=hashlib.sha256(references.read_bytes()).hexdigest(),
        beam=None,
        photographs=len(hypotheses),
        unscored=len(wanted) - len(hypotheses),
        scores=score(hypotheses, wanted),
        people=None,
        distinct=len(set(words)) / len(words),
        novel=None,
        attention_difference=None,
        vocabulary_used=len(set().union(*words)),
        repeats=fmean(map(repeats, words)),
        faults=fmean(map(faulty, words)),
    )


def _decode(
    captioner: Captioner, photographs: Sequence[Photograph], beam: int
) -> tuple[list[Caption], list[Drops]]:
    """Caption the photographs, and measure the deletion of each word if the model allows it."""
    captions: list[Caption] = []
    measured: list[Drops] = []
    rng = np.random.default_rng(0)
    with tqdm(total=len(photographs), desc="captioning", disable=None) as bar:
        for i in range(0, len(photographs), BATCH):
            encoded = captioner.encode([p.path for p in photographs[i : i + BATCH]])
            batch = captioner.decode(encoded, beam=beam)
            if captioner.runtime.cells_vary:
                measured += _drops(captioner, encoded.state, batch, rng)
            captions += batch
            bar.update(len(captions) - bar.n)
    return captions, measured


def _drops(
    captioner: Captioner, state: State, captions: list[Caption], rng: np.random.Generator
) -> list[Drops]:
    measured = []
    for i, caption in enumerate(captions):
        _, *words, _ = captioner.bundle.vocabulary.encode(caption.words)
        if words:
            one = captioner.runtime.select(state, np.array([i]), np.zeros((1, 1), np.int64))
            measured.append(drops(captioner.runtime, one, words, rng))
    return measured


def _novel(captions: list[tuple[str, ...]], training: Sequence[Photograph]) -> float | None:
    known = {tuple(tokenize(caption)) for p in training for caption in p.captions}
    return fmean(words not in known for words in captions) if known else None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error


def _read_predictions(path: Path) -> dict[int | str, str]:
    captions: dict[int | str, str] = {}
    for image, caption in _entries(path, _read_json(path), "the file"):
        if image in captions:
            raise DataError(f"{path} has two captions for image {image!r}: keep one")
        captions[image] = caption
    return captions


def _read_references(path: Path) -> dict[int | str, list[str]]:
    stored = _read_json(path)
    if not isinstance(stored, dict):
        raise DataError(
            f"{path} is not in COCO's format: it needs an object with a list 'annotations'"
        )
    captions: dict[int | str, list[str]] = {}
    for image, caption in _entries(path, stored.get("annotations"), "'annotations'"):
        captions.setdefault(image, []).append(caption)
    return captions


def _entries(path: Path, entries: Any, what: str) -> list[tuple[int | str, str]]:
    """Return (image_id, caption) of each entry of a list in COCO's format."""
    if not isinstance(entries, list) or not entries:
        raise DataError(f"{path} is not in COCO's format: {what} must be a list of captions")
    for number, entry in enumerate(entries, start=1):
        match entry:
            case {"image_id": int() | str(), "caption": str()}:
                continue
        raise DataError(
            f"{path}, entry {number}: needs 'image_id' (number or string) and 'caption' (string)"
        )
    return [(entry["image_id"], entry["caption"]) for entry in entries]
