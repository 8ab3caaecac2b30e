from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from showtell.data import load
from showtell.data.release import split_by_name
from showtell.errors import DataError

Draw = Callable[..., None]


def write(root: Path, text: str) -> Path:
    (root / "captions.csv").write_text(text, encoding="utf-8")
    return root


def test_splits_that_were_chosen(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path, "a.jpg", "b.JPG", "c.png")
    text = 'split,image,caption\ntrain,a.jpg,"A dog, a ball"\ntrain,a.jpg,Dogs\n\n'
    text += "val,b.JPG,A cat\ntest,c.png,A hen\n"
    dataset = load(write(tmp_path, text))
    assert dataset.layout == "own"
    found = {split: [p.name for p in photos] for split, photos in dataset.splits.items()}
    assert found == {"train": ["a.jpg"], "dev": ["b.JPG"], "test": ["c.png"]}
    assert dataset.split("train")[0].captions == ("A dog, a ball", "Dogs")
    assert dataset.split("train")[0].path == tmp_path / "a.jpg"


def test_splits_by_name(tmp_path: Path, draw: Draw) -> None:
    photographs = [f"{i}.jpg" for i in range(30)]
    draw(tmp_path, *photographs)
    dataset = load(
        write(tmp_path, "image,caption\n" + "".join(f"{n},A dog\n" for n in photographs))
    )
    for split, photos in dataset.splits.items():
        assert [p.name for p in photos] == sorted(
            n for n in photographs if split_by_name(n) == split
        )


def test_rule_is_the_one_that_is_written_down() -> None:
    """A photograph's split must be the same in all versions."""
    splits = [split_by_name(name) for name in ("dog.jpg", "house.jpg", "goose.jpg")]
    assert splits == ["train", "dev", "test"]
    counts = Counter(split_by_name(f"{i}.jpg") for i in range(10_000))
    assert counts["dev"] == pytest.approx(1000, rel=0.1)
    assert counts["test"] == pytest.approx(1000, rel=0.1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"line 1: no column 'image'; the first line must be image,caption"),
        ("image,text\na.jpg,A dog\n", r"line 1: no column 'caption'"),
        ("image,caption\na.jpg,A dog, a ball\n", r"line 2: 3 cells for 2 columns; quote"),
        ("image,caption\na.jpg\n", r"line 2: no caption: the line has 1 of 2 cells"),
        ('image,caption\na.jpg,"A dog\nb.jpg,A cat\n', r"line 3: unexpected end of data; is a"),
        ("image,caption,split\na.jpg,A dog,training\n", r"line 2: split 'training' is not one of"),
        ("image,caption,split\na.jpg,A dog,\n", r"line 2: split '' is not one of train, "),
        (
            "image,caption,split\na.jpg,A dog,train\na.jpg,Dogs,test\n",
            r"line 3: a\.jpg is in the train split and in the test split",
        ),
    ],
)
def test_broken_table_names_file_and_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DataError, match=r"captions\.csv, " + reason):
        load(write(tmp_path, text))


def test_utf_16_is_refused(tmp_path: Path) -> None:
    (tmp_path / "captions.csv").write_text("image,caption\na.jpg,A dog\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"captions\.csv, line 1: not UTF-8 text; save the file as"):
        load(tmp_path)
