"""Compares training runs that are killed and resumed with one that is not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from showtell.train import checkpoint as checkpoints
from showtell.train import recipe as recipes
from showtell.train.engine import train
from showtell.train.plot import read_log


def quiet(_: str) -> None:
    pass


def comparable(run: Path) -> list[dict]:
    """Return the log without the values that depend on the time."""
    return [{k: v for k, v in r.items() if k != "captions_per_s"} for r in read_log(run)]


def start(recipe_file: Path, *options: str) -> subprocess.Popen:
    command = "from showtell.cli import main; main()"
    arguments = ["train", str(recipe_file), "--set", "checkpoint_minutes=0", *options]
    return subprocess.Popen(
        [sys.executable, "-c", command, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def steps_done(run: Path) -> int:
    try:
        return json.loads((run / "last.json").read_text())["progress"]["total_steps"]
    except FileNotFoundError:
        return 0


def killed_and_whole_are_equal(
    recipe_file: Path, folder: Path, changes: list[str], kills: tuple[int, ...], steps: int
) -> None:
    whole = train(recipes.read(recipe_file, [*changes, f"run={folder / 'whole'}"]), say=quiet)
    run = folder / "run"
    recipe = [part for change in changes for part in ("--set", change)]
    options: list[str] = []
    for after in kills:
        process = start(recipe_file, *recipe, *options)
        while steps_done(run) < after and process.poll() is None:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert after <= steps_done(run) < steps
        options = ["--resume"]
    process = start(recipe_file, *recipe, "--resume")
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert comparable(run) == comparable(whole)
    for name in ("last.json", "best.json"):
        ours, theirs = checkpoints.read(run / name), checkpoints.read(whole / name)
        assert ours.progress == theirs.progress
        assert all(ours.network[key].equal(theirs.network[key]) for key in theirs.network)
    assert len(list(run.glob("*.safetensors"))) == 2, "older checkpoints are deleted"
    assert not list(run.glob("*.part"))
