"""Bundles: reading, verification and atomic writing."""

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from showtell import bundle
from showtell.bundle import SHIPPED, Bundle
from showtell.captioner import load
from showtell.errors import BundleError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the model that ships, to damage."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "model"))


def edit(path: Path, change: Callable[[dict], None]) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    change(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_the_model_that_ships_is_whole_and_light() -> None:
    shipped = Bundle.load()
    assert shipped.grid == (9, 9)
    assert shipped.image_size == 260
    assert len(shipped.vocabulary) == shipped.manifest["vocabulary_size"]
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 20e6


def test_nothing_in_the_bundle_is_pickled() -> None:
    assert {file.name for file in SHIPPED.iterdir()} == {
        "manifest.json", "vocab.json", "encoder.onnx", "decoder.onnx", "familiar.npy",
        "things.json", "README.md",
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


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "sub/file", "..", ""])
def test_a_name_outside_the_folder_is_refused(copy: Path, name: str) -> None:
    edit(copy, lambda manifest: manifest["sha256"].update({name: "0" * 64}))
    with pytest.raises(BundleError, match="outside the bundle"):
        Bundle.load(copy)


def test_a_vocabulary_of_another_length_is_refused(copy: Path) -> None:
    edit(copy, lambda manifest: manifest.update(vocabulary_size=3))
    with pytest.raises(BundleError, match="words, but the manifest says 3"):
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
    with pytest.raises(BundleError, match=r"decoder.onnx: ONNX Runtime cannot load"):
        load(copy)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", 3),
        ("name", "a\nb"),
        ("image_size", 10**9),
        ("image_size", "224"),
        ("image_size", True),
        ("grid", [7]),
        ("grid", "77"),
        ("grid", [0, 7]),
        ("vocabulary_size", None),
        ("sha256", ["vocab.json"]),
    ],
)
def test_an_odd_entry_of_a_manifest_is_named(copy: Path, name: str, value: object) -> None:
    """Memory was allocated for an image_size of a thousand million."""
    edit(copy, lambda manifest: manifest.update({name: value}))
    with pytest.raises(BundleError, match=f": {name} is invalid"):
        Bundle.load(copy)


def replace_graph(copy: Path, name: str, graph: bytes) -> None:
    """Replace a graph of a bundle, with the correct checksum."""
    (copy / name).write_bytes(graph)
    digest = hashlib.sha256(graph).hexdigest()
    edit(copy, lambda manifest: manifest["sha256"].update({name: digest}))


def test_weights_in_another_file_are_refused(copy: Path) -> None:
    """They would be read from any path in the graph, without a checksum."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    model = onnx.load(copy / "decoder.onnx")
    onnx.external_data_helper.convert_model_to_external_data(model, location="weights.bin")
    onnx.save(model, copy / "decoder.onnx")
    replace_graph(copy, "decoder.onnx", (copy / "decoder.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"decoder\.onnx: stores weights in another file"):
        Bundle.load(copy)


def test_graphs_that_do_not_fit_are_refused(copy: Path) -> None:
    decoder = (copy / "decoder.onnx").read_bytes()
    replace_graph(copy, "decoder.onnx", (copy / "encoder.onnx").read_bytes())
    with pytest.raises(BundleError, match="do not match its manifest: words is missing"):
        load(copy)
    replace_graph(copy, "decoder.onnx", decoder)
    edit(copy, lambda manifest: manifest.update(grid=[8, 8]))
    with pytest.raises(BundleError, match="do not match its manifest: annotations is of shape"):
        load(copy)
    edit(copy, lambda manifest: manifest.update(grid=[7, 7], image_size=160))
    with pytest.raises(BundleError, match="do not match its manifest: images is of shape"):
        load(copy)


WRITE = """
import resource, sys
from pathlib import Path
from showtell import bundle
words = b'["<pad>", "<start>", "<end>", "<unk>"]'
files = {"vocab.json": words, "encoder.onnx": bytes(200_000), "decoder.onnx": bytes(200_000)}
manifest = dict(image_size=8, grid=[1, 1], vocabulary_size=4)
"""


def write_in_a_process(code: str, folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WRITE + code, str(folder)], stderr=subprocess.PIPE
    )


@pytest.mark.skipif(os.name != "posix", reason="limits of files are POSIX's")
def test_a_full_disk_leaves_the_old_bundle_and_no_half_of_a_new_one(tmp_path: Path) -> None:
    code = """
bundle.write(Path(sys.argv[1]), manifest | {"name": "old"}, files)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
bundle.write(Path(sys.argv[1]), manifest | {"name": "new"}, files)
"""
    process = write_in_a_process(code, tmp_path / "model")
    _, errors = process.communicate()
    assert b"BundleError" in errors
    assert b"model: cannot be written: File too large" in errors
    assert Bundle.load(tmp_path / "model").manifest["name"] == "old"
    assert [f.name for f in tmp_path.iterdir()] == ["model"]


def test_killed_at_any_moment_a_write_leaves_a_whole_bundle(tmp_path: Path, kills: int) -> None:
    code = """
for i in range(10**9):
    bundle.write(Path(sys.argv[1]), manifest | {"name": str(i)}, files)
