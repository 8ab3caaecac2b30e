"""The command line; in a subprocess where standard streams matter."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from skimage import data

import showtell
from showtell.bundle import SHIPPED
from showtell.cli import main

KINDS = ("png", "gif", "json")
SHOWTELL = (sys.executable, "-c", "from showtell.cli import main; main()")


def run(*arguments: object, **options: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], **options)  # type: ignore[arg-type]


def errors(stderr: str) -> list[str]:
    """Return the lines that are no warnings. Of which photograph the model is unsure may change."""
    return [line for line in stderr.splitlines() if ": warning: " not in line]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    Image.fromarray(data.astronaut()).save(folder / "astronaut.png")
    Image.fromarray(data.coffee()).save(folder / "a coffee.jpg")
    (folder / "notes.txt").write_text("no photograph")
    (folder / "cut.png").write_bytes((folder / "astronaut.png").read_bytes()[:20000])
    return folder


def test_python_m_showtell_is_the_command() -> None:
    command = [sys.executable, "-m", "showtell", "train", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.startswith("Usage: python -m showtell train ")


def test_caption_prints_a_line_a_photograph(photographs: Path) -> None:
    paths = [photographs / "astronaut.png", photographs / "a coffee.jpg"]
    done = run("caption", *paths)
    assert done.exit_code == 0
    captions = [c.text for c in showtell.load().caption(paths)]
    assert done.stdout.splitlines() == [f"{p}\t{c}" for p, c in zip(paths, captions, strict=True)]


def test_a_bad_photograph_does_not_cost_the_others(photographs: Path) -> None:
    names = ["notes.txt", "astronaut.png", "cut.png", "missing.jpg", "a coffee.jpg"]
    done = run("caption", *(photographs / name for name in names))
    assert done.exit_code == 1
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [
        str(photographs / "astronaut.png"),
        str(photographs / "a coffee.jpg"),
    ]
    reasons = errors(done.stderr)
    for name, line in zip(["notes.txt", "cut.png", "missing.jpg"], reasons, strict=True):
        assert line.startswith(f"showtell: {photographs / name}: ")


def test_a_name_cannot_forge_a_line(photographs: Path, tmp_path: Path) -> None:
    """A line break in a file's name looked like a line for another photograph."""
    good, bad = tmp_path / "a\n\x1b[2J\u2028b'\".png", tmp_path / "a\nb.jpg"
    good.write_bytes((photographs / "astronaut.png").read_bytes())
    done = run("caption", good, bad)
    told, caption = done.stdout.splitlines()[0].split("\t")
    assert told == rf"{tmp_path}/a\n\x1b[2J\u2028b'" + '".png'
    assert done.stdout == f"{told}\t{caption}\n"
    assert errors(done.stderr) == [rf"showtell: {tmp_path}/a\nb.jpg: there is no such file"]
    assert json.loads(run("caption", good, "--json").stdout)["image"] == str(good)


def test_a_name_that_is_no_text(photographs: Path, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.png"
    shutil.copy(os.fsencode(photographs / "astronaut.png"), path)
    command = [
        sys.executable,
        "-c",
        "from showtell.cli import main; main()",
        "caption",
        path,
        b"\xfe",
    ]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 1
    reasons = errors(done.stderr.decode())
    assert len(done.stdout.splitlines()) == len(reasons) == 1
    assert reasons[0].endswith(": there is no such file")


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1:strict", "utf-16"])
def test_standard_output_of_any_encoding_loses_nothing(
    photographs: Path, tmp_path: Path, encoding: str
) -> None:
    """A name or the β of a table that could not be encoded ended the program."""
    foreign = tmp_path / "собака.png"
    shutil.copy(photographs / "astronaut.png", foreign)
    command = [*SHOWTELL, "caption", foreign, photographs / "cut.png"]
    command += [photographs / "a coffee.jpg", "--proof", "--max-length", "3"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment)
    encoding = encoding.partition(":")[0]
    lines = done.stdout.decode(encoding).splitlines()
    told = [line.split("\t")[0] for line in lines if "\t" in line]
    written = str(foreign).encode(encoding, "backslashreplace").decode(encoding)
    assert told == [written, str(photographs / "a coffee.jpg")]
    assert any("β" in line or "\\u03b2" in line for line in lines)
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)


