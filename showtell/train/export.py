"""Export: from a checkpoint to a bundle, compared with the network that it came from."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from showtell import bundle, calibrate
from showtell.atomic import replacing
from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.data import Dataset, load
from showtell.decoding import Step, beam_search
from showtell.errors import CheckpointError
from showtell.evaluate import evaluate
from showtell.runtime import Runtime
from showtell.runtime import State as RuntimeState
from showtell.scorecard import Scorecard
from showtell.scores import quick
from showtell.train import checkpoint as checkpoints
from showtell.train import start
from showtell.train.card import model_card
from showtell.train.checkpoint import Checkpoint
from showtell.train.data import read_images
from showtell.train.model import Decoder, ShowAttendTell, State
from showtell.train.quantize import quantize
from showtell.train.recipe import Recipe
from showtell.train.results import SCORES
from showtell.train.validate import TorchStepModel
from showtell.vocab import tokenize

TOLERANCE = 1e-3
MAX_LOSS = 0.01  # of CIDEr, for which a bundle may have integers instead of half precision
CALIBRATION = 64  # photographs, at most, that show the range of what lies between the weights
Graphs = Mapping[str, onnx.ModelProto]  # by the name of the file
# Smaller tensors stay in float32: they weigh nothing and keep the constants of the graph exact.
_HALF_FROM = 4096


class _EncoderGraph(nn.Module):
    """uint8 images (B, size, size, 3) -> annotations, projected, h and c, one hypothesis each."""

    def __init__(self, network: ShowAttendTell) -> None:
        super().__init__()
        self.encoder, self.decoder = network.encoder, network.decoder
        for name in ("mean", "std"):
            values = getattr(self.encoder, name)  # (3, 1, 1)
            if (values == values[0]).all():
                # Runtimes broadcast one number far quicker than three that lie side by side.
                setattr(self.encoder, name, values[:1])

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        state = self.decoder.start(self.encoder(images))
        return state.annotations, state.projected, state.h.unsqueeze(1), state.c.unsqueeze(1)


class _DecoderGraph(nn.Module):
    """words (B, k) and state -> logprobs, alphas, betas, next_h, next_c.

    The state may have fewer cells than the grid: see :mod:`showtell.deletion`.
    """

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, words: Tensor, annotations: Tensor, projected: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, ...]:
        state = State(annotations, projected, h, c)
        logprobs, alphas, betas, state = self.decoder.step(state, words)
        return logprobs, alphas, betas, state.h, state.c


def export(
    checkpoint: Path,
    target: Path,
    say: Callable[[str], None] = print,
    data: Dataset | None = None,
) -> Bundle:
    """Write the bundle of a checkpoint, compared with its network, calibrated and scored.

    The scores are written beside the checkpoint too, as ``scores.json``.

    Weights are stored in half precision and computed with in single precision; the network that
    the graphs are compared with has the same rounded weights. Where the data is at hand, the
    graphs are then quantised, and the bundle gets those if they lose at most ``MAX_LOSS``. The
    graphs hold each weight under its name in the network, from which training can start: see
    :mod:`showtell.train.start`.

    Parameters
    ----------
    checkpoint : ``best.json``, or a run's folder.
    target : the bundle's folder; a bundle that is there already is replaced.
    say : told how well the two agree, and what quantisation costs.
    data : what to calibrate and to score on; None is the recipe's.

    Raises
    ------
    CheckpointError : it cannot be read, or the graphs do not agree with the network, or lack one of
        its weights.
    BundleError : `target` holds something else, or cannot be written.
    """
    bundle.refuse_other(target)
    trained = checkpoints.read(checkpoint)
    with tempfile.TemporaryDirectory() as scratch:
        half, graphs = draft(trained, Path(scratch, "half"), say)
        chosen, scorecard = _choose(half, graphs, data or _data(trained.recipe), Path(scratch), say)
        files = {name: (chosen.path / name).read_bytes() for name in chosen.manifest["sha256"]}
    manifest = {**chosen.manifest, "scores": scorecard and scorecard.to_dict()}
    if scorecard:
        _write_scores(checkpoint, manifest["scores"])
    files["README.md"] = model_card(manifest, str(scorecard) if scorecard else None).encode()
    return bundle.write(target, manifest, files)


def _choose(
    half: Bundle, graphs: Graphs, data: Dataset | None, scratch: Path, say: Callable[[str], None]
) -> tuple[Bundle, Scorecard | None]:
    """Return a bundle that knows doubt, in 8 bits if these lose little, and what it scores."""
    if data is None or not data.splits["test"]:
        return _calibrated(half, data) if data else half, None
    small = quantized(half, graphs, data, scratch / "integers")
    before, after = (_cider(each, data) for each in (half, small))
    say(f"CIDEr is {before:.4f}, and {after:.4f} in 8 bits")
    kept = before - after <= MAX_LOSS
    chosen = _calibrated(small if kept else half, data)
    if kept:
        entry = {"quantised": {"cider_lost": round(before - after, 6)}}
        chosen = replace(chosen, manifest={**chosen.manifest, **entry})
    return chosen, evaluate(Captioner(chosen), data)


def _cider(written: Bundle, data: Dataset) -> float:
    """Return CIDEr-D on the test split, by our own tokeniser."""
    photographs = data.split("test")
    captions = Captioner(written).caption([photograph.path for photograph in photographs])
    said = {p.name: c.words for p, c in zip(photographs, captions, strict=True)}
    return quick(said, {p.name: [tokenize(c) for c in p.captions] for p in photographs})[1]


def _calibrated(written: Bundle, data: Dataset) -> Bundle:
    """Let a bundle know doubt, where there are photographs enough to fit it."""
    doubt = calibrate.fit(Captioner(written), data)
    if doubt is None:
        return written
    files = {name: (written.path / name).read_bytes() for name in bundle.REQUIRED}
    manifest = {**written.manifest, "doubt": doubt.entry()}
    return bundle.write(written.path, manifest, files | doubt.files())


def _write_scores(checkpoint: Path, scores: Mapping[str, Any]) -> None:
    run = checkpoint if checkpoint.is_dir() else checkpoint.parent
    with replacing(run / SCORES) as partial:
        partial.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")


def draft(
    trained: Checkpoint, target: Path, say: Callable[[str], None] = print
) -> tuple[Bundle, Graphs]:
    """Write the bundle of a checkpoint in half precision, compared with its network.

    Parameters and errors are those of :func:`export`.

    Returns
    -------
    The bundle, and its graphs in single precision.
    """
    network = trained.build()
    _round(network)
    words = json.dumps(trained.vocabulary.words, ensure_ascii=False, indent=0)
    graphs = {"encoder.onnx": _encoder_graph(network), "decoder.onnx": _decoder_graph(network)}
    written = _write(target, _manifest(trained, network), words.encode(), graphs)
    _require_weights(network, written)
    say(f"log-probabilities differ from PyTorch's by {compare(network, written):.1e} at most")
    return written, graphs


def quantized(written: Bundle, graphs: Graphs, data: Dataset, target: Path) -> Bundle:
    """Write a bundle anew with its graphs quantised.

    Parameters
    ----------
    written, graphs : from :func:`draft`.
    data : from its training split come the photographs that calibrate, spread over all of it.
    target : folder of the new bundle.

    Raises
    ------
    CheckpointError : the new graphs lack one of the weights.
    """
    photographs = data.split("train")
    n = min(CALIBRATION, len(photographs))
    some = [photographs[i * len(photographs) // n] for i in range(n)]
    images = read_images(some, written.image_size).numpy()
    recorder = _Recorder(written)
    beam_search(recorder, recorder.encode(images), n)
    batches = np.array_split(images, -(-n // 8))
    small = {
        "encoder.onnx": quantize(graphs["encoder.onnx"], [{"images": batch} for batch in batches]),
        "decoder.onnx": quantize(graphs["decoder.onnx"], recorder.rows),
    }
    words = (written.path / "vocab.json").read_bytes()
    integers = _write(target, written.manifest, words, small)
    lost = start.weights(written).keys() - start.weights(integers).keys()
    if lost := {name for name in lost if ".weight" in name or ".bias" in name}:  # no mere constants
        raise CheckpointError(f"the quantised graphs do not hold {min(lost)} of the network")
    return integers


class _Recorder(Runtime):
    """A runtime that keeps what its decoder is given."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.rows: list[dict[str, np.ndarray]] = []

    def step(self, state: RuntimeState, words: np.ndarray) -> tuple[Step, RuntimeState]:
        self.rows.append({"words": words, **state._asdict()})
        return super().step(state, words)


