"""The command ``showtell caption --out``."""

import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from showtell.batch import sidecar
from showtell.cli import main

Make = Callable[[int], Path]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["caption", *map(str, arguments)])


def test_a_folder_from_end_to_end(small_model: Path, photographs: Make, tmp_path: Path) -> None:
    """With a file that is not a photograph, sidecars, and a name that could forge a line."""
    path, out = photographs(3), tmp_path / "new" / "rows.jsonl"
    (path / "a\nb.jpg").write_text("no photograph")
    (path / "film.mp4").touch()
    done = run(path, "--recursive", "--out", out, "--sidecar", "xmp", "--model", small_model)
    assert done.exit_code == 1
    assert done.stdout == ""
    reason, summary, left_out = done.stderr.splitlines()
    assert reason.startswith(rf"showtell: {path}/a\nb.jpg: not a supported image format")
    assert summary == f"showtell: {out}: 3 captioned, 1 failed"
    assert left_out == "showtell: 1 file skipped: 1 .mp4"
    found = [json.loads(line) for line in out.read_text().splitlines()]
    for row in found:
        assert sidecar.path_for(row["image"]).exists() == (row["caption"] is not None)
    again = run(path, "--recursive", "--out", out, "--resume")
    assert (again.exit_code, again.stderr) == (0, f"showtell: {out}: already finished\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.jpg", "--resume"],
        ["a.jpg", "--recursive"],
        ["a.jpg", "--sidecar", "xmp"],
        ["a.jpg", "--out", "rows.csv", "--json"],
        ["a.jpg", "--out", "rows.csv", "--attention", "figures"],
        ["-", "--out", "rows.csv"],
        ["a.jpg", "--out", "rows.csv", "--sidecar", "txt"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_an_output_of_another_kind_is_refused_before_anything_is_captioned(tmp_path: Path) -> None:
    done = run(tmp_path, "--recursive", "--out", tmp_path / "rows.txt")
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_on_a_terminal(
    small_model: Path, photographs: Make, tmp_path: Path
) -> None:
    """Only the progress: Pillow's warnings about metadata are hidden, in workers too."""
    path = photographs(1)
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01"
    Image.new("RGB", (4, 4)).save(path / "odd.jpg", exif=exif)
    mine, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "-c", "from showtell.cli import main; main()", "caption", path]
    options = ["--recursive", "--out", tmp_path / "rows.csv", "--model", small_model]
    subprocess.run([*command, *options], check=True, stderr=theirs)
    told = os.read(mine, 100_000).decode()
    os.close(mine)
    os.close(theirs)
    assert "100%" in told
    assert "2/2" in told
    assert "photo/s" in told
    assert "Warning" not in told
