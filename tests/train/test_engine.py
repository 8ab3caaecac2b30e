"""Training on drawn shapes: it learns, and it can be killed and resumed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from showtell.bundle import Bundle
from showtell.data import load
from showtell.errors import CheckpointError, DataError
from showtell.train import checkpoint as checkpoints
from showtell.train import engine
from showtell.train import recipe as recipes
from showtell.train.engine import train
from showtell.train.plot import read_log
from showtell.train.run import Run
from showtell.train.start import network_of
from tests.train.killing import comparable, killed_and_whole_are_equal, quiet


def test_it_learns_shapes_and_colours(trained: Path) -> None:
    scores = [r["cider"] for r in read_log(trained) if "cider" in r]
    assert len(scores) == 10
    assert max(scores) > 1.0, "shapes are described"
    losses = [r["loss"] for r in read_log(trained) if "loss" in r]
    assert losses[-1] < losses[0] - 0.5
    best = checkpoints.read(trained)
    assert best.progress["best"] == max(scores)
    assert "red" in best.vocabulary
    with Image.open(trained / "curves.png") as curves:
        assert curves.size == (1200, 480)


def test_a_training_of_no_epochs_names_no_score(recipe_file: Path) -> None:
    told: list[str] = []
    train(recipes.read(recipe_file, ["frozen.epochs=0", "finetune.epochs=0"]), say=told.append)
    assert told[-1].startswith("trained: ")


def test_a_phase_of_no_epochs_leaves_the_network_alone(recipe_file: Path, tmp_path: Path) -> None:
    """If no phase came before self-critical training, its temperature stayed in the weights."""
    changes = ["judge=null", "frozen.epochs=0", "finetune.lr=0", "finetune.encoder_lr=0"]
    whole = train(recipes.read(recipe_file, changes), say=quiet)
    changes += ["frozen.temperature=0.5", f"run={tmp_path / 'sharpened'}"]
    after = train(recipes.read(recipe_file, changes), say=quiet)
    weights = [checkpoints.read(run).network["decoder.L_o.weight"] for run in (whole, after)]
    assert weights[0].equal(weights[1])


def test_the_cnn_moves_in_the_second_phase_alone(recipe_file: Path) -> None:
    run = train(recipes.read(recipe_file, ["finetune.epochs=0", "frozen.epochs=1"]), say=quiet)
    frozen = checkpoints.read(run / "last.json")
    run = train(recipes.read(recipe_file, ["frozen.epochs=1", f"run={run}-2"]), say=quiet)
    together = checkpoints.read(run / "last.json")
    moved = {
        name: not frozen.network[name].equal(together.network[name])
        for name in frozen.network
        if name.startswith("encoder.network")
    }
    assert all(moved.values()), "every layer is trained"
    original = recipes.read(recipe_file).encoder
    from showtell.train.encoder import Encoder

    for name, tensor in Encoder(original).state_dict().items():
        assert frozen.network[f"encoder.{name}"].equal(tensor)


def test_the_average_of_the_weights_is_what_is_kept(recipe_file: Path, tmp_path: Path) -> None:
    """With a decay of almost 1, the average stays at the initial weights."""
    one = ["finetune.epochs=0", "frozen.epochs=1"]
    still = train(recipes.read(recipe_file, [*one, "frozen.ema=0.999999"]), say=quiet)
    moving = train(recipes.read(recipe_file, [*one, f"run={tmp_path / 'moving'}"]), say=quiet)
    kept, last = checkpoints.read(still), checkpoints.read(still / "last.json")
    assert last.network["decoder.L_o.weight"].equal(
        checkpoints.read(moving / "last.json").network["decoder.L_o.weight"]
    ), "averaging leaves the training alone"
    for name, average in last.average.items():
        assert kept.network[name].equal(average)
    moved = (last.network["decoder.L_o.weight"] - last.average["decoder.L_o.weight"]).abs().max()
    assert moved > 0.05


def test_where_nobody_judges_the_last_epoch_is_kept(recipe_file: Path, tmp_path: Path) -> None:
    """No dev split is needed then."""
    recipe = recipes.read(recipe_file, ["judge=null", "finetune.epochs=0", "frozen.patience=1"])
    data = load(recipe.data)
    train_alone = replace(data, splits={**data.splits, "dev": ()})
    told: list[str] = []
    run = train(recipe, data=train_alone, say=told.append)
    best, last = checkpoints.read(run), checkpoints.read(run / "last.json")
    assert last.progress["epoch"] == 2
    assert all(best.network[name].equal(tensor) for name, tensor in last.network.items())
    assert told[-1] == f"trained: {run / 'best.json'}"
    assert [r["epoch"] for r in read_log(run) if "epoch" in r] == [1, 2]


def test_the_first_phase_too_keeps_what_lies_on_the_way_from_the_start(
    recipe_file: Path, exported: Bundle
) -> None:
    """It had no initial weights to mix with, and failed at the end of its first epoch."""
    changes = [f"start={exported.path}", "finetune.epochs=0", "frozen.epochs=1", "frozen.mix=0.25"]
    run = train(recipes.read(recipe_file, changes), say=quiet)
    kept, last = checkpoints.read(run), checkpoints.read(run / "last.json")
    for name, start in network_of(exported, kept.build()).items():
        torch.testing.assert_close(kept.network[name], torch.lerp(start, last.network[name], 0.25))
    assert not kept.network["decoder.L_o.weight"].equal(last.network["decoder.L_o.weight"])


def test_killed_at_any_moment_it_resumes_to_the_same_numbers(
    recipe_file: Path, tmp_path: Path
) -> None:
    # Kills in both phases and between epochs, with an average of the weights in the second phase.
    killed_and_whole_are_equal(recipe_file, tmp_path, ["finetune.ema=0.9"], (7, 29, 43), 48)


def test_where_to_look_is_drawn_as_before_when_a_run_resumes(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The baseline of the reward is restored."""
    one = ["hard.reward=0.5", "frozen.epochs=1", "finetune.epochs=0", "checkpoint_minutes=0"]
    whole = train(recipes.read(recipe_file, one), say=quiet)
    recipe = recipes.read(recipe_file, [*one, f"run={tmp_path / 'stopped'}"])
    with monkeypatch.context() as patch:
        patch.setattr(engine, "_save_last", stopping_after(9))
        with pytest.raises(KeyboardInterrupt):
            train(recipe, say=quiet)
    run = train(recipe, resume=True, say=quiet)
    assert comparable(run) == comparable(whole)
    assert -9 < checkpoints.read(run / "last.json").progress["baseline"] < -1


