import csv
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from showtell.data import Dataset, load
from showtell.data.official import full_hashes, split_of
from showtell.errors import DataError
from showtell.vocab import SPECIAL, Vocabulary, tokenize

Draw = Callable[..., None]


def names(dataset: Dataset, split: str) -> list[str]:
    return [photograph.name for photograph in dataset.splits[split]]


def test_release_is_read(release: Path) -> None:
    dataset = load(release)
    assert dataset.layout == "flickr8k"
    assert [names(dataset, s) for s in ("train", "dev", "test")] == [
        ["a.jpg", "b.jpg", "c.jpg"],
        ["d.jpg"],
        ["e.jpg"],
    ]
    photograph = dataset.split("dev")[0]
    assert photograph.path == release / "Flicker8k_Dataset" / "d.jpg"
    assert photograph.captions == ("A dog , number 0 .", "A dog , number 1 .")
    assert dataset.findings.sentences() == []


def test_text_files_may_lie_in_the_root(release: Path) -> None:
    """Flickr8k_text.zip has its files at the top level."""
    for path in (release / "Flickr8k_text").iterdir():
        path.rename(release / path.name)
    (release / "Flickr8k_text").rmdir()
    assert len(load(release).split("train")) == 3


@pytest.mark.parametrize("folder", ["Images", "Flickr8k_Dataset/Flicker8k_Dataset"])
def test_other_folders_of_photographs(release: Path, folder: str) -> None:
    (release / folder).parent.mkdir(exist_ok=True)
    (release / "Flicker8k_Dataset").rename(release / folder)
    assert len(load(release).split("train")) == 3


def test_no_folder_of_photographs(release: Path) -> None:
    shutil.rmtree(release / "Flicker8k_Dataset")
    with pytest.raises(DataError, match=r"no photographs: looked for Flicker8k_Dataset/.*Images/"):
        load(release)


def test_names_in_another_unicode_form_are_found(release: Path, draw: Draw) -> None:
    """Archives made on macOS have decomposed letters in file names; captions do not."""
    draw(release / "Flicker8k_Dataset", "cafe\u0301.jpg")
    text = release / "Flickr8k_text"
    with (text / "Flickr8k.token.txt").open("a", encoding="utf-8") as file:
        file.write("caf\u00e9.jpg#0\tA cup .\n")
    (text / "Flickr_8k.testImages.txt").write_text("caf\u00e9.jpg\n", encoding="utf-8")
    assert names(load(release), "test") == ["caf\u00e9.jpg"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a.jpg#2 A dog .", "not of the form"),
        (b"a.jpg\tA dog .", "not of the form"),
        (b"a.jpg#2\tA caf\xe9 .", "not UTF-8"),
    ],
)
def test_broken_captions_name_file_and_line(release: Path, line: bytes, reason: str) -> None:
    path = release / "Flickr8k_text" / "Flickr8k.token.txt"
    path.write_bytes(path.read_bytes() + b"\n" + line + b"\n")
    with pytest.raises(DataError, match=rf"Flickr8k\.token\.txt, line 12: {reason}"):
        load(release)


def test_windows_line_ends_and_byte_order_mark(release: Path) -> None:
    for path in (release / "Flickr8k_text").iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load(release).split("train")[0].captions[0] == "A dog , number 0 ."


def test_caption_with_a_line_separator_stays_whole(release: Path) -> None:
    """str.splitlines() would split it, and leave a line without a tab."""
    with (release / "Flickr8k_text" / "Flickr8k.token.txt").open("a", encoding="utf-8") as file:
        file.write("a.jpg#2\tA dog\u2028and\x0c a cat .\n")
    assert load(release).split("train")[0].captions[2] == "A dog\u2028and\x0c a cat ."


def test_missing_list(release: Path) -> None:
    (release / "Flickr8k_text" / "Flickr_8k.devImages.txt").unlink()
    with pytest.raises(DataError, match=r"Flickr_8k\.devImages\.txt cannot be read: No such file"):
        load(release)


