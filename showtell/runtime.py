"""Runs a bundle's two graphs, the encoder and the decoder, on ONNX Runtime."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

from showtell.bundle import Bundle
from showtell.cores import cores
from showtell.decoding import Step
from showtell.errors import BundleError

# Computes only the requested outputs.
_PART = onnxruntime.RunOptions()
_PART.only_execute_path_to_fetches = True

WHOLE_GRID_ONLY = "this model's decoder requires the whole grid; export the model again"


class State(NamedTuple):
    """State of the decoder for `B` photographs with `k` hypotheses each.

    Attributes
    ----------
    annotations : (B, L, D) float32, a.
    projected : (B, L, A) float32, U a, the part of the attention energies that is the same at every
        step.
    h, c : (B, k, H) float32, the LSTM's hidden state and memory cell.
    evidence : (B, k, V) float32, the detector's evidence for each word as the next one. None if the
        bundle has no detector.
    """

    annotations: np.ndarray
    projected: np.ndarray
    h: np.ndarray
    c: np.ndarray
    evidence: np.ndarray | None = None

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the tensors that are not None, by name."""
        return {name: part for name, part in self._asdict().items() if part is not None}

    def of_hypotheses(self) -> dict[str, np.ndarray]:
        """Return the tensors that each hypothesis has its own of, (B, k, ·), by name."""
        shared = ("annotations", "projected")
        return {name: part for name, part in self.tensors().items() if name not in shared}


class Encoded(NamedTuple):
    """The encoder's outputs for `B` photographs.

    Attributes
    ----------
    state : the decoder's state before the first word.
    things : (B, T) float32, probability of each thing. None if the bundle has no classifier.
    places : (B, L, T) float32, probability of each thing in each cell alone. None unless requested.
    """

    state: State
    things: np.ndarray | None
    places: np.ndarray | None


