"""The training loop: the phases of a recipe in order, validated by beam search, resumable.

The random numbers of a step depend only on the seed, the phase and the step. A run that was killed
and resumed therefore draws the same numbers as an uninterrupted run.
"""

import copy
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from tqdm import tqdm

from showtell import memory
from showtell.data import Dataset
from showtell.errors import ShowtellError
from showtell.train import checkpoint as checkpoints
from showtell.train.checkpoint import BEST, START, Checkpoint
from showtell.train.corpus import Corpus
from showtell.train.data import Batch
from showtell.train.model import ShowAttendTell
from showtell.train.optimizer import rate_at
from showtell.train.phase import RunningPhase, prepare
from showtell.train.plot import plot_curves
from showtell.train.recipe import Recipe
from showtell.train.run import PHASES, Run, Say
from showtell.train.validate import score_captions

_PATIENCE = timedelta(days=1)  # while the first process caches or validates
_JUDGES = {"cider": "CIDEr", "bleu4": "BLEU-4"}


def train(
    recipe: Recipe, *, data: Dataset | None = None, resume: bool = False, say: Say = tqdm.write
) -> Path:
    """Train a model as a recipe describes.

    Parameters
    ----------
    recipe : the settings of the run.
    data : training and dev data; None reads the data sets of the recipe.
    resume : continue from the last checkpoint in ``recipe.run``.
    say : called with each line of status text.

    Returns
    -------
    The run's folder: ``best.json`` and ``last.json`` with their tensors, ``log.jsonl``,
    ``curves.png``.

    Raises
    ------
    BundleError : the bundle to start from cannot be read.
    CheckpointError : a run already exists, there is no run to resume, its recipe differs, or the
        bundle to start from does not match the recipe.
    DataError, RecipeError : the data or the recipe cannot be used.
    """
    last = checkpoints.find(Path(recipe.run), recipe, resume)
    processes = DDPStrategy(start_method="spawn", timeout=_PATIENCE)
    fabric = Fabric(
        accelerator="auto",
        strategy=processes if recipe.devices > 1 else "auto",
        devices=recipe.devices,
        precision=recipe.precision,  # type: ignore[arg-type]
    )
    # Fabric inspects the arguments that it passes on and rejects frozen dataclasses, so bind them.
    ended = fabric.launch(partial(_train, recipe=recipe, data=data, last=last, say=say))
    if isinstance(ended, ShowtellError):
        raise ended
    return Path(recipe.run)


def _train(
    fabric: Fabric, recipe: Recipe, data: Dataset | None, last: Checkpoint | None, say: Say
) -> ShowtellError | None:
    """Train in one process. Return errors, since a spawned process would lose their types."""
    assert fabric.world_size == recipe.devices
    memory.keep()
    try:
        corpus = Corpus((data,), (1,), (True,)) if data else Corpus.load(recipe.data, recipe.more)
        run = Run(recipe, corpus, fabric, last, say if fabric.is_global_zero else _silent)
        for phase in range(run.progress.phase, len(PHASES)):
            train_phase(run, phase, last)
        run.say(_summary(run))
    except ShowtellError as error:
        return error
    return None


def _silent(_: str) -> None:
    pass


def _summary(run: Run) -> str:
    judge, best = run.recipe.judge, run.progress.best
    outcome = f"best dev {_JUDGES[judge]} {best:.3f}" if judge and best >= 0 else "trained"
    return f"{outcome}: {run.folder / BEST}"


def train_phase(run: Run, index: int, last: Checkpoint | None) -> None:
    """Train one phase to its end.

    The phase continues from `last` if that checkpoint belongs to it. Otherwise it starts from the
    best network so far.

    Parameters
    ----------
    run : the run, in this phase or before it.
    index : index of the phase in ``PHASES``.
    last : the checkpoint that the run resumes from, if any.
    """
    if getattr(run.recipe, PHASES[index]).epochs == 0:
        return
    resumed = last if last and last.progress["phase"] == index else None
    if resumed is None:
        run.start_phase(index)
    phase = prepare(run, resumed)
    while (
        run.progress.epoch < phase.settings.epochs and run.progress.stale < phase.settings.patience
    ):
        train_epoch(run, phase)
        validate(run, phase)


