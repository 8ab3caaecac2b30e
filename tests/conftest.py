"""What tests share: the research data where it is present."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

# Small networks are quicker on one thread, and processes that start here inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with ``flickr8k/`` and ``encoders/``, which are not part of this project."""
    beside = Path(__file__).parents[2] / "shared"
    path = Path(os.environ.get("SHOWTELL_SHARED", beside))
    if not (path / "flickr8k").is_dir():
        pytest.skip(f"no Flickr8k at {path}: set SHOWTELL_SHARED to a folder that has it")
    return path


@pytest.fixture
def kills() -> int:
    """How often a test of killing kills; SHOWTELL_KILLS=50 has it do so many times."""
    return int(os.environ.get("SHOWTELL_KILLS", "1"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of eight megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=8m", "tmpfs"]
    try:
        subprocess.run(["mount", *options, folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no right to mount a small disk: {error}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
