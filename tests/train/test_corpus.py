"""Training on several data sets."""

from pathlib import Path

import pytest

from showtell.data import load
from showtell.errors import DataError
from showtell.train.corpus import Corpus
from showtell.train.recipe import MoreData


@pytest.fixture
def only_training(shapes: Path, tmp_path: Path) -> Path:
    """A data set with all pictures in the train split."""
    folder = tmp_path / "only"
    folder.mkdir()
    for i in range(2):
        (folder / f"{i}.png").symlink_to(shapes / f"{i:02d}.png")
    rows = ["image,caption,split", "0.png,a ball,train", "1.png,a box,train"]
    (folder / "captions.csv").write_text("\n".join(rows))
    return folder


def test_sets_are_joined_in_order_each_with_its_weight(shapes: Path, only_training: Path) -> None:
    corpus = Corpus.load(str(shapes), [MoreData(str(only_training), 3)])
    own = load(shapes).split("train")
    assert corpus.photographs == own + load(only_training).split("train")
    assert corpus.copies == (1,) * len(own) + (3, 3)


def test_every_dev_split_judges_by_its_set_s_name(shapes: Path, only_training: Path) -> None:
    corpus = Corpus.load(str(shapes), [MoreData(str(only_training))])
    assert {name: len(split) for name, split in corpus.judges(3).items()} == {shapes.name: 3}
    alone = Corpus.load(str(only_training))
    with pytest.raises(DataError, match="the dev split contains no photograph"):
        alone.judges(3)
