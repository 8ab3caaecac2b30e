"""Quantisation: the convolutions and matrices of a graph in 8 bits, smaller and faster.

ONNX Runtime's quantiser does the work, with integer arithmetic as of Jacob et al. (2018, arXiv
1712.05877). Added are the choice of what is quantised and the correction of biases.
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


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # which is not typed
    """Gives the quantiser one set of inputs after the other."""

    def __init__(self, rows: Rows) -> None:
        self._rows = iter(rows)

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        return next(self._rows, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the quantiser's advice: the exporter has folded these graphs already."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@_quiet()
def quantize(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
    """Quantise a graph: weights per output channel, activations by the range that they have.

    Weights have 7 bits, as processors without VNNI add products of 8 bits in 16, which overflow;
    those of depthwise convolutions, which are computed otherwise, have 8. All else, such as the
    softmax and the output of a matrix, stays in single precision.

    Parameters
    ----------
    model : in single precision; it stays as it is.
    rows : inputs of the graph, as many as show the activations' ranges.

    Returns
    -------
    The graph with ``QuantizeLinear`` and ``DequantizeLinear`` around what runtimes then compute in
    integers. Weights and biases are stored as integers under their names, ``_quantized`` behind.
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
    """Name the convolutions, what lies between them, and the products with a stored matrix."""
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
    """Take what rounding the weights adds to a channel's mean off its bias, in place.

    Nagel et al. (2019, arXiv 1906.04721, section 4.2): the mean inputs of a convolution are far
    from 0, so that a small error of its weights moves all of its output.
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
    """Return the mean of each channel that a convolution takes, by the name of its input."""
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
