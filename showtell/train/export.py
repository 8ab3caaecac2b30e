"""Export a checkpoint to a bundle, and compare the bundle with the network."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from showtell import bundle
from showtell.atomic import replacing
from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.data import Dataset, load, things
from showtell.decoding import Step, beam_search
from showtell.errors import CheckpointError
from showtell.evaluation import calibrate
from showtell.evaluation.evaluate import evaluate
from showtell.evaluation.scorecard import Scorecard
from showtell.evaluation.scores import quick
from showtell.runtime import Runtime
from showtell.runtime import State as RuntimeState
from showtell.things import Names
from showtell.train import checkpoint as checkpoints
from showtell.train import start
from showtell.train.card import model_card
from showtell.train.checkpoint import Checkpoint
from showtell.train.features import read_images
from showtell.train.graphs import HALF_FROM, decoder_graph, encoder_graph, halve, round_weights
from showtell.train.model import ShowAttendTell
from showtell.train.quantize import quantize
from showtell.train.recipe import Recipe
from showtell.train.results import SCORES
from showtell.train.validate import TorchStepModel
from showtell.vocab import tokenize

TOLERANCE = 1e-3
MAX_LOSS = 0.01  # of CIDEr; a bundle is quantised to 8 bits if it loses no more than this
CALIBRATION = 64  # most photographs for measuring the ranges of activations
NAMES = Names(tuple(t.name for t in things.load()), tuple(t.words for t in things.load()))
Graphs = Mapping[str, onnx.ModelProto]  # by file name


def export(
    checkpoint: Path,
    target: Path,
    say: Callable[[str], None] = print,
    data: Dataset | None = None,
) -> Bundle:
    """Export a checkpoint to a bundle, compare it with the network, calibrate it and score it.

    The scores are also written to the run's folder, as ``scores.json``.

    Weights are stored in half precision and converted to single precision for computation. The
    graphs are compared with a network that has the same rounded weights. If the data is available,
    the graphs are then quantised. The bundle gets the quantised graphs if they lose at most
    ``MAX_LOSS`` CIDEr. The graphs keep the names of the network's weights, so that training can
    start from a bundle: see :mod:`showtell.train.start`.

    Parameters
    ----------
    checkpoint : ``best.json``, or a run's folder.
    target : the bundle's folder; an existing bundle is replaced.
    say : called with each line of status text.
    data : the data to calibrate and score on; None uses the recipe's data sets.

    Raises
    ------
    CheckpointError : the checkpoint cannot be read, the graphs do not agree with the network, or
        one of its weights is missing from them.
    BundleError : `target` contains something other than a bundle, or cannot be written.
    """
    bundle.refuse_other(target)
    trained = checkpoints.read(checkpoint)
    with tempfile.TemporaryDirectory() as scratch:
        half, graphs = draft(trained, Path(scratch, "half"), say)
        sets = [data] if data else _data(trained.recipe)
        chosen, scorecard = _choose(half, graphs, sets, Path(scratch), say)
        files = _files(chosen)
    manifest = {**chosen.manifest, "scores": scorecard and scorecard.to_dict()}
    if scorecard:
        _write_scores(checkpoint, manifest["scores"])
    files["README.md"] = model_card(manifest, str(scorecard) if scorecard else None).encode()
    return bundle.write(target, manifest, files)


def _choose(
    half: Bundle, graphs: Graphs, sets: Sequence[Dataset], scratch: Path, say: Callable[[str], None]
) -> tuple[Bundle, Scorecard | None]:
    """Return the calibrated bundle, in 8 bits if that loses little, and its scorecard."""
    if not sets or not sets[0].splits["test"]:
        return _calibrated(half, sets), None
    data = sets[0]
    small = quantized(half, graphs, data, scratch / "integers")
    before, after = (_cider(each, data) for each in (half, small))
    say(f"CIDEr: {before:.4f}; {after:.4f} in 8 bits")
    kept = before - after <= MAX_LOSS
    chosen = _calibrated(small if kept else half, sets)
    if kept:
        entry = {"quantised": {"cider_lost": round(before - after, 6)}}
        chosen = replace(chosen, manifest={**chosen.manifest, **entry})
    return chosen, evaluate(Captioner(chosen), data)


def _cider(written: Bundle, data: Dataset) -> float:
    """Return CIDEr-D on the dev split, with showtell's tokeniser."""
    photographs = data.split("dev")
    captions = Captioner(written).caption([photograph.path for photograph in photographs])
    said = {p.name: c.words for p, c in zip(photographs, captions, strict=True)}
    return quick(said, {p.name: [tokenize(c) for c in p.captions] for p in photographs})[1]


