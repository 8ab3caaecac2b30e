import json
import subprocess
import sys
from pathlib import Path

import pytest

from showtell.data import official
from showtell.data.splits import build
from showtell.errors import DataError


def test_shipped_file_can_be_made_again(shared: Path) -> None:
    command = [sys.executable, "-m", "showtell.data.splits", shared / "flickr8k" / "Flickr8k_text"]
    made = subprocess.run(command, capture_output=True, check=True)
    assert made.stdout.decode().splitlines() == official.FILE.read_text().splitlines()
    assert made.stderr == b""


def test_shipped_file_is_small_and_whole() -> None:
    stored = json.loads(official.FILE.read_text())
    assert official.FILE.stat().st_size < 100_000
    assert {s: len(digits) // 8 for s, digits in stored["names"].items()} == {
        "train": 6000,
        "dev": 1000,
        "test": 1000,
    }
    assert len(official._splits()) == 8000


def test_build_of_a_small_release(release: Path) -> None:
    built = build(release / "Flickr8k_text")
    assert built["names"]["dev"] == official.short_hash("d.jpg")
    assert built["sha256"]["train"] == official.hash_names(["c.jpg", "b.jpg", "a.jpg"])


def test_names_that_share_their_digits_are_refused(release: Path) -> None:
    """The SHA-256 hashes of 55037.jpg and 88088.jpg start with the same 8 digits."""
    assert official.short_hash("55037.jpg") == official.short_hash("88088.jpg")
    with (release / "Flickr8k_text" / "Flickr8k.token.txt").open("a") as file:
        file.write("55037.jpg#0\tA dog .\n88088.jpg#0\tA cat .\n")
    with pytest.raises(DataError, match="share their hash"):
        build(release / "Flickr8k_text")
