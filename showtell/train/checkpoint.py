"""Checkpoints: tensors as safetensors, everything else as JSON, replaced as one.

``last.json`` names the file with its tensors and is replaced after that file is on disk, so that
whoever reads it finds a whole checkpoint, whenever the run was killed.
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
    """Where a run stands.

    Attributes
    ----------
    phase : index in :data:`showtell.train.run.PHASES`.
    epoch : of the phase, from 0.
    step : steps done in this epoch.
    total_steps : steps done in all.
    sums : of the steps since the last record in the log: their number, and what was measured.
    best : dev score of the best checkpoint, by the recipe's judge.
    stale : epochs of the phase since then.
    baseline : of hard attention, after the last step.
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
    """What a run needs to go on, or an export to begin.

    Attributes
    ----------
    recipe : of the run.
    vocabulary : of the network.
    progress : where the run was, plain types.
    network : the network's tensors.
    optimizer : the optimiser's tensors, none in the best checkpoint.
    average : those of the moving average of the weights, where there is one; none in the best
        checkpoint, whose network it is.
    start : how the bundle that the run started from was trained, as its manifest tells.
    """

    recipe: Recipe
    vocabulary: Vocabulary
    progress: Mapping[str, Any]
    network: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor] = field(default_factory=dict)
    average: Mapping[str, Tensor] = field(default_factory=dict)
    start: Mapping[str, Any] | None = None

    def save(self, path: Path) -> None:
        """Write ``STEM.json`` and the file of tensors that it names; older tensors are deleted.

        Raises
        ------
        CheckpointError : the tensors cannot be written; the older checkpoint is still there.
        """
        tensors = {
            f"{part}.{name}": tensor
            for part in ("network", "optimizer", "average")
            for name, tensor in getattr(self, part).items()
        }
        file = path.with_name(f"{path.stem}-{self.progress['total_steps']:08d}.safetensors")
        try:
            with replacing(file) as partial:
                # Not save_file, which renames a file of its own, readable by its owner alone.
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
        CheckpointError : its tensors do not fit the recipe and the vocabulary.
        """
        encoder = Encoder(self.recipe.encoder, pretrained=False)
        network = ShowAttendTell(
            encoder, len(self.vocabulary), self.recipe.decoder, self.recipe.detector
        )
        load_tensors(network, self.network)
        return network.eval()


def load_tensors(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load all tensors of a network, or raise a CheckpointError that says what does not fit."""
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise CheckpointError(f"the checkpoint does not match its recipe: {error}") from error


def mix(start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Return the tensors on the way from `start` to `end`, a share of 0..1 of it."""
    return {
        name: torch.lerp(tensor, end[name], share)
        if tensor.is_floating_point() and not tensor.equal(end[name])  # which rounding would move
        else tensor
        for name, tensor in start.items()
    }


def read(path: Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : ``last.json``, ``best.json``, or a run's folder, which stands for its best.

    Raises
    ------
    CheckpointError : it is missing or damaged.
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
    """Return the checkpoint to go on from, if any.

    Parameters
    ----------
    run : the run's folder.
    recipe : which the checkpoint must have too.
    resume : whether there should be one.

    Raises
    ------
    CheckpointError : there is one and should be none, or the reverse, or it had another recipe.
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
