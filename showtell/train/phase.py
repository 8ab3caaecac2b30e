"""A phase of a run, made ready: objective, optimiser, and what the network is fed."""

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

# From indices (B,) of photographs to their features (B, L, C).
ReadFeatures = Callable[[np.ndarray], Tensor]


class Inputs(Protocol):
    """Where a phase takes what the network is fed."""

    def train(self, batch: Batch, rng: np.random.Generator) -> NetworkInput:
        """Return what :class:`~showtell.train.model.ShowAttendTell` takes for a batch."""

    def dev(self, encoder: Encoder) -> Mapping[str, ReadFeatures]:
        """Return what reads the features of each dev split, as an encoder computes them."""


@dataclass(frozen=True)
class RunningPhase:
    """What the phase in which a run stands trains with.

    Attributes
    ----------
    settings : what the recipe says of the phase.
    objective : what it trains for.
    model, optimizer : the network and its optimiser under Fabric.
    average : of the weights over the steps of the phase, if the recipe asks for one.
    inputs : what the network is fed.
    """

    settings: Phase
    objective: Objective
    model: Any
    optimizer: Any
    average: AveragedModel | None
    inputs: Inputs


def prepare(run: Run, resumed: Checkpoint | None) -> RunningPhase:
    """Make the phase ready in which a run stands.

    Parameters
    ----------
    run : what the phase belongs to.
    resumed : the checkpoint of this phase to go on from; None at its start.

    Raises
    ------
    DataError : the cache of features or photographs cannot be written or read.
    RecipeError : the phase cannot train with these settings.
    """
    model, optimizer = _optimize(run, resumed)
    average = _average(run, resumed)
    objective = _objective(run)
    with run.fabric.rank_zero_first():
        inputs = CroppedPhotographs(run) if run.settings.encoder_lr else CachedFeatures(run)
    return RunningPhase(run.settings, objective, model, optimizer, average, inputs)


def _optimize(run: Run, resumed: Checkpoint | None) -> tuple[Any, Any]:
    """Return network and optimiser under Fabric, the optimiser where it was."""
    network, phase = run.network, run.settings
    network.encoder.requires_grad_(phase.encoder_lr > 0)
    groups = [{"params": list(network.decoder.parameters()), "peak": phase.lr}]
    if phase.encoder_lr:
        groups.append({"params": list(network.encoder.parameters()), "peak": phase.encoder_lr})
    optimizer = make_optimizer(groups, run.recipe)
    restore_optimizer(optimizer, resumed.optimizer if resumed else {})
    return run.fabric.setup(network, optimizer)


def _average(run: Run, resumed: Checkpoint | None) -> AveragedModel | None:
    """Return the average of the weights where it was, or of the weights before any step."""
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
    """Features that were computed before, for a CNN that stays as it is."""

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
        """Return features, and evidence for words where there is a detector."""
        features = self._train.read(batch.photos, batch.mirrored).to(self._device).float()
        if self._evidence is None:
            return Seen(features)
        return Seen(features, self._evidence[batch.photos].to(self._device).float())

    def dev(self, encoder: Encoder) -> Mapping[str, ReadFeatures]:
        """Return what reads the features of each dev split."""
        return {name: self._reader(rows) for name, rows in self._dev.items()}

    def _reader(self, rows: Features) -> ReadFeatures:
        return lambda photos: rows.read(photos).to(self._device).float()


class CroppedPhotographs:
    """Photographs, cropped at random and mirrored, for a CNN that learns."""

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
        """Return what computes the features of each dev split of its whole photographs."""
        extract, device = extractor(encoder), self._device

        def reader(rows: Pixels) -> ReadFeatures:
            return lambda photos: extract(rows.read(photos).to(device))

        return {name: reader(rows) for name, rows in self._dev.items()}