"""
    rng = random.Random(0)
    for _ in range(3 + kills):
        process = write_in_a_process(code, tmp_path / "model")
        deadline = time.monotonic() + 60
        while not (tmp_path / "model").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.3, 1))
        process.kill()
        process.communicate()
        if sys.platform == "linux" or (tmp_path / "model").exists():
            Bundle.load(tmp_path / "model")
        else:  # between the two renames: both bundles are complete, under other names
            (beside,) = tmp_path.glob(".model-*/old")
            Bundle.load(beside)
            Bundle.load(beside.with_name("new"))


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
    with pytest.raises(BundleError, match="already contains other files"):
        bundle.write(tmp_path, {}, {})
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def replace_file(copy: Path, name: str, data: bytes) -> None:
    """Replace a file of a bundle, with the correct checksum."""
    replace_graph(copy, name, data)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("kind", ["pipe", "device", "outside", "loop", "folder", "large"])
@pytest.mark.parametrize(
    "name", ["manifest.json", "vocab.json", "encoder.onnx", "familiar.npy", "README.md"]
)
def test_a_file_that_is_none_is_refused(
    copy: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a pipe blocked, and reading a link to an endless device filled the memory."""
    path = copy / name
    data = path.read_bytes()
    if kind == "large":
        monkeypatch.setattr(bundle, "MAX_TEXT", 10)
        monkeypatch.setattr(bundle, "MAX_GRAPH", 10)
    else:
        path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "outside":
        (copy.parent / "outside").write_bytes(data)
        path.symlink_to("../outside")
    elif kind in ("device", "loop"):
        path.symlink_to("/dev/zero" if kind == "device" else path)
    told = r"manifest\.json" if kind == "large" else re.escape(name)
    with pytest.raises(BundleError, match=told):
        load(copy)


def test_the_links_of_the_hub_are_followed(tmp_path: Path) -> None:
    """The hub's cache stores the files outside of the folder, named by their checksums."""
    folder = tmp_path / "models--owner--name" / "snapshots" / "0123"
    folder.mkdir(parents=True)
    (folder.parents[1] / "blobs").mkdir()
    for file in SHIPPED.iterdir():
        shutil.copy(file, folder.parents[1] / "blobs" / file.name)
        (folder / file.name).symlink_to(f"../../blobs/{file.name}")
    assert Bundle.load(folder).manifest["name"] == "showtell-wider-pairs"


@pytest.mark.parametrize(
    "word", [5, None, ["a"], "\ud800", "\x1b[2J", "\a", "a\nshowtell: b", "\u202egpj", "\ufffe"]
)
def test_words_that_cannot_be_printed_are_refused(copy: Path, word: object) -> None:
    """They were printed unescaped, and made sidecars invalid XML."""
    words = json.loads((copy / "vocab.json").read_text())
    words[-1] = word
    replace_file(copy, "vocab.json", json.dumps(words).encode())
    with pytest.raises(BundleError, match=r"vocab\.json: not a vocabulary"):
        Bundle.load(copy)


@pytest.mark.parametrize("name", ["manifest.json", "vocab.json"])
@pytest.mark.parametrize("text", [b"[" * 200_000, b"[" * 900 + b"]" * 900, b"\xff", b"5", b"null"])
def test_json_that_is_something_else_is_refused(copy: Path, name: str, text: bytes) -> None:
    if name == "manifest.json":
        (copy / name).write_bytes(text)
    else:
        replace_file(copy, name, text)
    with pytest.raises(BundleError, match=re.escape(name)):
        Bundle.load(copy)


@pytest.mark.parametrize("name", ["a\0b", "\x1b[2J", "a\nb", "\u202e", "\ud800"])
def test_an_odd_name_of_a_file_is_refused(copy: Path, name: str) -> None:
    edit(copy, lambda manifest: manifest["sha256"].update({name: "0" * 64}))
    with pytest.raises(BundleError, match="outside the bundle") as caught:
        Bundle.load(copy)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "data", [b"PK\3\4" + bytes(100), b"", b"\x93NUMPY\1\0\xff\xff" + b"(" * 999]
)
def test_doubt_that_is_no_array_is_refused(copy: Path, data: bytes) -> None:
    replace_file(copy, "familiar.npy", data)
    with pytest.raises(BundleError, match="its confidence model cannot be read"):
        load(copy)


def changed(copy: Path, name: str, change: Callable) -> None:
    """Modify the graph of a bundle."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    model = onnx.load(copy / name)
    change(onnx, model)
    replace_graph(copy, name, model.SerializeToString())


def test_a_word_of_a_doc_string_is_no_weight_in_another_file(copy: Path) -> None:
    def describe(onnx, model) -> None:
        model.doc_string = "the location of what is seen"
        model.graph.node[0].doc_string = "location"

    changed(copy, "decoder.onnx", describe)
    assert Bundle.load(copy)


@pytest.mark.parametrize("place", ["initializer", "attribute", "sparse", "branch", "function"])
def test_a_tensor_in_another_file_is_found_wherever_it_is(copy: Path, place: str) -> None:
    def hide(onnx, model) -> None:
        tensor = onnx.TensorProto(name="t", data_type=1, dims=[1], data_location=1)
        tensor.external_data.add(key="location", value="/etc/passwd")
        node = onnx.helper.make_node("Constant", [], ["t"])
        node.attribute.add(name="value", type=4).t.CopyFrom(tensor)
        graph = model.graph
        if place == "initializer":
            graph.initializer.append(tensor)
        elif place == "sparse":
            graph.sparse_initializer.add().values.CopyFrom(tensor)
        elif place == "attribute":
            graph.node.append(node)
        elif place == "branch":
            graph.node[0].attribute.add(name="body", type=5).g.node.append(node)
        else:
            model.functions.add().node.append(node)

    changed(copy, "decoder.onnx", hide)
    with pytest.raises(BundleError, match="stores weights in another file"):
        Bundle.load(copy)


def test_bytes_that_are_no_graph_are_refused(copy: Path) -> None:
    replace_graph(copy, "decoder.onnx", b"location" * 100)
    with pytest.raises(BundleError, match=r"decoder\.onnx: not an ONNX graph"):
        load(copy)
