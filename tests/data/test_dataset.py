import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from showtell.data import Finding, layouts, load
from showtell.errors import DataError

Draw = Callable[..., None]


def write(root: Path, *rows: str) -> Path:
    root.mkdir(exist_ok=True)
    (root / "captions.csv").write_text("\n".join(["image,caption,split", *rows, ""]))
    return root


def test_what_is_odd_is_told(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path, "a.jpg", "b.jpg", "bare.jpg", "._a.jpg")
    root = write(
        tmp_path,
        "a.jpg,A dog,train",
        "a.jpg,A dog,train",
        "a.jpg, A dog ,train",
        "a.jpg,,train",
        "b.jpg, .,train",
        "gone.jpg,A cat,train",
        "a.jpg.1,A cat,train",
    )
    dataset = load(root)
    assert [p.captions for p in dataset.split("train")] == [("A dog", "A dog", "A dog")]
    findings = dataset.findings
    assert findings.missing == Finding(1, ("gone.jpg",))
    assert findings.uncaptioned == Finding(2, ("b.jpg", "bare.jpg"))
    assert findings.stray == Finding(1, ("a.jpg.1",))
    assert findings.duplicates == Finding(2, ("a.jpg",))
    assert findings.empty == Finding(2, ("a.jpg", "b.jpg"))
    assert findings.sentences()[:2] == [
        "1 photograph is named but has no file: it is left out (gone.jpg).",
        "2 photographs have no caption: they are left out (b.jpg, bare.jpg).",
    ]


def test_three_examples_are_enough(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path, "a.jpg")
    rows = [f"{i}.jpg,A dog,test" for i in (5, 3, 4, 1, 2)]
    dataset = load(write(tmp_path, "a.jpg,A dog,train", *rows))
    assert dataset.findings.sentences() == [
        "5 photographs are named but have no file: they are left out (1.jpg, 2.jpg, 3.jpg, ...)."
    ]


def test_unknown_split_lists_the_known(release: Path) -> None:
    with pytest.raises(DataError, match=r"no split 'val': the splits are train, dev, test"):
        load(release).split("val")


def test_empty_split_tells_why(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path, "a.jpg")
    dataset = load(write(tmp_path, "a.jpg,A dog,test", "b.jpg,A dog,train"))
    assert len(dataset.split("test")) == 1
    with pytest.raises(
        DataError, match=r"the train split contains no photograph .*has no file.*b\.jpg"
    ):
        dataset.split("train")


def test_unknown_layout_lists_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing\n")
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert all(layout.looks_for in str(caught.value) for layout in layouts)


def test_not_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is not a folder"):
        load(tmp_path / "nowhere")


def test_photographs_are_listed_and_not_asked_for_one_by_one(release: Path, draw: Draw) -> None:
    """8,000 checks for files are slow on network file systems; one listing is not."""
    draw(release / "Flicker8k_Dataset", *[f"{i}.jpg" for i in range(200)])
    code = (
        "import sys; from showtell.data import load; calls = []\n"
        "sys.addaudithook(lambda event, _: event == 'os.scandir' and calls.append(event))\n"
        "import os; stat = os.stat; asked = []\n"
        "os.stat = lambda *a, **k: asked.append(a) or stat(*a, **k)\n"
        "load(sys.argv[1]); print(len(calls), len(asked))"
    )
    command = [sys.executable, "-c", code, os.fspath(release)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    listings, questions = map(int, done.stdout.split())
    assert listings == 1
    assert questions < 30