def train_epoch(run: Run, phase: RunningPhase) -> None:
    """Train for the rest of the epoch, from the run's current step."""
    at, seed = run.progress, [run.recipe.seed, run.progress.phase]
    batches = phase.objective.batches([*seed, at.epoch])
    sizes = [len(batch.captions) for batch in batches]
    rank, processes = run.fabric.global_rank, run.fabric.world_size
    run.network.train(phase.objective.dropout)
    with tqdm(
        total=sum(sizes),
        initial=sum(sizes[: at.step]),
        desc=f"{run.phase} {at.epoch + 1}/{phase.settings.epochs}",
        unit="captions",
        disable=rank > 0,
    ) as bar:
        for step in range(at.step, len(batches)):
            position = at.epoch * len(batches) + step
            others = [rank] if rank else []  # each process draws its own random numbers
            rng = np.random.default_rng([*seed, 1 << 20, position, *others])
            torch.manual_seed(int(rng.integers(1 << 62)))
            rate = rate_at(position / (phase.settings.epochs * len(batches)), phase.settings)
            measured = train_step(run, phase, batches[step].share(rank, processes), rng, rate)
            bar.set_postfix({k: f"{v:.3f}" for k, v in measured.items()}, refresh=False)
            bar.update(sizes[step])
            run.end_step(measured, rate, bar.format_dict["rate"] or 0.0)
            if run.is_overdue and run.fabric.is_global_zero:
                _save_last(run, phase)


def train_step(
    run: Run, phase: RunningPhase, batch: Batch, rng: np.random.Generator, rate: float
) -> dict[str, float]:
    """Take one optimiser step and return its loss and other measurements.

    The measurements are made before the weights change, and averaged over the processes.

    Parameters
    ----------
    batch : the part of the batch for this process.
    rng : random numbers for augmentation.
    rate : factor of the learning rates, 0..1.
    """
    for group in phase.optimizer.param_groups:
        group["lr"] = group["peak"] * rate
    measured = phase.objective.measure(phase.model, phase.inputs.train(batch, rng), batch)
    phase.optimizer.zero_grad()
    run.fabric.backward(measured["loss"])
    run.fabric.clip_gradients(phase.model, phase.optimizer, max_norm=run.recipe.grad_norm)
    phase.optimizer.step()
    if phase.average:
        phase.average.update_parameters(run.network)
    means: Any = {name: run.fabric.all_reduce(value.detach()) for name, value in measured.items()}
    return {name: float(mean) for name, mean in means.items()}


def validate(run: Run, phase: RunningPhase) -> None:
    """End an epoch: score the dev splits, and save the last and the best checkpoint.

    Only the first process does this; the others wait. If the recipe has no judge, each epoch counts
    as better than the ones before it.
    """
    kept = _network_to_keep(run, phase) if run.fabric.is_global_zero else None
    scores = run.fabric.broadcast(_score(run, phase, kept) if kept and run.dev else {})
    judge = run.recipe.judge
    better = run.end_epoch(scores[judge] if judge else float(run.progress.total_steps))
    if kept:
        _report(run, scores, better)
        if better:
            run.save_best(kept)
        _save_last(run, phase)
        plot_curves(run.folder)
    run.fabric.barrier()


def _network_to_keep(run: Run, phase: RunningPhase) -> ShowAttendTell:
    """Return the network to validate and keep, made from the current weights."""
    settings = phase.settings
    kept: Any = copy.deepcopy(phase.average.module if phase.average else run.network)
    kept.decoder.sharpen(1 / settings.temperature)
    kept.decoder.lean(settings.trust, settings.rarity * run.log_frequencies)
    if settings.mix < 1:
        start = checkpoints.read(run.folder / START, run.fabric.device).network
        checkpoints.load_tensors(kept, checkpoints.mix(start, kept.state_dict(), settings.mix))
    return kept


def _score(run: Run, phase: RunningPhase, kept: ShowAttendTell) -> dict[str, float]:
    """Return the mean scores over the dev splits and, if there are several, those of each."""
    features, beam = phase.inputs.dev(kept.encoder), run.recipe.validate_beam
    of_each = {
        name: score_captions(kept, features[name], photographs, run.vocabulary, beam)
        for name, photographs in run.dev.items()
    }
    means = {
        score: round(fmean(own[score] for own in of_each.values()), 4)
        for score in ("bleu4", "cider")
    }
    if len(of_each) == 1:
        return means
    return means | {f"{k} {name}": v for name, own in of_each.items() for k, v in own.items()}


def _report(run: Run, scores: dict[str, float], better: bool) -> None:
    epoch = run.progress.epoch
    run.log(epoch=epoch, **scores)
    if scores:
        run.say(
            f"{run.phase} epoch {epoch}: dev BLEU-4 {100 * scores['bleu4']:.1f}, "
            f"CIDEr {scores['cider']:.3f}{', the best so far' if better else ''}"
        )


def _save_last(run: Run, phase: RunningPhase) -> None:
    state = phase.optimizer.state_dict()["state"]
    optimizer = {f"{i}.{k}": v for i, own in state.items() for k, v in own.items()}
    run.save_last(optimizer, phase.average.module.state_dict() if phase.average else {})
