"""Faults during training and export: full disks, concurrent runs, and killed processes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from showtell.bundle import Bundle
from showtell.data import load
from showtell.errors import CheckpointError
from showtell.train import checkpoint as checkpoints
from showtell.train import recipe as recipes
from showtell.train.encoder import Encoder
from showtell.train.engine import train
from showtell.train.features import Features
from tests.train.killing import killed_and_whole_are_equal, quiet

SHOWTELL = [sys.executable, "-c", "from showtell.cli import main; main()"]


def fill(disk: Path, leave: int) -> None:
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(max(0, free - leave)))


def test_a_run_goes_on_after_its_disk_was_full(recipe_file: Path, small_disk: Path) -> None:
    changes = [f"run={small_disk / 'run'}", "finetune.epochs=0", "checkpoint_minutes=0"]
    recipe = recipes.read(recipe_file, changes)
    # A checkpoint takes 1.7 MB, and the old one is kept until the new one is complete.
    fill(small_disk, 2_500_000)
    with pytest.raises(CheckpointError, match=r"last-.*cannot be written: .*No space left"):
        train(recipe, say=quiet)
    kept = checkpoints.read(small_disk / "run" / "last.json")
    assert kept.progress["total_steps"] == 1
    assert not list((small_disk / "run").glob("*.part"))
    (small_disk / "filler").unlink()
    train(recipe, resume=True, say=quiet)
    assert checkpoints.read(small_disk / "run" / "last.json").progress["total_steps"] == 40


def test_features_that_do_not_fit_after_all(
    shapes: Path, weights: Path, recipe_file: Path, small_disk: Path, monkeypatch
) -> None:
    """Another process may fill the disk after the check."""
    monkeypatch.setattr("showtell.train.features._reserve", lambda *_: None)
    encoder = Encoder(recipes.read(recipe_file).encoder)
    fill(small_disk, 1000)
    with pytest.raises(OSError, match="No space left"):
        Features(small_disk, encoder, load(shapes).split("train"), True, quiet)
    assert [f.name for f in small_disk.iterdir()] == ["filler"]


def test_two_processes_make_one_cache_of_features(
    shapes: Path, weights: Path, tmp_path: Path
) -> None:
    program = f"""
import pathlib
from showtell.data import load
from showtell.train.features import Features
from showtell.train.encoder import Encoder
from showtell.train.recipe import EncoderRecipe
encoder = Encoder(EncoderRecipe("test_resnet", {str(weights)!r}, size=64))
photographs = load({str(shapes)!r}).split("train")
rows = Features(pathlib.Path({str(tmp_path)!r}), encoder, photographs, True, lambda _: None)
import numpy
print(rows.read(numpy.arange(32)).sum().item())
"""
    both = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sums = {process.communicate()[0] for process in both}
    assert len(sums) == 1
    assert float(sums.pop()) != 0
    assert len(list(tmp_path.iterdir())) == 1


many = pytest.mark.skipif(
    "SHOWTELL_KILLS" not in os.environ, reason="slow: SHOWTELL_KILLS=20 has them killed so often"
)


@many
def test_an_export_that_is_killed_leaves_the_old_bundle_or_the_new(
    trained: Path, exported: Bundle, tmp_path: Path, kills: int
) -> None:
    target = tmp_path / "model"
    command = [*SHOWTELL, "export", str(trained), str(target)]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took = time.monotonic() - began
    whole = Bundle.load(target).manifest
    rng = random.Random(kills)
    for _ in range(kills):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1.1) * took)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert Bundle.load(target).manifest == whole
    assert checkpoints.read(trained).network, "the run is as it was"


@many
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_was_not(
    recipe_file: Path, tmp_path: Path, kills: int
) -> None:
    steps = 20 * 8  # of one epoch
    moments = np.sort(np.random.default_rng(kills).choice(np.arange(1, 100), kills, replace=False))
    changes = ["frozen.epochs=4", "finetune.epochs=0", "frozen.photos=4"]
    killed_and_whole_are_equal(recipe_file, tmp_path, changes, tuple(moments.tolist()), steps)
