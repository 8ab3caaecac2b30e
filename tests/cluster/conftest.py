"""A folder of photographs for the tests of clusters."""

from pathlib import Path

import pytest
from PIL import Image

from tests.odd_files import encode

pytest.importorskip("pyarrow", reason="the extra cluster brings pyarrow")


@pytest.fixture
def photographs() -> list[bytes]:
    """Twelve different files."""
    return [encode(Image.new("RGB", (64, 48), (20 * n, 90, 160)), "JPEG") for n in range(12)]


@pytest.fixture
def folder(tmp_path: Path, photographs: list[bytes]) -> Path:
    """The files in two folders, followed by one that is not a photograph."""
    path = tmp_path / "photographs"
    for number, data in enumerate([*photographs, b"no photograph"]):
        file = path / f"{number // 8}" / f"{number:02}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path
