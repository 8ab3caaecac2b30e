"""A bundle as the start of a training: its graphs hold the weights under their names.

The names are those of the network's ``state_dict``; ``.T`` follows where a graph has the matrix
transposed, and then ``.half`` where it is stored in half precision.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from showtell.bundle import Bundle
from showtell.data import Photograph
from showtell.errors import CheckpointError
from showtell.vocab import SPECIAL, UNK, Vocabulary, tokenize

TRANSPOSED, HALF = ".T", ".half"
# Tensors that have a row for each word.
_BY_WORD = ("decoder.E.weight", "decoder.L_o.weight", "decoder.L_o.bias")


def bundle_of(start: str) -> Bundle:
    """Return the bundle that a recipe names: a folder, or ``shipped``."""
    return Bundle.load(None if start == "shipped" else start)


def tell_new(photographs: Sequence[Photograph], known: Vocabulary, vocabulary: Vocabulary) -> str:
    """Say which words of the captions a bundle does not know, and what becomes of them.

    Parameters
    ----------
    photographs : with the captions.
    known : the bundle's words.
    vocabulary : those, and the words that are learned.
    """
    counts = Counter(w for p in photographs for c in p.captions for w in tokenize(c))
    new = [word for word, _ in counts.most_common() if word not in known]
    if not new:
        return f"the model knows all {len(counts):,} words of the captions"
    learned = [word for word in new if word in vocabulary]
    rare = [word for word in new if word not in vocabulary]
    sentences = {
        "new words, which the model learns": learned,
        f"words that are too rare to be learned, and become {SPECIAL[UNK]}": rare,
    }
    told = (f"{text} ({len(words):,}): {_few(words)}" for text, words in sentences.items() if words)
    return "\n".join(told)


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:10]) + (", ..." if len(words) > 10 else "")


def network_of(bundle: Bundle, network: nn.Module) -> dict[str, Tensor]:
    """Read the tensors of a network from a bundle.

    Parameters
    ----------
    bundle : written by ``showtell export``.
    network : tells which tensors there are; it stays as it is. Where it has more words than the
        bundle, the last ones are new.

    Returns
    -------
    What ``network.load_state_dict`` takes. BatchNorm's counters, which no result depends on, are
    the network's own.

    Raises
    ------
    CheckpointError : the bundle lacks one.
    """
    found = weights(bundle)
    tensors = network.state_dict()
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            if name not in found:
                raise CheckpointError(f"{bundle.path}: cannot be trained further: it lacks {name}")
            tensors[name] = found[name]
            if name in _BY_WORD:
                tensors[name] = _add_rows(found[name], len(tensor))
    return tensors


def _add_rows(rows: Tensor, size: int) -> Tensor:
    """Add rows for new words up to `size`: each is the mean of the rows of all known words."""
    new = rows[len(SPECIAL) :].mean(dim=0, keepdim=True)
    return torch.cat([rows, *[new] * (size - len(rows))])


def weights(bundle: Bundle) -> dict[str, Tensor]:
    """Return what both graphs of a bundle store, by name, in single precision."""
    return _stored(bundle.path / "encoder.onnx") | _stored(bundle.path / "decoder.onnx")


def _stored(path: Path) -> dict[str, Tensor]:
    stored = {}
    for tensor in onnx.load(path).graph.initializer:
        name = tensor.name.removesuffix(HALF)
        array = numpy_helper.to_array(tensor).astype(np.float32)
        if name.endswith(TRANSPOSED):
            name, array = name.removesuffix(TRANSPOSED), array.T
        stored[name] = torch.from_numpy(array)
    return stored