def _calibrated(written: Bundle, sets: Sequence[Dataset]) -> Bundle:
    """Add a confidence model to a bundle if there are enough photographs to fit one."""
    doubt = calibrate.fit(Captioner(written), sets)
    if doubt is None:
        return written
    files = _files(written)
    manifest = {**written.manifest, "doubt": doubt.entry()}
    return bundle.write(written.path, manifest, files | doubt.files())


def _write_scores(checkpoint: Path, scores: Mapping[str, Any]) -> None:
    run = checkpoint if checkpoint.is_dir() else checkpoint.parent
    with replacing(run / SCORES) as partial:
        partial.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")


def draft(
    trained: Checkpoint, target: Path, say: Callable[[str], None] = print
) -> tuple[Bundle, Graphs]:
    """Write the bundle of a checkpoint in half precision, and compare it with the network.

    Parameters and errors are those of :func:`export`.

    Returns
    -------
    The bundle, and its graphs in single precision.
    """
    network = trained.build()
    round_weights(network)
    words = json.dumps(trained.vocabulary.words, ensure_ascii=False, indent=0)
    texts = {"vocab.json": words.encode()}
    if network.encoder.classifier is not None:
        texts[bundle.THINGS] = NAMES.content()
    graphs = {"encoder.onnx": encoder_graph(network), "decoder.onnx": decoder_graph(network)}
    written = _write(target, _manifest(trained, network), texts, graphs)
    _require_weights(network, written)
    say(f"log-probabilities differ from PyTorch's by {compare(network, written):.1e} at most")
    return written, graphs


