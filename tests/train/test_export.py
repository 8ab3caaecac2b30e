"""Export: the bundle's outputs equal the network's."""

import json
import logging
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.data import load
from showtell.errors import CheckpointError
from showtell.runtime import Runtime
from showtell.train import checkpoint as checkpoints
from showtell.train import export as exporting
from showtell.train import graphs
from showtell.train.validate import TorchStepModel


def test_a_run_becomes_a_model(exported: Bundle, shapes: Path) -> None:
    captioner = Captioner(exported)
    photographs = load(shapes).split("test")
    captions = captioner.caption([p.path for p in photographs], beam=3)
    right = [
        set(photograph.captions[4].split()) <= set(caption.words)
        for photograph, caption in zip(photographs, captions, strict=True)
    ]
    assert np.mean(right) >= 0.5, [c.text for c in captions]

    manifest = exported.manifest
    assert manifest["grid"] == [2, 2]
    assert manifest["scores"]["photographs"] == 8
    card = (exported.path / "README.md").read_text()
    assert f"{100 * manifest['scores']['scores']['bleu'][0]:.2f}" in card
    assert str(shapes.parent) not in json.dumps(manifest) + card, "nobody's folders are told"


def test_log_probabilities_agree_at_sizes_that_were_not_traced(
    trained: Path, exported: Bundle
) -> None:
    """For each word, with weights that are not rounded as in the bundle."""
    network = checkpoints.read(trained).build()
    runtime = Runtime(exported)
    model = TorchStepModel(network)
    rng = np.random.default_rng(0)
    for photos, beams, cells in ((1, 1, 4), (1, 7, 2), (5, 2, 3)):
        images = rng.integers(0, 256, (photos, 64, 64, 3), dtype=np.uint8)
        with torch.inference_mode():
            ours = model.start(network.encoder(torch.from_numpy(images)))
            theirs = runtime.encode(images).state
            ours, theirs = (
                state._replace(
                    annotations=state.annotations[:, :cells], projected=state.projected[:, :cells]
                )
                for state in (ours, theirs)
            )
            every = np.zeros((photos, beams), np.int64)
            ours = model.select(ours, np.arange(photos), every)
            theirs = runtime.select(theirs, np.arange(photos), every)
            for _ in range(3):
                words = rng.integers(0, theirs.h.shape[-1] // 2, (photos, beams))
                mine, ours = model.step(ours, words)
                other, theirs = runtime.step(theirs, words)
                for a, b in zip(mine, other, strict=True):
                    np.testing.assert_allclose(a, b, atol=0.02)


def test_the_card_tells_whether_attention_means_something(exported: Bundle) -> None:
    """For a real bundle, whose decoder accepts fewer cells than its grid has."""
    scores = exported.manifest["scores"]
    assert scores["not_computed"] == {}
    assert scores["deletion"]["words"] > 8
    assert -1 < scores["deletion"]["attended"] < 1
    assert 0 < scores["gates"]["visual"] < 1
    assert "deletion" in (exported.path / "README.md").read_text()


def test_the_bundle_has_a_confidence_model(exported: Bundle) -> None:
    """The export fits it to the exported graphs, and includes it in the scores."""
    captioner = Captioner(exported)
    assert captioner.confidence_model is not None
    # Half of the directions are principal components.
    assert captioner.confidence_model.components.shape == (13, 24)
    strangers = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    assert all(caption.unsure for caption in captioner.caption(list(strangers), beam=1))
    calibration = exported.manifest["scores"]["calibration"]
    assert 0 <= calibration["error"] < 0.5
    assert calibration["unsure"] < 0.5


@pytest.mark.parametrize(("cider", "told"), [(0.592, "by -0.0080"), (0.58, "half precision")])
def test_integers_are_taken_where_they_lose_little(
    trained: Path,
    exported: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cider: float,
    told: str,
) -> None:
    ciders = [0.6, cider]
    card = SimpleNamespace(to_dict=lambda: exported.manifest["scores"])
    monkeypatch.setattr(exporting, "draft", lambda *_: (exported, {}))
    monkeypatch.setattr(exporting, "quantized", lambda *_: exported)
    monkeypatch.setattr(exporting, "_cider", lambda *_: ciders.pop(0))
    monkeypatch.setattr(exporting, "evaluate", lambda *_: card)
    written = exporting.export(trained, tmp_path / "model", lambda _: None)
    assert ("quantised" in written.manifest) == ("by" in told)
    text = (written.path / "README.md").read_text()
    assert told in " ".join(text.split())


def test_libraries_keep_their_warnings_to_themselves(
    trained: Path,
    tmp_path: Path,
    recwarn: pytest.WarningsRecorder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    exporting.export(run, tmp_path / "model", lambda _: None)
    logged = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [*recwarn.list, *logged] == []


def test_graphs_that_disagree_are_not_written(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    with pytest.raises(CheckpointError, match="differ from the network"):
        exporting.export(trained, tmp_path / "model", lambda _: None)
    assert not (tmp_path / "model").exists()


def test_graphs_that_lost_the_name_of_a_weight_are_not_written(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch's exporter transposes matrices, and renames them to names such as val_16."""
    monkeypatch.setattr(graphs, "_name_weights", lambda model, _: model)
    monkeypatch.setattr(exporting, "HALF_FROM", 500)
    with pytest.raises(CheckpointError, match=r"lack the network.s decoder\.annotate\.0\.weight"):
        exporting.export(trained, tmp_path / "model", lambda _: None)
    assert not (tmp_path / "model").exists()


def test_a_folder_with_something_else_is_left_alone(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    with pytest.raises(Exception, match="already contains other files"):
        exporting.export(trained, tmp_path / "thesis", lambda _: None)
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["thesis.tex"]