def _write(target: Path, manifest: Mapping[str, Any], words: bytes, graphs: Graphs) -> Bundle:
    files = {name: _halve(graph).SerializeToString() for name, graph in graphs.items()}
    return bundle.write(target, manifest, {"vocab.json": words, **files})


def _data(recipe: Recipe) -> Dataset | None:
    """Return the data set of a recipe, where that is at hand."""
    return load(recipe.data) if Path(recipe.data).is_dir() else None


def _round(network: nn.Module) -> None:
    """Round the weights to half precision, in place."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.numel() >= _HALF_FROM:
                parameter.copy_(parameter.half().float())


def _manifest(trained: Checkpoint, network: ShowAttendTell) -> dict[str, Any]:
    recipe, judge = trained.recipe.to_dict(), trained.recipe.judge
    # Of the folders of whoever trained it, only the last name is anyone else's business.
    recipe["data"] = Path(recipe["data"]).name
    recipe["encoder"]["weights"] = Path(recipe["encoder"]["weights"] or "timm's own weights").name
    recipe["start"] = recipe["start"] and Path(recipe["start"]).name
    del recipe["run"], recipe["cache"]
    return {
        "name": trained.recipe.name,
        "licence": "MIT",
        "image_size": network.encoder.size,
        "grid": list(network.encoder.grid),
        "vocabulary_size": len(trained.vocabulary),
        "parameters": sum(p.numel() for p in network.parameters()),
        "training": {
            "steps": trained.progress["total_steps"],
            **({f"dev_{judge}": trained.progress["best"]} if judge else {}),
            "recipe": recipe,
            "start": trained.start,
        },
    }


def _require_weights(network: nn.Module, draft: Bundle) -> None:
    """Raise a CheckpointError where the graphs do not hold a large weight as it is."""
    held = start.weights(draft)
    for name, weight in network.named_parameters():
        if weight.numel() >= _HALF_FROM and not (name in held and held[name].equal(weight)):
            raise CheckpointError(f"the exported graphs do not hold {name} of the network")


def _encoder_graph(network: ShowAttendTell) -> onnx.ModelProto:
    size = network.encoder.size
    images = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    return _graph(
        _EncoderGraph(network),
        {"images": images},
        {"images": {0: "photos"}},
        State._fields,
    )


def _decoder_graph(network: ShowAttendTell) -> onnx.ModelProto:
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
    names = ("logprobs", "alphas", "betas", "next_h", "next_c")
    return _graph(_DecoderGraph(decoder), inputs, shapes, names)


def _graph(
    module: nn.Module,
    inputs: dict[str, Tensor],
    shapes: dict[str, dict[int, str]],
    outputs: Sequence[str],
) -> onnx.ModelProto:
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
    """Name the weights that the exporter transposed after the parameter that each holds."""
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


def _halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large tensors in half precision, each behind a cast that a session does once."""
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    graph = halved.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) >= _HALF_FROM:
            name = tensor.name
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, name + start.HALF))
            cast = onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT)
            casts.append(cast)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # names the tensors' old types
    for node in graph.node:
        del node.metadata_props[:]  # where PyTorch's exporter found each node
    onnx.checker.check_model(halved)
    return halved


