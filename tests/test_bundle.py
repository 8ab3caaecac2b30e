"""Bundles: read, verified, written as a whole."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from showtell import bundle
from showtell.bundle import SHIPPED, Bundle
from showtell.captioner import load
from showtell.errors import BundleError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the model that ships, to be damaged."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "model"))


def edit(path: Path, change: Callable[[dict], None]) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    change(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_the_model_that_ships_is_whole_and_light() -> None:
    shipped = Bundle.load()
    assert shipped.grid == (7, 7)
    assert shipped.image_size == 224
    assert len(shipped.vocabulary) == shipped.manifest["vocabulary_size"]
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 20e6


def test_nothing_in_the_bundle_is_pickled() -> None:
    assert {file.name for file in SHIPPED.iterdir()} == {
        "manifest.json", "vocab.json", "encoder.onnx", "decoder.onnx", "README.md",
    }  # fmt: skip


def test_a_missing_folder_is_told() -> None:
    with pytest.raises(BundleError, match="nowhere: there is no such folder"):
        Bundle.load("nowhere")


@pytest.mark.parametrize("name", ["manifest.json", "vocab.json", "encoder.onnx", "decoder.onnx"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match=name):
        Bundle.load(copy)


@pytest.mark.parametrize("name", ["vocab.json", "encoder.onnx", "decoder.onnx", "README.md"])
def test_a_damaged_file_is_named(copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name}: damaged"):
        Bundle.load(copy)


def test_a_newer_format_asks_for_an_upgrade(copy: Path) -> None:
    edit(copy, lambda manifest: manifest.update(format=bundle.FORMAT + 1))
    with pytest.raises(BundleError, match="upgrade showtell"):
        Bundle.load(copy)


def test_a_name_outside_the_folder_is_refused(copy: Path) -> None:
    edit(copy, lambda manifest: manifest["sha256"].update({"../secret": "0" * 64}))
    with pytest.raises(BundleError, match="outside the bundle"):
        Bundle.load(copy)


def test_a_vocabulary_of_another_length_is_refused(copy: Path) -> None:
    edit(copy, lambda manifest: manifest.update(vocabulary_size=3))
    with pytest.raises(BundleError, match="words, the model was made for 3"):
        Bundle.load(copy)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "1"}', '{"format": 1}', "\xff"])
def test_what_is_no_manifest_is_refused(copy: Path, text: str) -> None:
    (copy / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Bundle.load(copy)


def test_a_graph_that_cannot_run_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    files = {name: (copy / name).read_bytes() for name in manifest["sha256"]}
    files["decoder.onnx"] = files["decoder.onnx"][:1000]
    bundle.write(copy, manifest, files)
    with pytest.raises(BundleError, match=r"decoder.onnx: not a graph"):
        load(copy)


def test_write_replaces_a_bundle_as_a_whole(copy: Path) -> None:
    before = Bundle.load(copy)
    files = {name: (copy / name).read_bytes() for name in before.manifest["sha256"]}
    (copy / "left-over").write_text("of the old bundle")
    written = bundle.write(copy, {**before.manifest, "name": "other"}, files)
    assert written.manifest["name"] == "other"
    assert written.vocabulary == before.vocabulary
    assert {f.name for f in copy.iterdir()} == {"manifest.json", *files}
    assert [f.name for f in copy.parent.iterdir()] == ["model"], "no scratch folder is left"


def test_write_does_not_touch_a_folder_with_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BundleError, match="holds something else"):
        bundle.write(tmp_path, {}, {})
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