def quantized(written: Bundle, graphs: Graphs, data: Dataset, target: Path) -> Bundle:
    """Write a copy of a bundle with quantised graphs.

    Parameters
    ----------
    written, graphs : from :func:`draft`.
    data : evenly spaced photographs of its training split calibrate the quantisation.
    target : folder of the new bundle.

    Raises
    ------
    CheckpointError : a weight is missing from the quantised graphs.
    """
    photographs = data.split("train")
    n = min(CALIBRATION, len(photographs))
    some = [photographs[i * len(photographs) // n] for i in range(n)]
    images = read_images(some, written.image_size).numpy()
    recorder = _Recorder(written)
    beam_search(recorder, recorder.encode(images).state, n)
    batches = np.array_split(images, -(-n // 8))
    small = {
        "encoder.onnx": quantize(graphs["encoder.onnx"], [{"images": batch} for batch in batches]),
        "decoder.onnx": quantize(graphs["decoder.onnx"], recorder.rows),
    }
    texts = {name: data for name, data in _files(written).items() if name not in small}
    integers = _write(target, written.manifest, texts, small)
    lost = start.weights(written).keys() - start.weights(integers).keys()
    if lost := {name for name in lost if ".weight" in name or ".bias" in name}:  # ignore constants
        raise CheckpointError(f"the quantised graphs lack the network's {min(lost)}")
    return integers


class _Recorder(Runtime):
    """A runtime that records the inputs of its decoder."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.rows: list[dict[str, np.ndarray]] = []

    def step(self, state: RuntimeState, words: np.ndarray) -> tuple[Step, RuntimeState]:
        self.rows.append({"words": words, **state.tensors()})
        return super().step(state, words)


def _write(
    target: Path, manifest: Mapping[str, Any], texts: Mapping[str, bytes], graphs: Graphs
) -> Bundle:
    files = {name: halve(graph).SerializeToString() for name, graph in graphs.items()}
    return bundle.write(target, manifest, {**texts, **files})


def _files(written: Bundle) -> dict[str, bytes]:
    return {name: (written.path / name).read_bytes() for name in written.manifest["sha256"]}


def _data(recipe: Recipe) -> list[Dataset]:
    """Return the data sets of a recipe, the main one first; none if any folder is missing."""
    folders = [recipe.data, *(each.data for each in recipe.more)]
    return [load(each) for each in folders] if all(Path(each).is_dir() for each in folders) else []


def _manifest(trained: Checkpoint, network: ShowAttendTell) -> dict[str, Any]:
    recipe, judge = trained.recipe.to_dict(), trained.recipe.judge
    # Keep only the last component of local paths.
    recipe["data"] = Path(recipe["data"]).name
    recipe["encoder"]["weights"] = Path(recipe["encoder"]["weights"] or "timm's own weights").name
    recipe["start"] = recipe["start"] and Path(recipe["start"]).name
    recipe["more"] = [each | {"data": Path(each["data"]).name} for each in recipe["more"]]
    for name in ("photographs", "sentences", "out") if recipe["pairing"] else ():
        recipe["pairing"][name] = Path(recipe["pairing"][name]).name
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


def _require_weights(network: ShowAttendTell, draft: Bundle) -> None:
    """Raise a CheckpointError if a large weight is missing from the graphs or differs there."""
    held = start.weights(draft)
    for name, weight in network.named_parameters():
        if weight.numel() >= HALF_FROM and not (name in held and held[name].equal(weight)):
            raise CheckpointError(f"the exported graphs lack the network's {name}")


@torch.inference_mode()
def compare(network: ShowAttendTell, written: Bundle, n_photos: int = 3) -> float:
    """Compare a bundle with its network, at sizes that were not traced.

    Parameters
    ----------
    network : the network, with rounded weights.
    written : its bundle.
    n_photos : number of random images. Each is captioned with beam 1 on the full grid, and with
        beam 4 on every second cell.

    Returns
    -------
    The largest difference between log-probabilities of the same words.

    Raises
    ------
    CheckpointError : the captions differ, or their log-probabilities differ by more than
        ``TOLERANCE``.
    """
    size = network.encoder.size
    noise = np.random.default_rng(0).integers(0, 256, (n_photos, size // 16, size // 16, 3))
    images = np.kron(noise, np.ones((1, 16, 16, 1))).astype(np.uint8)
    images = np.pad(images, ((0, 0), *2 * ((0, size - images.shape[1]),), (0, 0)))
    step_model, runtime = TorchStepModel(network), Runtime(written)
    worst = 0.0
    features = network.encoder(torch.from_numpy(images))
    for beam, cells in ((1, slice(None)), (4, slice(None, None, 2))):
        mine, other = (
            _only(step_model.start(features), cells),
            _only(runtime.encode(images).state, cells),
        )
        ours = beam_search(step_model, mine, n_photos, beam=beam)
        theirs = beam_search(runtime, other, n_photos, beam=beam)
        for a, b in zip(ours, theirs, strict=True):
            if a[0].words != b[0].words:
                raise CheckpointError(
                    "the exported graphs and the network return different captions"
                )
            worst = max(worst, float(np.abs(a[0].logprobs - b[0].logprobs).max()))
    if worst > TOLERANCE:
        raise CheckpointError(f"the exported graphs differ from the network by {worst:.1e}")
    return worst


def _only(state: Any, cells: slice) -> Any:
    """Return a PyTorch or ONNX Runtime state that is restricted to some cells of the grid."""
    return state._replace(
        annotations=state.annotations[:, cells], projected=state.projected[:, cells]
    )
