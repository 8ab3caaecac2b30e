from collections.abc import Callable
from pathlib import Path

import pytest

from showtell.data import describe, load
from showtell.errors import DataError

Draw = Callable[..., None]


def test_release_that_is_not_the_official(release: Path) -> None:
    (release / "Flicker8k_Dataset" / "e.jpg").rename(release / "Flicker8k_Dataset" / "f.jpg")
    (release / "Flickr8k_text" / "Flickr_8k.testImages.txt").write_text("d.jpg\n")
    (release / "Flickr8k_text" / "Flickr_8k.devImages.txt").write_text("")
    dataset = load(release)
    assert describe(dataset).splitlines() == [
        f"{release}: layout flickr8k",
        f"train: 3 photographs, 6 captions, names {dataset.split_hash('train')[:12]}"
        " (not the official split)",
        "dev: 0 photographs, 0 captions, names e3b0c44298fc (not the official split)",
        f"test: 1 photographs, 2 captions, names {dataset.split_hash('test')[:12]}"
        " (not the official split)",
        "1 photograph is named but has no file: it is left out (e.jpg).",
        "1 photograph has no caption: it is left out (f.jpg).",
    ]


def test_own_folder_is_not_compared_with_flickr8k(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path, "a.jpg")
    (tmp_path / "captions.csv").write_text("image,caption,split\na.jpg,A dog,train\n")
    assert "official" not in describe(load(tmp_path))


def test_nothing_to_train_on(release: Path) -> None:
    (release / "Flickr8k_text" / "Flickr_8k.trainImages.txt").write_text("")
    with pytest.raises(
        DataError, match=r"train split contains no photograph.*3 photographs are in no"
    ):
        describe(load(release))


def test_real_release_is_official(shared: Path) -> None:
    text = describe(load(shared / "flickr8k"))
    assert text.count("(the official split)") == 3
    assert "train: 6,000 photographs, 30,000 captions, names 36510bd90cce" in text
