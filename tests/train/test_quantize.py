"""Quantisation: smaller graphs with nearly the same outputs."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from showtell.bundle import Bundle
from showtell.data import load
from showtell.errors import CheckpointError
from showtell.runtime import Runtime
from showtell.train import checkpoint as checkpoints
from showtell.train import export as exporting
from showtell.train import quantize as quantizing
from showtell.train.export import Graphs
from showtell.train.quantize import quantize
from showtell.train.start import network_of, stored


@pytest.fixture(scope="module")
def drafted(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Graphs]:
    """The bundle of a run in half precision, and its graphs in single precision."""
    target = tmp_path_factory.mktemp("drafted") / "half"
    return exporting.draft(checkpoints.read(trained), target, lambda _: None)


@pytest.fixture(scope="module")
def both(
    drafted: tuple[Bundle, Graphs], shapes: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Bundle, Bundle]:
    """That bundle, and its quantised version."""
    target = tmp_path_factory.mktemp("quantised") / "integers"
    return drafted[0], exporting.quantized(*drafted, load(shapes), target)


def convolution(groups: int) -> onnx.ModelProto:
    """Return a graph of one convolution, from 6 to 6 channels, and a ReLU."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(6, 6 // groups, 3, 3)).astype(np.float32)
    tensors = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.zeros(6, np.float32), "b"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["y"], "conv", group=groups),
        helper.make_node("Relu", ["y"], ["z"], "relu"),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 6, None, None])]
        for name in ("x", "z")
    ]
    graph = helper.make_graph(nodes, "graph", *ends, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_biases_make_up_for_what_rounding_moves(
    groups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this, MobileNetV2's captions changed for two of three photographs."""
    model = convolution(groups)
    x = np.random.default_rng(1).uniform(2, 6, (4, 6, 16, 16)).astype(np.float32)
    expected = run(model, x)
    corrected = run(quantize(model, [{"x": x}]), x) - expected
    monkeypatch.setattr(quantizing, "_correct_biases", lambda *_: None)
    plain = run(quantize(model, [{"x": x}]), x) - expected
    np.testing.assert_allclose(corrected, 0, atol=0.05 * expected.max())
    moved = [np.abs(error.mean(axis=(0, 2, 3))).max() for error in (corrected, plain)]
    assert moved[0] < 0.6 * moved[1]


def test_a_graph_is_left_as_it_is_and_keeps_its_names() -> None:
    model = convolution(1)
    before = model.SerializeToString()
    small = quantize(model, [{"x": np.ones((1, 6, 8, 8), np.float32)}])
    assert model.SerializeToString() == before
    weights, rounded = stored(model)["w"], stored(small)["w"]
    step = np.abs(weights).max(axis=(1, 2, 3), keepdims=True) / 63
    assert (np.abs(weights - rounded) <= 0.51 * step).all()
    assert not (weights == rounded).all()


def test_integers_say_nearly_the_same(both: tuple[Bundle, Bundle]) -> None:
    half, integers = map(Runtime, both)
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    a, b = half.encode(images).state, integers.encode(images).state
    assert a.annotations.shape == b.annotations.shape
    words = np.full((5, 1), 4)
    step, state = half.step(a, words)
    other, _ = integers.step(a, words)
    np.testing.assert_allclose(np.exp(other.logprobs), np.exp(step.logprobs), atol=0.1)
    np.testing.assert_allclose(other.alphas, step.alphas, atol=0.1)
    assert np.abs(other.logprobs - step.logprobs).max() > 1e-4, "nothing was quantised"
    fewer = state._replace(annotations=a.annotations[:, :3], projected=a.projected[:, :3])
    assert integers.step(fewer, words)[0].alphas.shape == (5, 1, 3)


def test_a_photograph_s_caption_does_not_depend_on_its_neighbours(
    both: tuple[Bundle, Bundle],
) -> None:
    """With dynamic ranges, it would."""
    runtime = Runtime(both[1])
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    together = runtime.step(runtime.encode(images).state, np.full((4, 1), 4))[0]
    alone = runtime.step(runtime.encode(images[2:3]).state, np.full((1, 1), 4))[0]
    np.testing.assert_allclose(together.logprobs[2], alone.logprobs[0], atol=1e-4)


def test_training_can_start_from_integers(trained: Path, both: tuple[Bundle, Bundle]) -> None:
    network = checkpoints.read(trained).build()
    found = network_of(both[1], network)
    for name, weight in network.named_parameters():
        if name.endswith("weight"):
            assert (found[name] - weight).abs().max() <= weight.abs().max() / 100, name


def test_graphs_that_lost_a_weight_are_not_written(
    drafted: tuple[Bundle, Graphs],
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half, graphs = drafted
    monkeypatch.setattr(exporting, "quantize", lambda *_: graphs["decoder.onnx"])
    with pytest.raises(CheckpointError, match=r"lack the network.s decoder\.annotate\.0\.bias"):
        exporting.quantized(half, graphs, load(shapes), tmp_path / "integers")
