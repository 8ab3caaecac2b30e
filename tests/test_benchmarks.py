"""Benchmarks, which are too long to run here, work with the package and the model of today."""

import ast
import importlib
import json
from pathlib import Path

import pytest
import report
from measured import RESULTS, markdown

from showtell.bundle import Bundle

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
CPUINFO = """processor\t: 0
cpu family\t: 6
model\t\t: 151
model name\t: Some Processor
flags\t\t: fpu avx2 avx_vnni
"""


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_imports_is_there(path: Path) -> None:
    """Two benchmarks imported a function that had been removed."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("showtell"):
            continue
        module = pytest.importorskip(node.module, exc_type=ImportError)
        for name in (alias.name for alias in node.names):
            if not hasattr(module, name):
                importlib.import_module(f"{node.module}.{name}")


def test_the_stages_of_a_caption_are_measured() -> None:
    """They stopped working when the decoder was given what the classifier sees."""
    for module in ("skimage", "onnx"):
        pytest.importorskip(module)
    import breakdown

    captioner = breakdown.Captioner(Bundle.load(), threads=1)
    captioner.runtime = runtime = breakdown.Timed(captioner.bundle)
    times = breakdown.stages(captioner, runtime, breakdown.jpegs()[0])
    assert times["steps"] > 3
    assert times["all of it"] > 0


def test_the_weights_that_ship_caption_in_pytorch() -> None:
    """They stopped doing so when the model got a detector of words."""
    for module in ("skimage", "showtell.train.encoder"):
        pytest.importorskip(module, exc_type=ImportError)
    import peers

    bundle, file = Bundle.load(), peers.jpegs()[0]
    [hypotheses] = peers.torch.inference_mode()(peers.eager(bundle))(file)
    words = bundle.vocabulary.decode(hypotheses[0].words)
    assert len(set(words) & set(peers.Captioner(bundle).caption(file).words)) > 2


def test_the_words_of_captions_are_compared_with_other_photographs() -> None:
    """It stopped working when the encoder's outputs became more than a state."""
    pytest.importorskip("skimage")
    import numpy as np
    import proof
    from skimage import data

    captioner = proof.load(threads=1)
    encoded = captioner.encode([data.astronaut(), data.chelsea(), data.coffee()])
    said = proof._measure(captioner, encoded, np.random.default_rng(0), proof.SHARES[:1])
    captions = captioner.decode(encoded)
    assert [each.word for each in said] == [word for c in captions for word in c.words]
    cat = next(each for each in said if each.word == "cat")
    assert cat.needs
    assert cat.seen()


def test_the_tables_of_the_pages_are_those_of_the_last_run() -> None:
    """``make bench`` measures them; a page whose tables differ fails test_readme.py."""
    from tables import MEASURED, names

    places = [name for path in MEASURED for name in names(path.read_text("utf-8"))]
    assert len(set(places)) == len(places) > 15
    if not RESULTS.exists():
        pytest.skip("there is no benchmarks/results.json: `make bench` writes it")
    assert json.loads(RESULTS.read_text("utf-8")).keys() <= set(places)


def test_a_table_that_was_not_measured_says_so() -> None:
    from tables import measured_pages

    [(_, text), _] = measured_pages({"soak": [{"slowest, ms": 1234.5, "at most, MB": 0.0567}]})
    assert "| slowest, ms | at most, MB |\n| --- | ---: |\n| 1,234 | 0.0567 |\n" in text
    assert "<!-- kills -->\n\nNot measured in this run.\n\n<!-- /kills -->" in text


def test_rows_may_lack_columns() -> None:
    rows = [{"clients": 1, "median": 0.0}, {"clients": 2, "median": 20.04, "95th": 999.6}]
    lines = markdown(rows).split("\n")
    assert lines[0] == "| clients | median | 95th |"
    assert lines[2:] == ["| 1 | 0 |  |", "| 2 | 20.0 | 1,000 |"]


def test_the_processor_is_named_with_its_instructions(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(CPUINFO)
    found = report.processor(path)
    assert found["processor"] == "Some Processor (family 6, model 151)"
    assert found["instructions"] == "AVX2, AVX-VNNI"
    assert "AMX" in found["lacks"]


def test_a_benchmark_that_fails_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import sys; open(sys.argv[-1], 'w').write('{\"%s\": [{\"ms\": 1}]}'); sys.exit(%d)"
    (tmp_path / "one.py").write_text(code % ("one", 0))
    (tmp_path / "two.py").write_text("raise SystemExit('no')")
    (tmp_path / "three.py").write_text(code % ("three", 1))
    monkeypatch.setattr(report, "HERE", tmp_path)
    tables, failed = report.run([("two.py",), ("three.py", "--fast"), ("one.py",)])
    assert tables == {"three": [{"ms": 1}], "one": [{"ms": 1}]}
    assert failed == ["two.py", "three.py"]


def test_a_cluster_is_predicted_from_the_two_runs_before() -> None:
    pytest.importorskip("skimage")
    from scale import MANY, Run, table

    runs = [Run(100, 11.0, 10_000, 1_000), Run(1_000, 20.0, 0, 0), Run(2_000, 30.0, 8_000, 4_000)]
    tables = table(runs, cores=2)
    assert tables["cluster"][0] == {"photographs": 100, "seconds": 11.0, "a second": 100 / 11}
    assert tables["cluster"][2]["predicted, s"] == 30.0
    assert tables["cluster"][2]["a second, beyond the row above"] == 100.0
    [cost] = tables["cluster-cost"]
    assert round(cost[f"days of one core for {MANY:,}"]) == 23
    assert cost["bytes read, a photograph"] == 4.0


def test_aims_are_compared_with_the_largest_folder() -> None:
    folder = [
        {"pixels": "500 x 375", "photographs": n, "a second": rate}
        for n, rate in ((2000, 119.0), (10000, 121.0))
    ]
    aim = {"aim": "500 x 375: a second", "": "at least 120", "measured": 121.0, "met": "yes"}
    assert report.aims({"folder": folder}) == [aim]
    [first] = report.aims({"peers": [{"one caption": "showtell", "median, ms": 8.1}]})
    assert (first["measured"], first["met"]) == (8.1, "no")