def stopping_after(steps: int) -> Callable[..., None]:
    """Return a function that saves a checkpoint after each step, and stops the run."""
    save = engine._save_last

    def save_and_stop(run: Run, *arguments: Any) -> None:
        save(run, *arguments)
        if run.progress.total_steps == steps:
            raise KeyboardInterrupt

    return save_and_stop


def test_hard_attention_learns_shapes_and_colours(recipe_file: Path) -> None:
    """Training samples locations; validation uses the expectation."""
    changes = [
        "hard.reward=1",
        "frozen.epochs=8",
        "frozen.doubly_stochastic=0",
        "finetune.epochs=0",
    ]
    run = train(recipes.read(recipe_file, changes), say=quiet)
    assert max(r["cider"] for r in read_log(run) if "cider" in r) > 0.8


def test_the_paper_s_recipe_runs(shapes: Path, weights: Path, tmp_path: Path) -> None:
    """With a small CNN instead of VGG-19, and smaller sizes."""
    small = ["name=test_resnet", f"weights={weights}", "size=64"]
    changes = [f"encoder.{change}" for change in small] + [f"data={shapes}"]
    changes += ["decoder.hidden=28", "decoder.attention=20", "decoder.embedding=16"]
    changes += ["frozen.epochs=2", "frozen.photos=16", f"run={tmp_path / 'run'}"]
    recipe = recipes.read("paper", [*changes, f"cache={tmp_path / 'cache'}"])
    run = train(recipe, say=quiet)
    best, last = checkpoints.read(run), checkpoints.read(run / "last.json")
    network = best.build()
    assert network.decoder.init_h.in_features == network.encoder.channels, "no projection"
    assert "0.square_avg" in last.optimizer, "RMSProp"
    scores = [r["bleu4"] for r in read_log(run) if "bleu4" in r]
    assert best.progress["best"] == max(scores)
    assert "left" in best.vocabulary, "words that occur 16 times, and all others"
    assert {r["rate"] for r in read_log(run) if "rate" in r} <= {1.0}


