import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from showtell.data import load
from showtell.errors import DataError

Draw = Callable[..., None]


def image(name: str, split: str, *captions: str) -> dict[str, Any]:
    sentences = [{"raw": caption, "tokens": ["not", "used"]} for caption in captions]
    return {"filename": name, "split": split, "sentences": sentences, "imgid": 0}


def write(root: Path, *images: Any, file: str = "dataset_flickr8k.json") -> Path:
    root.mkdir(exist_ok=True)
    (root / file).write_text(json.dumps({"dataset": "flickr8k", "images": images}))
    return root


@pytest.mark.parametrize("folder", [".", "Images", "images", "Flicker8k_Dataset"])
def test_splits_and_captions(tmp_path: Path, draw: Draw, folder: str) -> None:
    draw(tmp_path / folder, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    dataset = load(
        write(
            tmp_path,
            image("a.jpg", "train", " A dog .", "Dogs ."),
            image("b.jpg", "restval", "A cat ."),
            image("c.jpg", "val", "A cow ."),
            image("d.jpg", "test", "A hen ."),
        )
    )
    assert dataset.layout == "karpathy"
    found = {split: [p.name for p in photos] for split, photos in dataset.splits.items()}
    assert found == {"train": ["a.jpg", "b.jpg"], "dev": ["c.jpg"], "test": ["d.jpg"]}
    assert dataset.split("train")[0].captions == ("A dog .", "Dogs .")
    assert dataset.findings.sentences() == []


def test_coco_in_its_two_folders(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "train2014", "a.jpg")
    draw(tmp_path / "val2014", "b.jpg")
    images = image("a.jpg", "train", "A dog ."), image("b.jpg", "test", "A cat .")
    dataset = load(write(tmp_path, *images, file="dataset_coco.json"))
    assert dataset.split("test")[0].path == tmp_path / "val2014" / "b.jpg"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"images": [\n{"filename": }]}', r"json, line 2: not JSON: Expecting value"),
        ("[" * 100_000, r"line 1: not JSON that can be read"),
        ('{"pictures": []}', r"no list 'images'"),
        ("[]", r"no list 'images'"),
    ],
)
def test_broken_json(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "dataset_flickr8k.json").write_text(text)
    with pytest.raises(DataError, match=reason):
        load(tmp_path)


@pytest.mark.parametrize(
    "broken",
    [
        {"split": "train", "sentences": []},
        image("b.jpg", "training", "A dog ."),
        {**image("b.jpg", "train"), "sentences": [{"tokens": []}]},
        {**image("b.jpg", "train"), "sentences": [{"raw": None}]},
        {**image("b.jpg", "train"), "split": ["train"]},
        "b.jpg",
    ],
)
def test_broken_image_is_named(tmp_path: Path, broken: Any) -> None:
    write(tmp_path, image("a.jpg", "train", "A dog ."), broken)
    with pytest.raises(DataError, match=r"dataset_flickr8k\.json, image 2: needs 'filename'"):
        load(tmp_path)


def test_image_in_two_splits(tmp_path: Path) -> None:
    write(tmp_path, image("a.jpg", "train", "A dog ."), image("a.jpg", "test", "A dog ."))
    with pytest.raises(DataError, match=r"image 2: a\.jpg is in the train split and in the test"):
        load(tmp_path)
