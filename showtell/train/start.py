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


def bundle_of(start: str) -> Bundle:
    """Return the bundle that a recipe names: a folder, or ``shipped``."""
    return Bundle.load(None if start == "shipped" else start)


def tell_unknown(photographs: Sequence[Photograph], vocabulary: Vocabulary) -> str:
    """Say in a sentence which words of the captions are not in a bundle's vocabulary."""
    counts = Counter(w for p in photographs for c in p.captions for w in tokenize(c))
    unknown = [word for word, _ in counts.most_common() if word not in vocabulary]
    if not unknown:
        return f"the model knows all {len(counts):,} words of the captions"
    named = ", ".join(unknown[:10]) + (", ..." if len(unknown) > 10 else "")
    return (
        f"the model does not know {len(unknown):,} of the {len(counts):,} words of the captions, "
        f"and will not say them; each becomes {SPECIAL[UNK]}: {named}"
    )


def network_of(bundle: Bundle, network: nn.Module) -> dict[str, Tensor]:
    """Read the tensors of a network from a bundle.

    Parameters
    ----------
    bundle : written by ``showtell export``.
    network : tells which tensors there are; it stays as it is.

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
    return tensors


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