@pytest.mark.parametrize("command", [["info"], ["evaluate"]])
def test_cards_are_printed_in_any_encoding(command: list[str], tmp_path: Path) -> None:
    if command == ["evaluate"]:
        pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed")
        results, references = tmp_path / "results.json", tmp_path / "references.json"
        results.write_text(json.dumps([{"image_id": 1, "caption": "a dog"}]))
        annotations = [{"image_id": 1, "id": 1, "caption": "a dog"}]
        references.write_text(json.dumps({"images": [{"id": 1}], "annotations": annotations}))
        command = [*command, "--predictions", str(results), "--references", str(references)]
    done = subprocess.run(
        [*SHOWTELL, *command],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 5


def test_frames_that_are_not_captioned_are_told(tmp_path: Path) -> None:
    path = tmp_path / "several.gif"
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    done = run("caption", path)
    warning = "the file has several frames or pages; only the first is captioned"
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 1)
    assert done.stderr.splitlines()[0] == f"showtell: {path}: warning: {warning}"
    done = run("caption", path, "--json")
    assert json.loads(done.stdout)["warnings"][0] == warning
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' /dev/full")
def test_output_that_cannot_be_written_is_one_line(photographs: Path) -> None:
    command = [sys.executable, "-c", "from showtell.cli import main; main()", "caption"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*command, photographs / "astronaut.png"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert errors(done.stderr) == ["showtell: standard output: no space left on device"]


def test_standard_input_without_an_end_is_not_waited_for() -> None:
    command = [sys.executable, "-c", "from showtell.cli import main; main()", "caption", "-"]
    with open("/dev/zero", "rb") as endless:
        done = subprocess.run(command, stdin=endless, capture_output=True, text=True)
    assert done.stderr == "showtell: -: the file is larger than 32 MB\n"


def test_json_is_the_documented_object(photographs: Path) -> None:
    path = photographs / "astronaut.png"
    done = run("caption", path, "--json", "--beam", 2)
    found = json.loads(done.stdout)
    assert found["image"] == str(path)
    assert found["caption"] == showtell.load().caption(path, beam=2).text
    assert found["grid"] == [9, 9]
    assert len(found["attention"]) == len(found["words"]) == len(found["gates"])
    for weights in found["attention"]:
        assert len(weights) == 81
        assert sum(weights) == pytest.approx(1, abs=1e-4)
    assert {
        "logprob",
        "confidence",
        "confidences",
        "model",
        "probabilities",
        "unsure",
    } <= found.keys()


def test_a_part_of_a_photograph(photographs: Path) -> None:
    path = photographs / "astronaut.png"
    done = run("caption", path, "--region", "130,30,330,300", "--json")
    assert json.loads(done.stdout)["region"] == [130, 30, 330, 300]
    done = run("caption", path, photographs / "a coffee.jpg", "--region", "0,0,600,400")
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{photographs}/a coffee.jpg\t")
    assert done.stderr.startswith(
        f"showtell: {path}: the region 0,0,600,400 is not inside the photograph, "
        "which is 512 x 512 pixels\n"
    )


def test_the_proof_is_a_line_a_word(photographs: Path) -> None:
    done = run("caption", photographs / "astronaut.png", "--proof")
    line, *table = done.stdout.splitlines()
    words = showtell.load().bundle.vocabulary.words
    assert table[0].split() == ["word", "p", "β", "attended", "random", "source"]
    assert len(table) > 3
    for row in table[1:]:
        word, p, gate, attended, random, source = row.split(maxsplit=5)
        assert word in words
        assert 0 < float(p) <= 1
        assert 0 < float(gate) <= 1
        assert attended[-1] == random[-1] == "%"
        assert source in ("photograph", "language model")
    assert line.split("\t")[1].split()[0] == table[1].split()[0]


def test_a_model_that_cannot_prove_says_so(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captioner = showtell.load()
    monkeypatch.setattr(captioner.runtime, "cells_vary", False)
    monkeypatch.setattr("showtell.captioner.load", lambda _: captioner)
    done = run("caption", photographs / "astronaut.png", "--proof")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "export the model again" in done.stderr


def test_standard_input_is_one_photograph(photographs: Path) -> None:
    image = (photographs / "astronaut.png").read_bytes()
    command = [sys.executable, "-c", "from showtell.cli import main; main()", "caption", "-"]
    done = subprocess.run(command, input=image, capture_output=True)
    expected = showtell.load().caption(image).text
    assert done.stdout.decode() == f"-\t{expected}\n"


def test_attention_writes_three_files_a_photograph(photographs: Path, tmp_path: Path) -> None:
    path, folder = photographs / "astronaut.png", tmp_path / "new" / "figures"
    done = run("caption", path, photographs / "a coffee.jpg", "--attention", folder, "--json")
    assert done.exit_code == 0
    names = {f"{stem}.{kind}" for stem in ("astronaut", "a coffee") for kind in KINDS}
    assert {file.name for file in folder.iterdir()} == names
    printed = json.loads(done.stdout.splitlines()[0])
    assert json.loads((folder / "astronaut.json").read_bytes()) == printed
    with Image.open(folder / "astronaut.png") as figure:
        assert min(figure.size) > 200
    with Image.open(folder / "astronaut.gif") as played:
        assert played.n_frames == 3 * len(printed["words"]) + 4  # type: ignore[attr-defined]


def test_files_of_one_name_are_numbered(tmp_path: Path) -> None:
    """For a.png twice and a-2.png, the third overwrote the files of the second."""
    paths = [tmp_path / name for name in ("a.png", "b/a.png", "a-2.png")]
    (tmp_path / "b").mkdir()
    for path in paths:
        Image.fromarray(data.rocket()).save(path)
    assert run("caption", *paths, "--attention", tmp_path / "out").exit_code == 0
    names = {f"{stem}.{kind}" for stem in ("a", "a-2", "a-2-2") for kind in KINDS}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names


def test_a_figure_does_not_replace_its_photograph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph = tmp_path / "rocket.png"
    Image.fromarray(data.rocket()).save(photograph)
    before = photograph.read_bytes()
    monkeypatch.chdir(tmp_path)
    assert run("caption", "rocket.png", "--attention", tmp_path).exit_code == 0
    assert photograph.read_bytes() == before
    names = {"rocket.png", *(f"rocket-2.{kind}" for kind in KINDS)}
    assert {file.name for file in tmp_path.iterdir()} == names


def test_max_length_is_the_most_words(photographs: Path) -> None:
    path = photographs / "astronaut.png"
    found = json.loads(run("caption", path, "--json", "--max-length", 3).stdout)
    assert 1 <= len(found["words"]) <= 3
    assert found["caption"] == showtell.load().caption(path, max_length=3).text


def test_a_figure_that_cannot_be_written_is_told(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run("caption", photographs / "astronaut.png", "--attention", tmp_path / "file" / "in")
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["caption"],
        ["caption", "x.jpg", "--beam", "0"],
        ["caption", "x.jpg", "--beam", "many"],
        ["caption", "x.jpg", "--bem", "3"],
        ["caption", "x.jpg", "--max-length", "0"],
        ["caption", "x.jpg", "--max-length", "41"],
        ["caption", "x.jpg", "--region", "1,2,3"],
        ["caption", "x.jpg", "--mention", "a,b,c", "--mention", "d,e"],
        ["caption", "x.jpg", "--mention", ""],
        ["caption", "x.jpg", "--things", "--out", "x.csv"],
        ["evaluate"],
        ["evaluate", "--data", "x", "--predictions", "y", "--references", "z"],
        ["nonsense"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["caption", "x.jpg", "--model", "nowhere"], "nowhere: there is no such folder"),
        (["info", "--model", "nowhere"], "nowhere: there is no such folder"),
        (["data", "flickr8k", "nowhere"], "nowhere"),
        (["evaluate", "--data", "nowhere"], "nowhere"),
        (["train", "nowhere.yaml"], "nowhere.yaml: there is no such recipe"),
        (["export", "nowhere", "somewhere"], "nowhere"),
    ],
)
def test_what_is_missing_is_one_line_and_status_1(arguments: list[str], reason: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 1
    assert done.stderr.startswith("showtell: ")
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_info_tells_of_the_model() -> None:
    assert "Show, Attend and Tell" in run("info").stdout
    manifest = json.loads(run("info", "--json").stdout)
    assert manifest["name"] == "showtell-wider-pairs"
    assert manifest["scores"]["scores"]["cider"] > 0.54


def test_a_name_cannot_turn_the_direction_of_writing(photographs: Path, tmp_path: Path) -> None:
    """With a change of direction, gpj.exe looked like exe.jpg."""
    path = tmp_path / "a\u202egpj\u2066.png"
    path.write_bytes((photographs / "astronaut.png").read_bytes())
    done = run("caption", path, tmp_path / "\u200fb.jpg")
    assert done.stdout.startswith(rf"{tmp_path}/a\u202egpj\u2066.png" + "\t")
    assert rf"showtell: {tmp_path}/\u200fb.jpg: " in done.stderr
    assert json.loads(run("caption", path, "--json").stdout)["image"] == str(path)


def test_the_card_of_a_stranger_is_escaped(tmp_path: Path) -> None:
    model = Path(shutil.copytree(SHIPPED, tmp_path / "model"))
    manifest = json.loads((model / "manifest.json").read_text())
    del manifest["sha256"]["README.md"]
    (model / "manifest.json").write_text(json.dumps(manifest))
    (model / "README.md").write_bytes(b"# A\x1b[2J\r\n\ta\xff\xe2\x80\xae\n")
    done = run("info", "--model", model)
    assert done.stdout == "# A\\x1b[2J\n        a\ufffd\\u202e\n"
    (model / "README.md").unlink()
    assert "README.md: missing" in run("info", "--model", model).stderr


def endless(model: Path) -> None:
    """Make the decoder of a bundle loop endlessly."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx import helper, numpy_helper

    graph = onnx.load(model / "decoder.onnx")
    kind = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["goes_on"], ["still"]),
            helper.make_node("Add", ["sum", "sum"], ["more"]),
        ],
        "body",
        [kind("i", 7, []), kind("goes_on", 9, []), kind("sum", 1, ["a", "b", "c"])],
        [kind("still", 9, []), kind("more", 1, ["a", "b", "c"])],
    )
    times, true = (numpy_helper.from_array(np.array(v), n) for v, n in ((2**62, "n"), (True, "t")))
    graph.graph.initializer.extend([times, true])
    output = next(o.name for o in graph.graph.output if o.name == "next_c")
    for node in graph.graph.node:
        for i, name in enumerate(node.output):
            if name == output:
                node.output[i] = "before_the_loop"
    loop = helper.make_node("Loop", ["n", "t", "before_the_loop"], [output], body=body)
    graph.graph.node.append(loop)
    data = graph.SerializeToString()
    (model / "decoder.onnx").write_bytes(data)
    manifest = json.loads((model / "manifest.json").read_text())
    manifest["sha256"]["decoder.onnx"] = hashlib.sha256(data).hexdigest()
    (model / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("out", [False, True])
def test_ctrl_c_ends_a_graph_that_does_not_end(
    photographs: Path, tmp_path: Path, out: bool
) -> None:
    """With --out, the first Ctrl+C waits for photographs in progress; the second ends the run."""
    model = Path(shutil.copytree(SHIPPED, tmp_path / "model"))
    endless(model)
    options = ["--out", str(tmp_path / "o.jsonl")] if out else []
    command = [sys.executable, "-c", "from showtell.cli import main; main()", "caption"]
    command += [str(photographs / "astronaut.png"), "--model", str(model), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            time.sleep(8)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            if out:
                time.sleep(1)
                process.send_signal(signal.SIGINT)
            assert process.wait(20) == -signal.SIGINT
            assert b"Traceback" not in (process.stderr.read() if process.stderr else b"")
        finally:
            process.kill()
