"""Training from a bundle: reads the network's weights back from its ONNX graphs.

The names of the weights are those of the network's ``state_dict``. A suffix ``.T`` marks a
transposed matrix. It is followed by ``.half`` for half precision or ``_quantized`` for integers.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from showtell.bundle import Bundle
from showtell.data import Photograph
from showtell.errors import CheckpointError
from showtell.train.encoder import Encoder
from showtell.train.recipe import Recipe
from showtell.vocab import SPECIAL, UNK, Vocabulary, tokenize

TRANSPOSED, HALF, QUANTIZED = ".T", ".half", "_quantized"
_CNN, _CLASSIFIER = "encoder.network.", "encoder.classifier."
_DETECTOR = ("detector.", "decoder.trust.", "decoder.once")
# Tensors with one row per word.
_BY_WORD = ("decoder.E.weight", "decoder.L_o.weight", "decoder.L_o.bias")
# Tensors of the word detector with one row per word; new words get zeros, which is no evidence.
_EVIDENCE_BY_WORD = (
    "detector.output.weight",
    "detector.output.bias",
    "detector.prior",
    "decoder.once",
)


def bundle_of(start: str) -> Bundle:
    """Return the bundle that a recipe starts from: a folder, or ``shipped``."""
    return Bundle.load(None if start == "shipped" else start)


def tell_new(photographs: Sequence[Photograph], known: Vocabulary, vocabulary: Vocabulary) -> str:
    """Return a report on the words in the captions that are not in a bundle's vocabulary.

    It lists the words that are added and those that are too rare.

    Parameters
    ----------
    photographs : photographs with captions.
    known : the bundle's vocabulary.
    vocabulary : the bundle's vocabulary with the added words.
    """
    counts = Counter(w for p in photographs for c in p.captions for w in tokenize(c))
    new = [word for word, _ in counts.most_common() if word not in known]
    if not new:
        return f"the model's vocabulary has all {len(counts):,} words of the captions"
    learned = [word for word in new if word in vocabulary]
    rare = [word for word in new if word not in vocabulary]
    sentences = {
        "new words, which the model learns": learned,
        f"words that are too rare to learn and become {SPECIAL[UNK]}": rare,
    }
    lines = (
        f"{text} ({len(words):,}): {_few(words)}" for text, words in sentences.items() if words
    )
    return "\n".join(lines)


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:10]) + (", ..." if len(words) > 10 else "")


def network_of(bundle: Bundle, network: nn.Module, pretrained: float = 0.0) -> dict[str, Tensor]:
    """Read the tensors of a network from a bundle.

    Parameters
    ----------
    bundle : written by ``showtell export``.
    network : determines the names and shapes of the tensors; it is not changed. If it has more
        words than the bundle, the last ones are new. If the bundle has no word detector, the
        tensors of the network's detector are kept.
    pretrained : share of the network's own CNN weights in the average of both. If it is above 0
        and the bundle has no classifier, the network's classifier is kept.

    Returns
    -------
    A state dict for ``network.load_state_dict``. BatchNorm counters are the network's own; they do
    not affect results.

    Raises
    ------
    CheckpointError : a tensor is missing from the bundle, or the bundle has a word detector and the
        network has none.
    """
    stored_tensors = weights(bundle)
    tensors = network.state_dict()
    if "decoder.once" in stored_tensors.keys() - tensors.keys() and "decoder.E.weight" in tensors:
        raise CheckpointError(
            f"{bundle.path}: has a detector of words; add 'detector: {{folds: 0}}' to the recipe"
        )
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            continue
        if name in stored_tensors:
            tensors[name] = stored_tensors[name]
        elif not (name.startswith(_DETECTOR) or (pretrained and name.startswith(_CLASSIFIER))):
            raise CheckpointError(f"{bundle.path}: cannot be trained further: it lacks {name}")
        if name in _BY_WORD:
            tensors[name] = _add_rows(stored_tensors[name], len(tensor))
        if name in _EVIDENCE_BY_WORD and name in stored_tensors:
            known = stored_tensors[name]
            tensors[name] = torch.cat([known, known.new_zeros(tensor[len(known) :].shape)])
        if name.startswith(_CNN) and pretrained:
            tensors[name] = torch.lerp(stored_tensors[name], tensor, pretrained)
    return tensors


def has_detector(bundle: Bundle) -> bool:
    """Return whether a bundle has a word detector."""
    return bool(bundle.manifest["training"]["recipe"].get("detector"))


def encoder_of(recipe: Recipe) -> Encoder:
    """Return the initial CNN of a run, from its bundle or from the recipe's weights."""
    share = recipe.encoder.pretrained
    encoder = Encoder(recipe.encoder, pretrained=recipe.start is None or share > 0)
    if recipe.start:
        alone = nn.ModuleDict({"encoder": encoder})  # gives tensors a network's names
        alone.load_state_dict(network_of(bundle_of(recipe.start), alone, share))
    return encoder.eval()


def _add_rows(rows: Tensor, size: int) -> Tensor:
    """Add rows for new words up to `size`; each is the mean of the rows of the known words."""
    new = rows[len(SPECIAL) :].mean(dim=0, keepdim=True)
    return torch.cat([rows, *[new] * (size - len(rows))])


def weights(bundle: Bundle) -> dict[str, Tensor]:
    """Return the tensors in both graphs of a bundle, by name, in single precision."""
    tensors_by_name: dict[str, Tensor] = {}
    for name in ("encoder.onnx", "decoder.onnx"):
        for key, array in stored(onnx.load(bundle.path / name)).items():
            transposed = key.endswith(TRANSPOSED)
            tensors_by_name[key.removesuffix(TRANSPOSED)] = torch.from_numpy(
                array.T if transposed else array
            )
    return tensors_by_name


def stored(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Return the tensors in a graph, converted to single precision."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    restored = {name.removesuffix(HALF): array.astype(np.float32) for name, array in arrays.items()}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in arrays:
            values, scale, zero = (arrays[name] for name in node.input)
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            shape = [-1 if i == axis else 1 for i in range(values.ndim)]
            shift = zero.astype(np.float32).reshape(shape)
            weight = (values - shift) * scale.reshape(shape)
            restored[node.input[0].removesuffix(QUANTIZED)] = weight.astype(np.float32)
    return restored
