"""One row per photograph; a bad one does not affect the others."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from skimage import data

import showtell
from showtell import image
from showtell.batch import caption_rows, rows
from showtell.confidence import OUT_OF_DISTRIBUTION
from showtell.errors import ImageError
from showtell.image import SEVERAL_FRAMES
from showtell.search import Search
from tests.odd_files import RED, encode, flat


@pytest.fixture(scope="module")
def captioner() -> showtell.Captioner:
    return showtell.load(threads=1)


def photographs() -> list[bytes]:
    pictures = (data.astronaut(), data.coffee(), data.rocket())
    return [encode(image.open_upright(np.ascontiguousarray(p)), "JPEG") for p in pictures]


def test_each_has_the_caption_that_it_has_alone(captioner: showtell.Captioner) -> None:
    files = photographs()
    found = caption_rows(
        captioner, [(str(i), file) for i, file in enumerate(files)], Search(beam=2)
    )
    for i, (file, row) in enumerate(zip(files, found, strict=True)):
        alone = captioner.caption(file, beam=2)
        assert row == {
            "image": str(i),
            "caption": alone.text,
            "logprob": pytest.approx(alone.logprob, abs=1e-4),
            "confidence": pytest.approx(alone.confidence, abs=1e-4),
            "warning": "; ".join(alone.warnings) or None,
            "error": None,
            "sha256": hashlib.sha256(file).hexdigest(),
            "model": captioner.name,
        }


def test_what_cannot_be_read_is_a_row_and_the_rest_goes_on(
    captioner: showtell.Captioner, tmp_path: Path
) -> None:
    good = tmp_path / "good.jpg"
    good.write_bytes(photographs()[0])
    os.mkfifo(tmp_path / "pipe")
    several = encode(flat("RGB", RED), "GIF", save_all=True, append_images=[flat("RGB", 0)])
    items: list[tuple[str, bytes | Path | ImageError]] = [
        ("text", b"no photograph"),
        ("good", good),
        ("gone", tmp_path / "gone.jpg"),
        ("pipe", tmp_path / "pipe"),
        ("several", several),
        ("far", ImageError("it cannot be fetched")),
    ]
    search = Search(beam=1, max_length=5)
    found = {row["image"]: row for row in caption_rows(captioner, items, search)}
    assert list(found) == [name for name, _ in items]
    reasons = {
        "text": "not a supported image format",
        "gone": "no such file",
        "pipe": "not a regular file",
    }
    reasons["far"] = "it cannot be fetched"
    for name, reason in reasons.items():
        assert reason in (found[name]["error"] or "")
        assert found[name]["caption"] is found[name]["logprob"] is None
    assert found["text"]["sha256"] == hashlib.sha256(b"no photograph").hexdigest()
    assert found["gone"]["sha256"] is None
    assert found["good"]["caption"]
    assert found["several"]["warning"] == f"{SEVERAL_FRAMES}; {OUT_OF_DISTRIBUTION}"


def test_nothing_to_caption(captioner: showtell.Captioner) -> None:
    assert caption_rows(captioner, []) == []
    assert caption_rows(captioner, [("empty", b"")])[0]["error"] == "the file is empty"


def test_a_part_of_a_file_is_not_told_to_be_the_file(
    captioner: showtell.Captioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files over the limit are not read completely, so they have no checksum."""
    monkeypatch.setattr(image, "MAX_BYTES", 8)
    monkeypatch.setattr(rows, "MAX_BYTES", 8)
    row = caption_rows(captioner, [("large", b"123456789")])[0]
    assert row["sha256"] is None
    assert "larger than" in (row["error"] or "")
