"""Preparation of a phase: its objective, its optimiser and the inputs of the network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from showtell.train import checkpoint as checkpoints
from showtell.train.checkpoint import Checkpoint
from showtell.train.data import Batch, augment
from showtell.train.encoder import Encoder
from showtell.train.features import Features, Joined, Pixels, extractor
from showtell.train.model import NetworkInput, Seen
from showtell.train.objective import CrossEntropy, HardAttention, Objective
from showtell.train.optimizer import make_optimizer, restore_optimizer
from showtell.train.recipe import Phase
from showtell.train.reinforce import SelfCritical
from showtell.train.run import Run

# Maps indices (B,) of photographs to their features (B, L, C).
ReadFeatures = Callable[[np.ndarray], Tensor]


class Inputs(Protocol):
    """The source of the network's inputs in a phase."""

    def train(self, batch: Batch, rng: np.random.Generator) -> NetworkInput:
        """Return the inputs of :class:`~showtell.train.model.ShowAttendTell` for a batch."""

    def dev(self, encoder: Encoder) -> Mapping[str, ReadFeatures]:
        """Return a function for each dev split that reads or computes its features."""


@dataclass(frozen=True)
class RunningPhase:
    """The current phase of a run, prepared for training.

    Attributes
    ----------
    settings : the phase's settings in the recipe.
    objective : the training objective.
    model, optimizer : the network and its optimiser, set up by Fabric.
    average : moving average of the weights over the steps; None if the recipe does not use one.
    inputs : source of the network's inputs.
    """

    settings: Phase
    objective: Objective
    model: Any
    optimizer: Any
    average: AveragedModel | None
    inputs: Inputs


def prepare(run: Run, resumed: Checkpoint | None) -> RunningPhase:
    """Prepare the current phase of a run.

    Parameters
    ----------
    run : the run.
    resumed : the checkpoint of this phase to resume from; None at the start of the phase.

    Raises
    ------
    DataError : the cache of features or photographs cannot be written or read.
    RecipeError : the settings of the phase are invalid.
    """
    model, optimizer = _optimize(run, resumed)
    average = _average(run, resumed)
    objective = _objective(run)
    with run.fabric.rank_zero_first():
        inputs = CroppedPhotographs(run) if run.settings.encoder_lr else CachedFeatures(run)
    return RunningPhase(run.settings, objective, model, optimizer, average, inputs)


def _optimize(run: Run, resumed: Checkpoint | None) -> tuple[Any, Any]:
    """Return network and optimiser set up by Fabric, with the optimiser's state restored."""
    network, phase = run.network, run.settings
    network.encoder.requires_grad_(phase.encoder_lr > 0)
    groups = [{"params": list(network.decoder.parameters()), "peak": phase.lr}]
    if phase.encoder_lr:
        groups.append({"params": list(network.encoder.parameters()), "peak": phase.encoder_lr})
    optimizer = make_optimizer(groups, run.recipe)
    restore_optimizer(optimizer, resumed.optimizer if resumed else {})
    return run.fabric.setup(network, optimizer)


def _average(run: Run, resumed: Checkpoint | None) -> AveragedModel | None:
    """Return the moving average of the weights, restored from a checkpoint or newly started."""
    if not run.settings.ema:
        return None
    decay = get_ema_multi_avg_fn(run.settings.ema)  # type: ignore[no-untyped-call]
    average = AveragedModel(run.network, multi_avg_fn=decay)
    average.update_parameters(run.network)
    if resumed:
        checkpoints.load_tensors(average.module, resumed.average)
    return average


def _objective(run: Run) -> Objective:
    shared = run.recipe, run.settings
    if run.phase == "selfcritical":
        written = replace(run.captions, copies=run.corpus.copies_written)
        return SelfCritical(
            *shared, run.network, written, run.photographs, run.vocabulary, run.fabric.autocast
        )
    if run.recipe.hard:
        mean: Any = run.fabric.all_reduce
        return HardAttention(*shared, run.captions, run.progress.baseline, mean)
    return CrossEntropy(*shared, run.captions)


class CachedFeatures:
    """Precomputed features, for a CNN that is not trained."""

    def __init__(self, run: Run) -> None:
        cache, encoder = Path(run.recipe.cache), run.network.encoder
        self._device, self._evidence = run.fabric.device, run.evidence
        self._train = Joined(
            [Features(cache, encoder, p, run.recipe.mirror, run.say) for p in run.corpus.parts]
        )
        self._dev = {
            name: Features(cache, encoder, photographs, False, run.say)
            for name, photographs in run.dev.items()
        }

    def train(self, batch: Batch, rng: np.random.Generator) -> Seen:
        """Return features, with evidence for words if there is a word detector."""
        features = self._train.read(batch.photos, batch.mirrored).to(self._device).float()
        if self._evidence is None:
            return Seen(features)
        return Seen(features, self._evidence[batch.photos].to(self._device).float())

    def dev(self, encoder: Encoder) -> Mapping[str, ReadFeatures]:
        """Return a function for each dev split that reads its features."""
        return {name: self._reader(rows) for name, rows in self._dev.items()}

    def _reader(self, rows: Features) -> ReadFeatures:
        return lambda photos: rows.read(photos).to(self._device).float()


class CroppedPhotographs:
    """Randomly cropped and mirrored photographs, for a CNN that is trained."""

    def __init__(self, run: Run) -> None:
        cache, size = Path(run.recipe.cache), run.network.encoder.size
        self._device, self._crop = run.fabric.device, run.recipe.crop
        self._train = Joined([Pixels(cache, p, size, run.say) for p in run.corpus.parts])
        self._dev = {name: Pixels(cache, p, size, run.say) for name, p in run.dev.items()}

    def train(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        """Return uint8 images (B, size, size, 3)."""
        images = self._train.read(batch.photos).to(self._device)
        return augment(images, batch.mirrored, self._crop, rng)

    def dev(self, encoder: Encoder) -> Mapping[str, ReadFeatures]:
        """Return a function for each dev split that computes its features, without cropping."""
        extract, device = extractor(encoder), self._device

        def reader(rows: Pixels) -> ReadFeatures:
            return lambda photos: extract(rows.read(photos).to(device))

        return {name: reader(rows) for name, rows in self._dev.items()}
