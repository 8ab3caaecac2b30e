"""Checkpoints: tensors as safetensors, everything else as JSON.

``last.json`` names its tensor file and is replaced only after that file is on disk. The checkpoint
is therefore always complete, even if the run is killed while saving.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from showtell.atomic import replacing
from showtell.errors import CheckpointError
from showtell.train.encoder import Encoder
from showtell.train.model import ShowAttendTell
from showtell.train.recipe import Recipe, from_dict
from showtell.vocab import Vocabulary

LAST, BEST, START = "last.json", "best.json", "start.json"


@dataclass(frozen=True)
class Progress:
    """The position of a run in its training.

    Attributes
    ----------
    phase : index in :data:`showtell.train.run.PHASES`.
    epoch : epoch of the phase, from 0.
    step : steps completed in this epoch.
    total_steps : steps completed in the run.
    sums : number of steps since the last log record, and the sums of their measurements.
    best : dev score of the best checkpoint, by the recipe's judge.
    stale : epochs of the phase without a better score.
    baseline : baseline of hard attention after the last step.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    total_steps: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    best: float = -1.0
    stale: int = 0
    baseline: float = 0.0


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run, from which it can be resumed or exported.

    Attributes
    ----------
    recipe : the run's recipe.
    vocabulary : the network's vocabulary.
    progress : the fields of :class:`Progress` as plain types.
    network : the network's tensors.
    optimizer : the optimiser's tensors; empty in the best checkpoint.
    average : tensors of the moving average of the weights, if there is one; empty in the best
        checkpoint, where `network` holds the average.
    start : the ``training`` entry in the manifest of the bundle that the run started from.
    """

    recipe: Recipe
    vocabulary: Vocabulary
    progress: Mapping[str, Any]
    network: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor] = field(default_factory=dict)
    average: Mapping[str, Tensor] = field(default_factory=dict)
    start: Mapping[str, Any] | None = None

    def save(self, path: Path) -> None:
        """Write ``STEM.json`` and its tensor file, and delete older tensor files.

        Raises
        ------
        CheckpointError : the tensors cannot be written; the previous checkpoint is kept.
        """
        tensors = {
            f"{part}.{name}": tensor
            for part in ("network", "optimizer", "average")
            for name, tensor in getattr(self, part).items()
        }
        file = path.with_name(f"{path.stem}-{self.progress['total_steps']:08d}.safetensors")
        try:
            with replacing(file) as partial:
                # save_file would create a file that only its owner can read.
                partial.write_bytes(save({name: t.contiguous() for name, t in tensors.items()}))
        except OSError as error:
            raise CheckpointError(f"{file}: cannot be written: {error.strerror}") from error
        content = {
            "tensors": file.name,
            "progress": self.progress,
            "recipe": self.recipe.to_dict(),
            "start": self.start,
            "vocabulary": self.vocabulary.words,
        }
        with replacing(path) as partial:
            partial.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        for old in path.parent.glob(f"{path.stem}-{8 * '[0-9]'}.safetensors"):
            if old != file:
                old.unlink()

    def build(self) -> ShowAttendTell:
        """Rebuild the network, in evaluation mode.

        Raises
        ------
        CheckpointError : the tensors do not match the recipe and the vocabulary.
        """
        encoder = Encoder(self.recipe.encoder, pretrained=False)
        network = ShowAttendTell(
            encoder, len(self.vocabulary), self.recipe.decoder, self.recipe.detector
        )
        load_tensors(network, self.network)
        return network.eval()


def load_tensors(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load all tensors into a network, or raise a CheckpointError if they do not match."""
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise CheckpointError(f"the checkpoint does not match its recipe: {error}") from error


def mix(start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Interpolate tensors linearly: `start` at a share of 0, `end` at a share of 1."""
    return {
        name: torch.lerp(tensor, end[name], share)
        if tensor.is_floating_point() and not tensor.equal(end[name])  # avoids rounding
        else tensor
        for name, tensor in start.items()
    }


def read(path: Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : ``last.json``, ``best.json``, or a run's folder for its ``best.json``.

    Raises
    ------
    CheckpointError : the checkpoint is missing or damaged.
    """
    path = path / BEST if path.is_dir() else path
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if Path(content["tensors"]).name != content["tensors"]:
            raise ValueError(f"it names a file outside of its folder: {content['tensors']!r}")
        tensors = load_file(path.parent / content["tensors"], device=str(device))
        return Checkpoint(
            recipe=from_dict(content["recipe"]),
            vocabulary=Vocabulary(tuple(content["vocabulary"])),
            progress=content["progress"],
            network=_below("network.", tensors),
            optimizer=_below("optimizer.", tensors),
            average=_below("average.", tensors),
            start=content.get("start"),
        )
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename or path}: there is no such checkpoint") from error
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"{path}: damaged: {error}") from error


def find(run: Path, recipe: Recipe, resume: bool) -> Checkpoint | None:
    """Return the checkpoint to resume from; None for a new run.

    Parameters
    ----------
    run : the run's folder.
    recipe : must equal the checkpoint's recipe.
    resume : whether to resume a run.

    Raises
    ------
    CheckpointError : the run exists but `resume` is False, `resume` is True but there is no run, or
        the recipes differ.
    """
    if not (run / LAST).exists():
        if resume:
            raise CheckpointError(f"{run}: there is no run to resume; omit --resume to start one")
        return None
    if not resume:
        raise CheckpointError(
            f"{run}: already contains a run; add --resume to continue it, or --set run=FOLDER"
        )
    last = read(run / LAST)
    if last.recipe != recipe:
        changed = sorted(k for k, v in recipe.to_dict().items() if v != last.recipe.to_dict()[k])
        raise CheckpointError(
            f"{run}: the run was started with other values of {', '.join(changed)}; use the same"
        )
    return last


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