class Runtime:
    """A :class:`~showtell.decoding.StepModel` that runs on ONNX Runtime.

    Parameters
    ----------
    bundle : the bundle with the graphs.
    threads : number of threads for the encoder; None is one per available core.

    Attributes
    ----------
    annotation : D, size of an annotation.
    n_things : T, number of things that the classifier distinguishes; 0 without a classifier.
    cells_vary : whether a step accepts fewer cells than the grid has. False in older bundles.

    Raises
    ------
    BundleError : a graph cannot be loaded, or does not match the manifest and the vocabulary.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self._encoder = _session(bundle, "encoder.onnx", threads or cores())
        # A step is too small to split among threads, and idle threads would slow down the others.
        self._decoder = _session(bundle, "decoder.onnx", 1)
        _require_fit(bundle, self._encoder, self._decoder)
        outputs = {entry.name: entry.shape for entry in self._encoder.get_outputs()}
        self.n_things: int = outputs["things"][-1] if "places" in outputs else 0
        self._path = bundle.path
        self._cells, self._words = bundle.grid[0] * bundle.grid[1], len(bundle.vocabulary)
        shapes = {entry.name: entry.shape for entry in self._decoder.get_inputs()}
        self.annotation: int = shapes["annotations"][-1]
        self._state = [name for name in State._fields if name in shapes]
        self.cells_vary = isinstance(shapes["annotations"][1], str)

    def encode(self, images: np.ndarray, places: bool = False) -> Encoded:
        """Encode `images`, uint8 RGB (B, size, size, 3).

        `places` is whether to compute :attr:`Encoded.places`.
        """
        wanted = [*self._state]
        if self.n_things:
            wanted += ["things", "places"] if places else ["things"]
        outputs = self._run(self._encoder, wanted, {"images": images}, _PART)
        B, L, T = len(images), self._cells, self.n_things
        cells, beams = (B, L, None), (B, 1, None)
        state = [cells, cells, beams, beams, (B, 1, self._words)][: len(self._state)]
        shapes = [*state, (B, T), (B, L, T)][: len(wanted)]
        self._require(dict(zip(wanted, outputs, strict=True)), shapes)
        n = len(self._state)
        things, where = (*outputs[n:], None, None)[:2]
        return Encoded(State(*outputs[:n]), things, where)

    def step(self, state: State, words: np.ndarray) -> tuple[Step, State]:
        """Advance every hypothesis by its last word, `words` of shape (B, k)."""
        inputs = {"words": words.astype(np.int64, copy=False), **state.tensors()}
        changing = state.of_hypotheses()
        names = (*Step._fields, *(f"next_{name}" for name in changing))
        outputs = self._run(self._decoder, names, inputs)
        B, k = words.shape
        said = (B, k, self._words), (B, k, state.annotations.shape[1]), (B, k)
        after = [part.shape for part in changing.values()]
        self._require(dict(zip(names, outputs, strict=True)), [*said, *after])
        n = len(Step._fields)
        return Step(*outputs[:n]), state._replace(**dict(zip(changing, outputs[n:], strict=True)))

    def _run(
        self,
        session: onnxruntime.InferenceSession,
        names: Sequence[str],
        inputs: dict[str, Any],
        options: onnxruntime.RunOptions | None = None,
    ) -> list[np.ndarray]:
        try:
            return session.run(list(names), inputs, options)
        except MemoryError:
            raise
        except Exception as error:  # ONNX Runtime's own classes have no common base
            reason = " ".join(str(error).split())
            raise BundleError(f"{self._path}: its graphs cannot be run: {reason}") from error

    def _require(
        self, outputs: dict[str, np.ndarray], shapes: Sequence[tuple[int | None, ...]]
    ) -> None:
        """Raise a BundleError unless the outputs are float32 of these shapes; None is any size."""
        for (name, array), shape in zip(outputs.items(), shapes, strict=True):
            fits = len(array.shape) == len(shape) and all(
                size in (None, had) for had, size in zip(array.shape, shape, strict=True)
            )
            if not fits or array.dtype != np.float32:
                raise BundleError(
                    f"{self._path}: its graphs do not match its manifest: {name} is "
                    f"{array.dtype} of shape {list(array.shape)}"
                )

    def select(self, state: State, photos: np.ndarray, beams: np.ndarray) -> State:
        """Return the state of the hypotheses `beams` (B', k') of the photographs `photos` (B',)."""
        rows = photos[:, None]
        kept = {name: part[rows, beams] for name, part in state.of_hypotheses().items()}
        annotations, projected = state.annotations, state.projected
        if len(photos) < len(annotations):
            annotations, projected = annotations[photos], projected[photos]
        return State(annotations, projected, **kept)


def join(states: Sequence[State]) -> State:
    """Concatenate states into one state for all their photographs."""
    parts = [state.tensors() for state in states]
    return State(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _session(bundle: Bundle, name: str, threads: int) -> onnxruntime.InferenceSession:
    path = bundle.path / name
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own classes have no common base
        raise BundleError(f"{path}: ONNX Runtime cannot load this graph: {error}") from error


def _require_fit(
    bundle: Bundle, encoder: onnxruntime.InferenceSession, decoder: onnxruntime.InferenceSession
) -> None:
    """Raise a BundleError unless the graphs have the expected inputs and outputs."""
    size, L = bundle.image_size, bundle.grid[0] * bundle.grid[1]
    # The last dimensions of each tensor; None is any size.
    _require(bundle, encoder.get_inputs(), images=[size, size, 3])
    _require(bundle, encoder.get_outputs(), annotations=[L, None], projected=[L, None], h=[], c=[])
    _require(
        bundle, decoder.get_inputs(), words=[], annotations=[None, None], projected=[], h=[], c=[]
    )
    V = len(bundle.vocabulary)
    if "things" in (node.name for node in encoder.get_outputs()):
        _require(bundle, encoder.get_outputs(), things=[None], places=[L, None])
    if "evidence" in (node.name for node in decoder.get_inputs()):
        _require(bundle, encoder.get_outputs(), evidence=[V])
        _require(bundle, decoder.get_outputs(), next_evidence=[])
    _require(bundle, decoder.get_outputs(), logprobs=[V], alphas=[], betas=[], next_h=[], next_c=[])


def _require(bundle: Bundle, nodes: Sequence[Any], **ends: list[int | None]) -> None:
    shapes = {node.name: node.shape for node in nodes}
    for name, end in ends.items():
        shape = shapes.get(name)
        if shape is None or not _ends(shape, end):
            problem = "missing" if shape is None else f"of shape {shape}"
            raise BundleError(
                f"{bundle.path}: its graphs do not match its manifest: {name} is {problem}; "
                "export the bundle again"
            )


def _ends(shape: list[int | str], end: list[int | None]) -> bool:
    last = shape[len(shape) - len(end) :]
    pairs = zip(last, end, strict=True)
    return len(last) == len(end) and all(size in (None, had) for had, size in pairs)
