"""What tests share: the research data where it is present."""

import os
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