def test_photograph_in_two_splits(release: Path) -> None:
    with (release / "Flickr8k_text" / "Flickr_8k.testImages.txt").open("a") as file:
        file.write("a.jpg\n")
    with pytest.raises(
        DataError, match=r"testImages\.txt, line 2: a\.jpg is in the train split and"
    ):
        load(release)


# Two file names of each official split.
OFFICIAL = {
    "train": ["2513260012_03d33305cf.jpg", "2903617548_d3e38d7f88.jpg"],
    "dev": ["2090545563_a4e66ec76b.jpg", "3393035454_2d2370ffd4.jpg"],
    "test": ["3385593926_d3e9c21170.jpg", "2677656448_6b7e7702af.jpg"],
}


def kaggle(root: Path, rows: list[tuple[str, str]]) -> Path:
    root.mkdir(exist_ok=True)
    with (root / "captions.txt").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", "caption"), *rows])
    return root


def test_kaggle_gets_the_official_split(tmp_path: Path, draw: Draw) -> None:
    photographs = [name for split in OFFICIAL.values() for name in split]
    draw(tmp_path / "Images", *photographs, "mine.jpg")
    captions = ['A man , in a "hat" , sits .', "A man ."]
    root = kaggle(tmp_path, [(n, c) for n in [*photographs, "mine.jpg"] for c in captions])
    dataset = load(root)
    assert dataset.layout == "flickr8k-kaggle"
    assert {split: names(dataset, split) for split in OFFICIAL} == {
        split: sorted(some) for split, some in OFFICIAL.items()
    }
    assert dataset.split("train")[0].captions == tuple(captions)
    assert dataset.findings.unsplit.examples == ("mine.jpg",)


def test_kaggle_with_wrong_columns(tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("picture;caption\na.jpg;A dog .\n")
    with pytest.raises(DataError, match=r"captions\.txt, line 1: no column 'image'"):
        load(tmp_path)


def test_real_release(shared: Path) -> None:
    dataset = load(shared / "flickr8k")
    assert {s: len(p) for s, p in dataset.splits.items()} == {
        "train": 6000,
        "dev": 1000,
        "test": 1000,
    }
    assert {len(p.captions) for photos in dataset.splits.values() for p in photos} == {5}
    assert {s: dataset.split_hash(s) for s in dataset.splits} == full_hashes()
    findings = dataset.findings
    assert findings.stray.examples == ("2258277193_586949ec62.jpg.1",)
    assert findings.missing.examples == ("2258277193_586949ec62.jpg",)
    assert (findings.unsplit.count, findings.duplicates.count) == (91, 10)
    assert (findings.uncaptioned.count, findings.empty.count) == (0, 0)


def test_real_release_as_kaggle_has_it(shared: Path, tmp_path: Path) -> None:
    """The shipped hashes restore the splits, which Kaggle's copy lacks."""
    released = load(shared / "flickr8k")
    photographs = [p for photos in released.splits.values() for p in photos]
    os.symlink(shared / "flickr8k" / "Flicker8k_Dataset", tmp_path / "Images")
    dataset = load(kaggle(tmp_path, [(p.name, c) for p in photographs for c in p.captions]))
    assert {s: names(dataset, s) for s in released.splits} == {
        s: names(released, s) for s in released.splits
    }
    others = {p.name for p in (tmp_path / "Images").iterdir()} - {p.name for p in photographs}
    assert len(others) == 91
    assert {split_of(name) for name in others} == {None}


def test_vocabulary_of_the_real_training_captions(shared: Path) -> None:
    """2,537 words occur at least five times; other tokenisers give about 2,538."""
    photographs = load(shared / "flickr8k").split("train")
    vocabulary = Vocabulary.build((tokenize(c) for p in photographs for c in p.captions), 5)
    assert len(vocabulary) - len(SPECIAL) == pytest.approx(2538, rel=0.02)


def test_split_hash_is_what_a_scorecard_says(release: Path) -> None:
    expected = hashlib.sha256(b"a.jpg\nb.jpg\nc.jpg").hexdigest()
    assert load(release).split_hash("train") == expected
