"""A model that loads quickly, and photographs for it."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from showtell import bundle
from showtell.vocab import END, SPECIAL

WORDS = (*SPECIAL, "a", "red", "green", "blue", "spot")


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle that uses two by two pixels, and generates random captions."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    files = {
        "vocab.json": json.dumps(WORDS).encode(),
        "encoder.onnx": _encoder(),
        "decoder.onnx": _decoder(np.random.default_rng(1)),
    }
    manifest = {"name": "small", "image_size": 2, "grid": [2, 2], "vocabulary_size": len(WORDS)}
    return bundle.write(tmp_path_factory.mktemp("small") / "model", manifest, files).path


@pytest.fixture
def photographs(tmp_path: Path) -> Callable[[int], Path]:
    """Create a folder with `n` different photographs in two subfolders."""

    def make(n: int) -> Path:
        folder, rng = tmp_path / "photographs", random.Random(n)
        for i in range(n):
            colour = tuple(rng.randbytes(3))
            path = folder / "ab"[i % 2] / f"{i:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4), colour).save(path)
        return folder

    return make


def _encoder() -> bytes:
    from onnx import helper

    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=1),
        helper.make_node("Div", ["float", "255"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "cells"], ["annotations"]),
        helper.make_node("Identity", ["annotations"], ["projected"]),
        helper.make_node("ReduceMean", ["annotations", "axis"], ["h"], keepdims=1),
        helper.make_node("Identity", ["h"], ["c"]),
    ]
    numbers = {"255": np.float32(255), "cells": np.array([-1, 4, 3]), "axis": np.array([1])}
    inputs = {"images": (2, ["B", 2, 2, 3])}
    outputs = {
        "annotations": (1, ["B", 4, 3]),
        "projected": (1, ["B", 4, 3]),
        "h": (1, ["B", 1, 3]),
        "c": (1, ["B", 1, 3]),
    }
    return _graph(nodes, numbers, inputs, outputs)


def _decoder(rng: np.random.Generator) -> bytes:
    """Score words by the colour and the previous word; the attention is uniform."""
    from onnx import helper

    V = len(WORDS)
    nodes = [
        helper.make_node("MatMul", ["h", "by_colour"], ["coloured"]),
        helper.make_node("Gather", ["by_word", "words"], ["followed"]),
        helper.make_node("Add", ["coloured", "followed"], ["scores"]),
        helper.make_node("LogSoftmax", ["scores"], ["logprobs"]),
        helper.make_node("MatMul", ["h", "zeros"], ["flat"]),
        helper.make_node("Softmax", ["flat"], ["alphas"]),
        helper.make_node("ReduceMean", ["h", "axis"], ["betas"], keepdims=0),
        helper.make_node("Identity", ["h"], ["next_h"]),
        helper.make_node("Identity", ["c"], ["next_c"]),
    ]
    by_word = rng.normal(size=(V, V))
    by_word[4:, END] += 1
    numbers = {
        "by_colour": (6 * rng.normal(size=(3, V))).astype(np.float32),
        "by_word": by_word.astype(np.float32),
        "zeros": np.zeros((3, 4), np.float32),
        "axis": np.array([2]),
    }
    state = {name: (1, ["B", "k", 3]) for name in ("h", "c")}
    cells = {name: (1, ["B", 4, 3]) for name in ("annotations", "projected")}
    inputs = {"words": (7, ["B", "k"]), **cells, **state}
    outputs = {
        "logprobs": (1, ["B", "k", V]),
        "alphas": (1, ["B", "k", 4]),
        "betas": (1, ["B", "k"]),
        **{f"next_{name}": shape for name, shape in state.items()},
    }
    return _graph(nodes, numbers, inputs, outputs)


def _graph(nodes: list, numbers: dict, inputs: dict, outputs: dict) -> bytes:
    from onnx import helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, *shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, *shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()
