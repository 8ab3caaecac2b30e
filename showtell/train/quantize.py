"""Quantisation: stores and computes the convolutions and matrices of a graph in 8 bits.

It uses ONNX Runtime's quantiser, with the integer arithmetic of Jacob et al. (2018, arXiv
1712.05877). This module selects the operators to quantise and corrects the biases.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from showtell.train import start

Rows = Sequence[Mapping[str, np.ndarray]]

_MEAN = ".mean"


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # it has no type hints
    """Provides the quantiser with one set of inputs at a time."""

    def __init__(self, rows: Rows) -> None:
        self._rows = iter(rows)

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        return next(self._rows, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the quantiser's warnings: it recommends preprocessing, which is already done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@_quiet()
def quantize(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
    """Quantise a graph, with weights per output channel and calibrated activation ranges.

    Weights use 7 bits: processors without VNNI sum 8-bit products in 16 bits, which would overflow.
    Weights of depthwise convolutions use 8 bits, since they are computed differently. Everything
    else, such as softmax and the outputs of matrix products, stays in single precision.

    Parameters
    ----------
    model : the graph in single precision; it is not changed.
    rows : sets of inputs that calibrate the activation ranges.

    Returns
    -------
    The graph with ``QuantizeLinear`` and ``DequantizeLinear`` around the operators that runtimes
    compute with integers. Weights and biases are stored as integers, with ``_quantized`` appended
    to their names.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "float.onnx"), Path(scratch, "quantized.onnx")
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Reader(rows),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=_chosen(model.graph.node, weights),
            extra_options={
                "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"],
                "TensorQuantOverrides": {
                    node.input[1]: [{"axis": 0, "symmetric": True, "reduce_range": False}]
                    for node in model.graph.node
                    if node.op_type == "Conv" and weights[node.input[1]].dims[1] == 1
                },
            },
        )
        quantized = onnx.load(target)
    _correct_biases(quantized, model, rows)
    return quantized


def _chosen(nodes: Sequence[onnx.NodeProto], weights: Mapping[str, onnx.TensorProto]) -> list[str]:
    """Return the names of the nodes to quantise.

    These are the convolutions, the operators between them, and products with a stored matrix.
    """
    last = max((i for i, node in enumerate(nodes) if node.op_type == "Conv"), default=-1)
    chosen = []
    for i, node in enumerate(nodes):
        shapes = [weights[name].dims for name in node.input if name in weights]
        if node.op_type in ("MatMul", "Gemm"):
            take = any(len(shape) == 2 and min(shape) > 1 for shape in shapes)
        elif node.op_type == "Add":
            take = i < last and not shapes
        else:
            take = node.op_type in ("Conv", "Clip", "Relu", "MaxPool") and i <= last + 1
        if take:
            chosen.append(node.name)
    return chosen


def _correct_biases(quantized: onnx.ModelProto, model: onnx.ModelProto, rows: Rows) -> None:
    """Correct biases, in place, for the mean output error that rounding the weights causes.

    See Nagel et al. (2019, arXiv 1906.04721, section 4.2). The mean inputs of a convolution are far
    from 0, so a small error of its weights shifts its whole output.
    """
    before, after = start.stored(model), start.stored(quantized)
    means = _mean_inputs(model, rows)
    tensors = {tensor.name: tensor for tensor in quantized.graph.initializer}
    stored = (node.input for node in quantized.graph.node if node.op_type == "DequantizeLinear")
    scales = {name: scale for name, scale, _ in stored}
    for node in model.graph.node:
        if node.op_type != "Conv" or len(node.input) < 3:
            continue
        error = (after[node.input[1]] - before[node.input[1]]).sum(axis=(2, 3))  # (out, in/groups)
        out, inputs = error.shape
        mean = means[node.input[0]].reshape(-1, 1, inputs)  # (groups, 1, in/groups)
        shift = (error.reshape(len(mean), -1, inputs) * mean).sum(axis=2).reshape(out)
        bias = tensors[node.input[2] + start.QUANTIZED]
        scale = numpy_helper.to_array(tensors[scales[bias.name]])
        corrected = numpy_helper.to_array(bias) - np.round(shift / scale).astype(np.int32)
        bias.CopyFrom(numpy_helper.from_array(corrected, bias.name))


def _mean_inputs(model: onnx.ModelProto, rows: Rows) -> dict[str, np.ndarray]:
    """Return the mean of each input channel of each convolution, by the name of its input."""
    names = sorted({node.input[0] for node in model.graph.node if node.op_type == "Conv"})
    if not names:
        return {}
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.initializer.append(
        numpy_helper.from_array(np.array([0, 2, 3]), "all.but.channels")
    )
    for name in names:
        inputs, output = [name, "all.but.channels"], name + _MEAN
        watched.graph.node.append(helper.make_node("ReduceMean", inputs, [output], keepdims=0))
        watched.graph.output.append(
            helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
        )
    session = onnxruntime.InferenceSession(watched.SerializeToString())
    outputs = [session.run([name + _MEAN for name in names], dict(row)) for row in rows]
    return {name: np.mean(means, axis=0) for name, *means in zip(names, *outputs, strict=True)}
