"""The ONNX graphs of a network, encoder and decoder, which a bundle's runtime runs."""

import warnings
from collections.abc import Sequence

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

from showtell.data import things
from showtell.train import start
from showtell.train.encoder import Encoder
from showtell.train.model import Decoder, ShowAttendTell, State

STATE = State._fields  # the last field exists only with a word detector
# Smaller tensors stay in float32: they take little space, and constants stay exact.
HALF_FROM = 4096


def features_graph(encoder: Encoder) -> onnx.ModelProto:
    """Return the graph that maps photographs, uint8 (B, size, size, 3), to features (B, L, C)."""
    images = torch.zeros(2, encoder.size, encoder.size, 3, dtype=torch.uint8)
    module = _FeaturesGraph(encoder)
    return _graph(module, {"images": images}, {"images": {0: "photos"}}, ["features"])


def encoder_graph(network: ShowAttendTell) -> onnx.ModelProto:
    """Return the graph that maps photographs, uint8 (B, size, size, 3), to the initial state.

    If the encoder has a classifier, the graph also computes ``things`` (B, T), the probability of
    each of :mod:`showtell.data.things`, and ``places`` (B, L, T), the probabilities in each cell.
    """
    size = network.encoder.size
    images = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    outputs = list(STATE if network.detector else STATE[:-1])
    if network.encoder.classifier is not None:
        outputs += ["things", "places"]
    return _graph(_EncoderGraph(network), {"images": images}, {"images": {0: "photos"}}, outputs)


def decoder_graph(network: ShowAttendTell) -> onnx.ModelProto:
    """Return the graph of one decoder step.

    Its inputs are words (B, k) and a state; its outputs are log-probabilities, attention maps,
    gates and the next state. If the network has a word detector, its evidence (B, k, V) is part of
    the state.
    """
    decoder, (rows, cols) = network.decoder, network.encoder.grid
    B, k, L, D = 2, 3, rows * cols, decoder.init_h.in_features
    A, n = decoder.attention.U.out_features, decoder.init_h.out_features
    inputs = {
        "words": torch.ones(B, k, dtype=torch.long),
        "annotations": torch.rand(B, L, D),
        "projected": torch.rand(B, L, A),
        "h": torch.rand(B, k, n),
        "c": torch.rand(B, k, n),
    }
    both, cells = {0: "photos", 1: "hypotheses"}, {0: "photos", 1: "cells"}
    shapes = {"words": both, "annotations": cells, "projected": cells, "h": both, "c": both}
    if network.detector:
        inputs["evidence"] = torch.rand(B, k, decoder.L_o.out_features)
        shapes["evidence"] = both
    names = ["logprobs", "alphas", "betas", "next_h", "next_c", "next_evidence"]
    names = names if network.detector else names[:-1]
    return _graph(_DecoderGraph(decoder), inputs, shapes, names)


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large tensors in half precision, each followed by a cast that a session runs once."""
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    graph = halved.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) >= HALF_FROM:
            name = tensor.name
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, name + start.HALF))
            cast = onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT)
            casts.append(cast)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # it has the old types of the tensors
    for node in graph.node:
        del node.metadata_props[:]  # source locations from PyTorch's exporter
    onnx.checker.check_model(halved)
    return halved


def round_weights(network: nn.Module) -> None:
    """Round the weights that :func:`halve` stores in half precision, in place."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.numel() >= HALF_FROM:
                parameter.copy_(parameter.half().float())


class _FeaturesGraph(nn.Module):
    """uint8 images (B, size, size, 3) -> features (B, L, C)."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder(images)


class _EncoderGraph(nn.Module):
    """uint8 images (B, size, size, 3) -> initial state with one hypothesis per image.

    With a classifier, also things and places.
    """

    def __init__(self, network: ShowAttendTell) -> None:
        super().__init__()
        self.encoder, self.decoder, self.see = network.encoder, network.decoder, network.see
        self.detector = network.detector
        for name in ("mean", "std"):
            values = getattr(self.encoder, name)  # (3, 1, 1)
            if (values == values[0]).all():
                # Runtimes broadcast a scalar much faster than three equal values.
                setattr(self.encoder, name, values[:1])
        classes = [thing.classes for thing in things.load()]
        self.order = torch.tensor([i for own in classes for i in own])
        self.ends = torch.tensor([len(own) for own in classes]).cumsum(dim=0)  # in `order`

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = self.encoder(images)  # (B, L, C)
        state = self.decoder.start(self.see(features))
        state = state.of_hypotheses(lambda part: part.unsqueeze(1))
        first = [part for part in state if part is not None]
        if self.encoder.classifier is None:
            return tuple(first)
        mean = features.mean(dim=1, keepdim=True)  # (B, 1, C)
        things, places = (self._things(self.encoder.classifier(f)) for f in (mean, features))
        return *first, things.squeeze(1), places

    def _things(self, logits: Tensor) -> Tensor:
        """Return the probability of each thing, (..., T), from class logits (..., 1000)."""
        classes = logits.softmax(dim=-1)[..., self.order]
        sums = F.pad(classes.cumsum(dim=-1), (1, 0))[..., self.ends]  # up to each thing
        return sums - F.pad(sums[..., :-1], (1, 0))


class _DecoderGraph(nn.Module):
    """words (B, k) and state -> logprobs, alphas, betas, and the next h, c and evidence.

    The state may have fewer cells than the grid: see :mod:`showtell.deletion`.
    """

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self,
        words: Tensor,
        annotations: Tensor,
        projected: Tensor,
        h: Tensor,
        c: Tensor,
        evidence: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        state = State(annotations, projected, h, c, evidence)
        logprobs, alphas, betas, state = self.decoder.step(state, words)
        after = (state.h, state.c, state.evidence)
        return logprobs, alphas, betas, *(part for part in after if part is not None)


def _graph(
    module: nn.Module,
    inputs: dict[str, Tensor],
    shapes: dict[str, dict[int, str]],
    outputs: Sequence[str],
) -> onnx.ModelProto:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about exporter internals and duplicate axis names
        program = torch.onnx.export(
            module.eval(),
            kwargs=inputs,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return _name_weights(program.model_proto, module)


def _name_weights(model: onnx.ModelProto, module: nn.Module) -> onnx.ModelProto:
    """Rename transposed weights after the parameters that they hold."""
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    renamed = {}
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and tensor.name not in state:
            array = numpy_helper.to_array(tensor)
            same = [name for name, weight in state.items() if np.array_equal(weight.T, array)]
            if same:
                renamed[tensor.name] = tensor.name = same[0] + start.TRANSPOSED
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    return model
