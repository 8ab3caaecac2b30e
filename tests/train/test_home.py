"""Training and export write only to the given folders."""

import subprocess
import sys
from pathlib import Path

SHOWTELL = [sys.executable, "-c", "from showtell.cli import main; main()"]


def test_nothing_is_written_into_the_home(
    recipe_file: Path, shapes: Path, stranger: dict[str, str]
) -> None:
    """matplotlib stored a list of fonts there, and ONNX Runtime an id of the machine."""
    folder = recipe_file.parent
    model = str(folder / "model")
    for arguments in (
        ["train", str(recipe_file), "--set", "frozen.epochs=1", "--set", "finetune.epochs=0"],
        ["export", str(folder / "run"), model],
        ["evaluate", "--data", str(shapes), "--split", "test", "--model", model],
    ):
        done = subprocess.run(SHOWTELL + arguments, env=stranger, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (folder / "run" / "curves.png").exists()
