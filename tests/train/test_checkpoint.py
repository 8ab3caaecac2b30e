"""Checkpoints are written atomically."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from showtell.errors import CheckpointError
from showtell.train import checkpoint as checkpoints
from showtell.train import recipe as recipes
from showtell.train.checkpoint import Checkpoint
from showtell.train.encoder import Encoder
from showtell.train.model import ShowAttendTell
from showtell.vocab import SPECIAL, Vocabulary


@pytest.fixture
def checkpoint(recipe_file: Path) -> Checkpoint:
    recipe = recipes.read(recipe_file)
    vocabulary = Vocabulary((*SPECIAL, "a", "ball"))
    torch.manual_seed(0)
    network = ShowAttendTell(Encoder(recipe.encoder), len(vocabulary), recipe.decoder)
    moments = {"0.step": torch.tensor(3.0), "0.exp_avg": torch.ones(2)}
    return Checkpoint(recipe, vocabulary, {"total_steps": 3}, network.state_dict(), moments)


def test_a_checkpoint_is_read_as_it_was_saved(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last.json")
    found = checkpoints.read(tmp_path / "last.json")
    assert (found.recipe, found.vocabulary) == (checkpoint.recipe, checkpoint.vocabulary)
    assert found.progress == checkpoint.progress
    assert found.optimizer.keys() == checkpoint.optimizer.keys()
    built = found.build().state_dict()
    assert all(built[name].equal(tensor) for name, tensor in checkpoint.network.items())


def test_until_the_json_is_replaced_the_old_checkpoint_stands(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path / "last.json")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints.json, "dumps", killed)
    later = replace(checkpoint, progress={"total_steps": 4})
    with pytest.raises(KeyboardInterrupt):
        later.save(tmp_path / "last.json")
    assert checkpoints.read(tmp_path / "last.json").progress == {"total_steps": 3}
    monkeypatch.undo()
    later.save(tmp_path / "last.json")
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_a_vocabulary_that_does_not_match_is_refused(checkpoint: Checkpoint) -> None:
    other = replace(checkpoint, vocabulary=Vocabulary((*SPECIAL, "a")))
    with pytest.raises(CheckpointError, match="does not match its recipe"):
        other.build()


def test_damage_is_told(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "last.json"
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        checkpoints.read(path)
    checkpoint.save(path)
    (tensors,) = tmp_path.glob("*.safetensors")
    whole = tensors.read_bytes()
    tensors.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoints.read(path)
    tensors.unlink()
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        checkpoints.read(path)
    path.write_text("{")
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoints.read(path)


@pytest.mark.parametrize("name", ["../other.safetensors", "/tmp/other.safetensors"])
def test_tensors_outside_of_the_folder_are_refused(
    checkpoint: Checkpoint, tmp_path: Path, name: str
) -> None:
    checkpoint.save(tmp_path / "last.json")
    content = json.loads((tmp_path / "last.json").read_text())
    (tmp_path / "last.json").write_text(json.dumps(content | {"tensors": name}))
    with pytest.raises(CheckpointError, match="outside of its folder"):
        checkpoints.read(tmp_path / "last.json")