@torch.inference_mode()
def compare(network: ShowAttendTell, written: Bundle, n_photos: int = 3) -> float:
    """Compare a bundle with its network, at sizes that were not traced.

    Parameters
    ----------
    network : with the rounded weights.
    written : its bundle.
    n_photos : pictures to caption, of blurred noise; each by a beam of 1, and without every second
        cell by a beam of 4.

    Returns
    -------
    The largest difference between log-probabilities of the same words.

    Raises
    ------
    CheckpointError : the captions differ, or their log-probabilities by more than ``TOLERANCE``.
    """
    size = network.encoder.size
    noise = np.random.default_rng(0).integers(0, 256, (n_photos, size // 16, size // 16, 3))
    images = np.kron(noise, np.ones((1, 16, 16, 1))).astype(np.uint8)
    images = np.pad(images, ((0, 0), *2 * ((0, size - images.shape[1]),), (0, 0)))
    step_model, runtime = TorchStepModel(network.decoder), Runtime(written)
    worst = 0.0
    features = network.encoder(torch.from_numpy(images))
    for beam, cells in ((1, slice(None)), (4, slice(None, None, 2))):
        mine, other = _only(step_model.start(features), cells), _only(runtime.encode(images), cells)
        ours = beam_search(step_model, mine, n_photos, beam=beam)
        theirs = beam_search(runtime, other, n_photos, beam=beam)
        for a, b in zip(ours, theirs, strict=True):
            if a[0].words != b[0].words:
                raise CheckpointError("the exported graphs give other captions than the network")
            worst = max(worst, float(np.abs(a[0].logprobs - b[0].logprobs).max()))
    if worst > TOLERANCE:
        raise CheckpointError(f"the exported graphs differ from the network by {worst:.1e}")
    return worst


def _only(state: Any, cells: slice) -> Any:
    """Return a state, of PyTorch's or of ONNX Runtime's, that has some of its cells."""
    return state._replace(
        annotations=state.annotations[:, cells], projected=state.projected[:, cells]
    )
