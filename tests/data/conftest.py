"""Small pictures, and a small release in the layout of Flickr8k."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Draw = Callable[..., None]


@pytest.fixture
def draw() -> Draw:
    """Return a function that writes a small picture for each name to a folder."""

    def draw(folder: Path, *names: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.new("RGB", (8, 6), "teal").save(folder / name, "JPEG")

    return draw


@pytest.fixture
def release(tmp_path: Path, draw: Draw) -> Path:
    """Create five photographs with two captions each; three are in the train split."""
    root = tmp_path / "release"
    names = [f"{letter}.jpg" for letter in "abcde"]
    draw(root / "Flicker8k_Dataset", *names)
    text = root / "Flickr8k_text"
    text.mkdir()
    lines = [f"{name}#{k}\t A dog , number {k} .\n" for name in names for k in range(2)]
    (text / "Flickr8k.token.txt").write_text("".join(lines))
    (text / "Flickr_8k.trainImages.txt").write_text("b.jpg\na.jpg\nc.jpg\n")
    (text / "Flickr_8k.devImages.txt").write_text("d.jpg\n")
    (text / "Flickr_8k.testImages.txt").write_text("e.jpg\n")
    return root
