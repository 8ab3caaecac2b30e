"""Captions in common layouts, and tables as spreadsheets write them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from showtell.data import Dataset, load
from showtell.errors import DataError

Draw = Callable[..., None]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def captions(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    return {p.name: p.captions for photographs in dataset.splits.values() for p in photographs}


@pytest.mark.parametrize(
    "text",
    [
        "image,caption,,\na.jpg,A dog,,\n,,,\n,,,\nb.jpg,A cat,,\n",
        "image,caption\na.jpg,A dog,,,\n   \n , \nb.jpg,A cat\n",
        "\ufeffImage;Caption\r\na.jpg;A dog\r\n;\r\nb.jpg;A cat\r\n",
        "caption\timage\nA dog\ta.jpg\nA cat\t./b.jpg\n",
        'image,caption\n./a.jpg,A dog\n".\\b.jpg",A cat\n',
    ],
    ids=["rows of commas", "rows of spaces", "semicolons", "tabs", "names with a dot"],
)
def test_what_spreadsheets_write_is_read(tmp_path: Path, draw: Draw, text: str) -> None:
    draw(tmp_path, "a.jpg", "b.jpg")
    write(tmp_path / "captions.csv", text)
    dataset = load(tmp_path)
    assert captions(dataset) == {"a.jpg": ("A dog",), "b.jpg": ("A cat",)}
    assert dataset.findings.sentences() == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("image,caption,caption\na.jpg,A dog,Dogs\n", "line 1: 2 columns 'caption'; keep one, and"),
        ("image,caption,Image\na.jpg,A dog,b\n", "line 1: 2 columns 'image'; keep one"),
        ("image,caption\na.jpg\n", "line 2: no caption: the line has 1 of 2 cells"),
        ("image,caption,split\n\na.jpg,A dog\n", "line 3: no split: the line has 2 of 3 cells"),
        ("image,caption\n ,A dog\n", "line 2: no image: the caption has no file name"),
    ],
)
def test_what_would_be_lost_is_told_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    write(tmp_path / "captions.csv", text)
    with pytest.raises(DataError, match=rf"captions\.csv, {reason}"):
        load(tmp_path)


@pytest.mark.parametrize("folder", ["images/", "./images/", "images\\", "images//"])
def test_names_with_a_folder(tmp_path: Path, draw: Draw, folder: str) -> None:
    draw(tmp_path / "images", "a.jpg", "b.jpg")
    draw(tmp_path, "c.jpg")
    write(tmp_path / "captions.csv", f"image,caption\n{folder}a.jpg,A dog\nc.jpg,A cat\n")
    dataset = load(tmp_path)
    assert captions(dataset) == {"images/a.jpg": ("A dog",), "c.jpg": ("A cat",)}
    assert dataset.findings.sentences() == [
        "1 photograph has no caption: it is left out (images/b.jpg)."
    ]


def test_a_folder_does_not_change_a_split(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "images", "house.jpg", "goose.jpg", "dog.jpg")
    names = "image,caption\nimages/house.jpg,A house\ngoose.jpg,A goose\ndog.jpg,A dog\n"
    write(tmp_path / "captions.csv", names)
    splits = load(tmp_path).splits
    assert [p.name for split in ("train", "dev", "test") for p in splits[split]] == [
        "dog.jpg",
        "images/house.jpg",
        "goose.jpg",
    ]


def test_a_text_beside_each_picture(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path, "a.jpg", "b.png", "c.jpg")
    write(tmp_path / "a.txt", "A dog.\n\nDogs.\n")
    write(tmp_path / "b.txt", "\ufeffA cat\r\n")
    write(tmp_path / "notes.txt", "not a caption")
    dataset = load(tmp_path)
    assert dataset.layout == "texts"
    assert captions(dataset) == {"a.jpg": ("A dog.", "Dogs."), "b.png": ("A cat",)}
    assert dataset.findings.uncaptioned.examples == ("c.jpg",)


def test_image_folders_of_hugging_face(tmp_path: Path, draw: Draw) -> None:
    for split in ("train", "validation", "test"):
        draw(tmp_path / split, f"{split}.jpg")
        line = {"file_name": f"{split}.jpg", "text": f"A {split}", "width": 8}
        write(tmp_path / split / "metadata.jsonl", json.dumps(line) + "\n\n")
    dataset = load(tmp_path)
    found = {split: [p.name for p in photos] for split, photos in dataset.splits.items()}
    assert found == {
        "train": ["train/train.jpg"],
        "dev": ["validation/validation.jpg"],
        "test": ["test/test.jpg"],
    }
    assert dataset.findings.sentences() == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.jsonl", '{"file_name": "sub/a.jpg", "captions": ["A dog", "Dogs"]}\n'),
        ("metadata.csv", "file_name,text\nsub/a.jpg,A dog\nsub/a.jpg,Dogs\n"),
    ],
)
def test_metadata_in_one_folder(tmp_path: Path, draw: Draw, name: str, text: str) -> None:
    draw(tmp_path / "sub", "a.jpg")
    write(tmp_path / name, text)
    assert captions(load(tmp_path)) == {"sub/a.jpg": ("A dog", "Dogs")}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 2: not JSON"),
        ('{"file_name": "a.jpg"}', "line 2: needs 'file_name' and one of text, caption, captions"),
        ('{"file_name": "a.jpg", "text": 3}', "line 2: needs 'file_name'"),
        ('["a.jpg"]', "line 2: needs 'file_name'"),
    ],
)
def test_broken_metadata_names_the_line(tmp_path: Path, line: str, reason: str) -> None:
    write(tmp_path / "metadata.jsonl", f'{{"file_name": "a.jpg", "text": "A dog"}}\n{line}\n')
    with pytest.raises(DataError, match=rf"metadata\.jsonl, {reason}"):
        load(tmp_path)


def coco(path: Path, *names: str) -> None:
    images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
    told = [{"id": i, "image_id": i, "caption": f"A {name[0]}"} for i, name in enumerate(names)]
    write(path, json.dumps({"images": images, "annotations": told}))


def test_captions_of_coco(tmp_path: Path, draw: Draw) -> None:
    for split in ("train", "val"):
        draw(tmp_path / f"{split}2017", f"{split[0]}.jpg")
        coco(tmp_path / "annotations" / f"captions_{split}2017.json", f"{split[0]}.jpg")
    dataset = load(tmp_path)
    found = {split: [p.name for p in photos] for split, photos in dataset.splits.items()}
    assert (dataset.layout, found) == ("coco", {"train": ["t.jpg"], "dev": ["v.jpg"], "test": []})


def test_one_file_of_coco_is_split_by_names(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "images", "dog.jpg", "house.jpg")
    coco(tmp_path / "captions_val2017.json", "dog.jpg", "house.jpg")
    splits = load(tmp_path).splits
    assert [len(splits[name]) for name in ("train", "dev", "test")] == [1, 1, 0]


@pytest.mark.parametrize("text", ['{"images": []}', "[]", '{"images": [{}], "annotations": []}'])
def test_other_json_is_told(tmp_path: Path, text: str) -> None:
    write(tmp_path / "captions_val2017.json", text)
    with pytest.raises(DataError, match=r"val2017\.json, line 1: needs lists 'images'"):
        load(tmp_path)


def test_flickr30k_and_its_broken_row(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "flickr30k_images", "a.jpg", "b.jpg")
    rows = ["a.jpg| 0| Two dogs | one of them wet .", "a.jpg| 1| Dogs .", "b.jpg| 0   A cat runs ."]
    rows += ["b.jpg| 1| A cat ."]
    text = "\n".join(["image_name| comment_number| comment", *rows])
    write(tmp_path / "results.csv", text)
    dataset = load(tmp_path)
    assert dataset.layout == "flickr30k-kaggle"
    assert captions(dataset) == {
        "a.jpg": ("Two dogs | one of them wet .", "Dogs ."),
        "b.jpg": ("A cat .",),
    }
    assert dataset.findings.sentences() == ["1 line cannot be read: it is skipped (line 4)."]
