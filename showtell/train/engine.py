"""Training: a recipe's phases one after the other, validated by real decoding, resumable.

Every step draws its chance from (seed, phase, step) and nothing else, so that a run that was killed
and resumed goes through the same numbers as one that was not.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor
from tqdm import tqdm

from showtell.atomic import replacing
from showtell.data import load
from showtell.errors import CheckpointError
from showtell.train import checkpoint as checkpoints
from showtell.train.checkpoint import BEST, LAST, Checkpoint
from showtell.train.data import Batch, Features, TrainingCaptions, augment, read_images
from showtell.train.encoder import Encoder
from showtell.train.model import ShowAttendTell, doubly_stochastic_penalty
from showtell.train.plot import LOG, plot_curves, read_log
from showtell.train.recipe import Phase, Recipe
from showtell.train.validate import validate
from showtell.vocab import Vocabulary, tokenize

PHASES = ("frozen", "finetune")
LOG_STEPS = 25

Say = Callable[[str], None]


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes
    ----------
    phase : index in ``PHASES``.
    epoch : of the phase, from 0.
    step : steps done in this epoch.
    total_steps : steps done in all.
    loss : sum of the losses since the last record in the log.
    best : dev CIDEr of the best checkpoint.
    stale : epochs of the phase since then.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    total_steps: int = 0
    loss: float = 0.0
    best: float = -1.0
    stale: int = 0


def train(recipe: Recipe, *, resume: bool = False, say: Say = tqdm.write) -> Path:
    """Train a model by a recipe.

    Parameters
    ----------
    recipe : what to do.
    resume : go on from the last checkpoint of ``recipe.run``.
    say : told what is going on, a line at a time.

    Returns
    -------
    The run's folder: ``best.json`` and ``last.json`` with their tensors, ``log.jsonl``,
    ``curves.png``.

    Raises
    ------
    CheckpointError : there is a run already, or none to resume, or it had another recipe.
    DataError, RecipeError : the data or the recipe cannot be used.
    """
    run = Path(recipe.run)
    last = _find(run, recipe, resume)
    fabric = Fabric(accelerator="auto", devices=1, precision=recipe.precision)  # type: ignore[arg-type]
    trainer = Trainer(recipe, fabric, last, say)
    for phase in range(trainer.progress.phase, len(PHASES)):
        trainer.run_phase(phase)
    say(f"best dev CIDEr {trainer.progress.best:.3f}: {run / BEST}")
    return run


def _find(run: Path, recipe: Recipe, resume: bool) -> Checkpoint | None:
    """Return the checkpoint to go on from, if any."""
    if not (run / LAST).exists():
        if resume:
            raise CheckpointError(f"{run}: there is no run to resume; leave --resume out to start")
        return None
    if not resume:
        raise CheckpointError(
            f"{run}: there is a run already; add --resume to go on, or --set run=FOLDER"
        )
    last = checkpoints.read(run / LAST)
    if last.recipe != recipe:
        changed = sorted(k for k, v in recipe.to_dict().items() if v != last.recipe.to_dict()[k])
        raise CheckpointError(f"{run}: was started with other values of {', '.join(changed)}")
    return last


class Trainer:
    """One run: its data, its network, and where it stands.

    Parameters
    ----------
    recipe : what to do.
    fabric : devices and precision.
    last : the checkpoint to go on from.
    say : told what is going on.
    """

    def __init__(self, recipe: Recipe, fabric: Fabric, last: Checkpoint | None, say: Say) -> None:
        self.recipe, self.fabric, self.say = recipe, fabric, say
        self.run = Path(recipe.run)
        data = load(recipe.data)
        self.photographs, self.dev = (
            data.split("train"),
            data.split("dev")[: recipe.validate_photos],
        )
        captions = [tokenize(c) for p in self.photographs for c in p.captions]
        self.vocabulary = Vocabulary.build(captions, recipe.min_count)
        self.captions = TrainingCaptions.prepare(
            self.photographs, self.vocabulary, recipe.max_words
        )
        torch.manual_seed(recipe.seed)
        encoder = Encoder(recipe.encoder, pretrained=last is None)
        self.network = ShowAttendTell(encoder, len(self.vocabulary), recipe.decoder)
        self.network.to(fabric.device)
        self.progress = Progress()
        self._optimizer_tensors: dict[str, Tensor] = {}
        if last is not None:
            self._restore(last)
        self._saved = time.monotonic()

    def _restore(self, last: Checkpoint) -> None:
        if last.vocabulary != self.vocabulary:
            raise CheckpointError(
                f"{self.run}: the captions have changed since the run was started"
            )
        checkpoints.load_tensors(self.network, last.network)
        self.progress = Progress(**last.progress)
        self._optimizer_tensors = dict(last.optimizer)
        kept = [r for r in read_log(self.run) if r["step"] <= self.progress.total_steps]
        with replacing(self.run / LOG) as partial:
            partial.write_text("".join(json.dumps(record) + "\n" for record in kept))

    def run_phase(self, index: int) -> None:
        """Train one phase to its end; the next one starts from the best network so far."""
        phase: Phase = getattr(self.recipe, PHASES[index])
        if self.progress.phase < index:
            self._start_phase(index)
        if phase.epochs == 0:
            return
        inputs, features = self._sources(phase)
        model, optimizer = self._optimize(phase)
        while self.progress.epoch < phase.epochs and self.progress.stale < phase.patience:
            self._epoch(phase, model, optimizer, inputs)
            self._validate(features, optimizer)

    def _start_phase(self, index: int) -> None:
        best = self.run / BEST
        if best.exists():
            checkpoints.load_tensors(self.network, checkpoints.read(best).network)
        self._optimizer_tensors = {}
        self.progress = replace(self.progress, phase=index, epoch=0, step=0, stale=0)

    def _sources(
        self, phase: Phase
    ) -> tuple[Callable[[Batch, np.random.Generator], Tensor], Callable[[np.ndarray], Tensor]]:
        """Return what the network is fed in training, and the features of dev photographs."""
        encoder, recipe, device = self.network.encoder, self.recipe, self.fabric.device
        if phase.encoder_lr == 0:
            cache = Path(recipe.cache)
            cached = Features(cache, encoder, self.photographs, recipe.mirror, self.say)
            dev = Features(cache, encoder, self.dev, False, self.say)
            return lambda batch, _: cached.read(batch.photos, batch.mirrored), dev.read

        def inputs(batch: Batch, rng: np.random.Generator) -> Tensor:
            images = read_images([self.photographs[i] for i in batch.photos], encoder.size)
            return augment(images, batch.mirrored, recipe.crop, rng)

        def features(photos: np.ndarray) -> Tensor:
            return encoder(read_images([self.dev[i] for i in photos], encoder.size).to(device))

        return inputs, features

    def _optimize(self, phase: Phase) -> tuple[Any, Any]:
        """Return network and optimiser under Fabric, the optimiser where it was."""
        self.network.encoder.requires_grad_(phase.encoder_lr > 0)
        groups = [{"params": list(self.network.decoder.parameters()), "peak": phase.lr}]
        if phase.encoder_lr:
            encoder = list(self.network.encoder.parameters())
            groups.append({"params": encoder, "peak": phase.encoder_lr})
        optimizer = torch.optim.AdamW(groups, lr=phase.lr, weight_decay=self.recipe.weight_decay)
        _restore_optimizer(optimizer, self._optimizer_tensors)
        return self.fabric.setup(self.network, optimizer)

    def _epoch(
        self,
        phase: Phase,
        model: Any,
        optimizer: Any,
        inputs: Callable[[Batch, np.random.Generator], Tensor],
    ) -> None:
        """Go through every caption once, from the step where the run stands."""
        at = self.progress
        seed = [self.recipe.seed, at.phase]
        batches = self.captions.batches(phase, self.recipe.mirror, [*seed, at.epoch])
        title = f"{PHASES[at.phase]} {at.epoch + 1}/{phase.epochs}"
        done = sum(len(b.captions) for b in batches[: at.step])
        total = sum(len(b.captions) for b in batches)
        self.network.train()
        with tqdm(total=total, initial=done, desc=title, unit="captions", smoothing=0.1) as bar:
            for batch in batches[at.step :]:
                position = self.progress.epoch * len(batches) + self.progress.step
                rng = np.random.default_rng([*seed, 1 << 20, position])
                torch.manual_seed(int(rng.integers(1 << 62)))
                scale = _rate(position / (phase.epochs * len(batches)), phase)
                loss = self._step(phase, model, optimizer, batch, inputs(batch, rng), scale)
                bar.update(len(batch.captions))
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
                self._after_step(loss, scale, optimizer, bar)

    def _step(
        self,
        phase: Phase,
        model: Any,
        optimizer: Any,
        batch: Batch,
        inputs: Tensor,
        scale: float,
    ) -> float:
        """Take one step of gradient descent and return its loss."""
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * scale
        device = self.fabric.device
        logits, targets, coverage = model(
            inputs.to(device), batch.photo.to(device), batch.captions.to(device)
        )
        loss = F.cross_entropy(logits, targets, label_smoothing=self.recipe.label_smoothing)
        loss = loss + phase.doubly_stochastic * doubly_stochastic_penalty(coverage)
        optimizer.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(model, optimizer, max_norm=self.recipe.grad_norm)
        optimizer.step()
        return float(loss.detach())

    def _after_step(self, loss: float, scale: float, optimizer: Any, bar: Any) -> None:
        at = self.progress
        total = at.total_steps + 1
        self.progress = replace(at, step=at.step + 1, total_steps=total, loss=at.loss + loss)
        if total % LOG_STEPS == 0:
            rate = bar.format_dict["rate"] or 0.0
            self._log(
                loss=self.progress.loss / LOG_STEPS, rate=scale, captions_per_s=round(rate, 1)
            )
            self.progress = replace(self.progress, loss=0.0)
        if time.monotonic() - self._saved > 60 * self.recipe.checkpoint_minutes:
            self._save(LAST, optimizer)

    def _validate(self, features: Callable[[np.ndarray], Tensor], optimizer: Any) -> None:
        """End an epoch: score the dev split, keep the best, save."""
        decoder = self.network.decoder
        scores = validate(decoder, features, self.dev, self.vocabulary, self.recipe.validate_beam)
        at = self.progress
        better = scores["cider"] > at.best
        self._log(epoch=at.epoch + 1, **scores)
        self.say(
            f"{PHASES[at.phase]} epoch {at.epoch + 1}: dev BLEU-4 {100 * scores['bleu4']:.1f}, "
            f"CIDEr {scores['cider']:.3f}{', the best so far' if better else ''}"
        )
        self.progress = replace(
            at,
            epoch=at.epoch + 1,
            step=0,
            best=max(at.best, scores["cider"]),
            stale=0 if better else at.stale + 1,
        )
        if better:
            self._save(BEST)
        self._save(LAST, optimizer)
        plot_curves(self.run)

    def _save(self, name: str, optimizer: Any = None) -> None:
        state = optimizer.state_dict()["state"] if optimizer else {}
        tensors = {f"{i}.{k}": v for i, moments in state.items() for k, v in moments.items()}
        progress = asdict(self.progress)
        network = self.network.state_dict()
        self.run.mkdir(parents=True, exist_ok=True)
        Checkpoint(self.recipe, self.vocabulary, progress, network, tensors).save(self.run / name)
        self._saved = time.monotonic()

    def _log(self, **values: Any) -> None:
        at = self.progress
        record = {"phase": PHASES[at.phase], "step": at.total_steps, **values}
        self.run.mkdir(parents=True, exist_ok=True)
        with (self.run / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")


def _rate(done: float, phase: Phase) -> float:
    """Return the share of the learning rate at `done` (0..1) of a phase: a rise, then a cosine."""
    if done < phase.warmup:
        return done / phase.warmup
    cosine = (1 + math.cos(math.pi * (done - phase.warmup) / (1 - phase.warmup))) / 2
    return phase.floor + (1 - phase.floor) * cosine


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
