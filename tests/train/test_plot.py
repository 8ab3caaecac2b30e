"""The training curves of a run."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from showtell.train import recipe as recipes
from showtell.train.engine import train
from showtell.train.plot import open_board, read_log


def test_the_log_goes_to_tensorboard_too(
    recipe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, float, int]] = []

    class Writer:
        def __init__(self, run: Path, purge_step: int) -> None:
            assert purge_step == 1, "from the first step"

        def add_scalar(self, name: str, value: float, step: int) -> None:
            told.append((name, value, step))

        def flush(self) -> None:
            pass

    board = SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    changes = ["frozen.epochs=2", "finetune.epochs=0"]
    run = train(recipes.read(recipe_file, changes), say=lambda _: None)
    log = [(k, v, r["step"]) for r in read_log(run) for k, v in r.items() if k != "phase"]
    assert told == [record for record in log if record[0] != "step"]
    assert {"loss", "cider", "bleu4"} <= {name for name, _, _ in told}


def test_tensorboard_need_not_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert open_board(tmp_path, 0) is None
    assert not list(tmp_path.iterdir())