@pytest.mark.parametrize("hard", ["null", "{'reward': 0, 'expected': 1}"])
def test_two_processes_train_as_one(recipe_file: Path, tmp_path: Path, hard: str) -> None:
    """Except for randomness: dropout, crops and locations differ from those in one process.

    The last step of each phase has one photograph, so the second process has none.
    """
    drawn = ["decoder.dropout=0", "crop=64", f"hard={hard}"]
    changes = [
        *drawn,
        "frozen.epochs=1",
        "frozen.photos=53",
        "frozen.lr=0.002",
        "finetune.photos=31",
    ]
    one = train(recipes.read(recipe_file, changes), say=quiet)
    changes += ["devices=2", f"run={tmp_path / 'two'}"]
    two = train(recipes.read(recipe_file, changes), say=quiet)
    ours, theirs = checkpoints.read(one / "last.json"), checkpoints.read(two / "last.json")
    for name, tensor in ours.network.items():
        torch.testing.assert_close(theirs.network[name], tensor, atol=1e-4, rtol=1e-4)
    assert ours.progress["total_steps"] == theirs.progress["total_steps"] == 6
    assert theirs.progress["sums"] == pytest.approx(ours.progress["sums"], rel=1e-4)
    assert theirs.progress["baseline"] == pytest.approx(ours.progress["baseline"], rel=1e-4)
    assert comparable(one) == comparable(two), "one log, of the same scores"


def test_an_error_of_two_processes_is_told_as_that_of_one(recipe_file: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        train(recipes.read(recipe_file, ["devices=2", "data=nowhere"]), say=quiet)


def test_it_trains_in_half_precision(recipe_file: Path) -> None:
    """The weights stay in single precision."""
    changes = ["precision=bf16-mixed", "frozen.epochs=2", "finetune.epochs=0"]
    run = train(recipes.read(recipe_file, changes), say=quiet)
    losses = [r["loss"] for r in read_log(run) if "loss" in r]
    assert len(losses) == 1
    assert losses[0] < 5
    assert all(t.dtype == torch.float32 for t in checkpoints.read(run).network.values())


def test_captions_are_drawn_as_before_when_a_killed_run_resumes(
    recipe_file: Path, tmp_path: Path, exported: Bundle
) -> None:
    """After resuming, the vocabulary is that of the checkpoint, not that of the bundle."""
    phases = ["frozen.epochs=0", "finetune.epochs=0", "selfcritical.epochs=2"]
    changes = [f"start={exported.path}", *phases, "selfcritical.photos=2", "selfcritical.lr=0.001"]
    killed_and_whole_are_equal(recipe_file, tmp_path, changes, (5, 19), 32)


def test_a_run_ends_early_when_it_no_longer_gets_better(recipe_file: Path) -> None:
    changes = ["frozen.epochs=9", "frozen.patience=2", "frozen.lr=0", "finetune.epochs=0"]
    run = train(recipes.read(recipe_file, changes), say=quiet)
    assert len([r for r in read_log(run) if "cider" in r]) == 3


def test_a_run_is_neither_overwritten_nor_mixed_up(recipe_file: Path) -> None:
    short = ["frozen.epochs=1", "finetune.epochs=0"]
    with pytest.raises(CheckpointError, match="no run to resume"):
        train(recipes.read(recipe_file, short), resume=True, say=quiet)
    train(recipes.read(recipe_file, short), say=quiet)
    with pytest.raises(CheckpointError, match="contains a run; add --resume"):
        train(recipes.read(recipe_file, short), say=quiet)
    with pytest.raises(CheckpointError, match="other values of seed"):
        train(recipes.read(recipe_file, [*short, "seed=2"]), resume=True, say=quiet)


def test_data_without_a_dev_split_is_refused(recipe_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    Image.new("RGB", (64, 64)).save(folder / "a.png")
    (folder / "captions.csv").write_text("image,caption,split\na.png,a dark room,train\n")
    with pytest.raises(DataError, match="dev split contains no photograph"):
        train(recipes.read(recipe_file, [f"data={folder}"]), say=quiet)
