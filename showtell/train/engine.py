"""Training: a recipe's phases one after the other, validated by real decoding, resumable.

Every step draws its chance from (seed, phase, step) and nothing else, so that a run that was killed
and resumed goes through the same numbers as one that was not.
"""

import copy
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from showtell import memory
from showtell.atomic import appending, replacing
from showtell.bundle import Bundle
from showtell.data import Dataset
from showtell.errors import CheckpointError, ShowtellError
from showtell.train import checkpoint as checkpoints
from showtell.train.checkpoint import BEST, LAST, START, Checkpoint, Progress
from showtell.train.corpus import Corpus
from showtell.train.data import Batch, TrainingCaptions, augment
from showtell.train.encoder import Encoder
from showtell.train.evidence import EVIDENCE, teach
from showtell.train.features import Extract, Features, Joined, Pixels, extractor
from showtell.train.model import Inputs, Seen, ShowAttendTell
from showtell.train.objective import CrossEntropy, HardAttention, Objective
from showtell.train.optimizer import make_optimizer, rate_at, restore_optimizer
from showtell.train.plot import LOG, open_board, plot_curves, trim_log
from showtell.train.recipe import Phase, Recipe
from showtell.train.reinforce import SelfCritical
from showtell.train.start import bundle_of, network_of, tell_new
from showtell.train.validate import validate
from showtell.vocab import Vocabulary, tokenize

PHASES = ("frozen", "finetune", "selfcritical")
LOG_STEPS = 25
_PATIENCE = timedelta(days=1)  # of processes with the first, which caches features and validates
_JUDGES = {"cider": "CIDEr", "bleu4": "BLEU-4"}

Say = Callable[[str], None]


def train(
    recipe: Recipe, *, data: Dataset | None = None, resume: bool = False, say: Say = tqdm.write
) -> Path:
    """Train a model by a recipe.

    Parameters
    ----------
    recipe : what to do.
    data : what to train on; None reads it from the recipe's folder.
    resume : go on from the last checkpoint of ``recipe.run``.
    say : told what is going on, a line at a time.

    Returns
    -------
    The run's folder: ``best.json`` and ``last.json`` with their tensors, ``log.jsonl``,
    ``curves.png``.

    Raises
    ------
    BundleError : the bundle to start from cannot be read.
    CheckpointError : there is a run already, or none to resume, or it had another recipe, or the
        bundle to start from does not fit.
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
    # Bound, not handed on: Fabric looks into what it hands on, and refuses frozen classes.
    ended = fabric.launch(partial(_train, recipe=recipe, data=data, last=last, say=say))
    if isinstance(ended, ShowtellError):
        raise ended
    return Path(recipe.run)


def _train(
    fabric: Fabric, recipe: Recipe, data: Dataset | None, last: Checkpoint | None, say: Say
) -> ShowtellError | None:
    """Train, in each process; an error for the user is returned: raised, it would lose its type."""
    assert fabric.world_size == recipe.devices
    memory.keep()
    try:
        corpus = Corpus((data,), (1,), (True,)) if data else Corpus.load(recipe.data, recipe.more)
        Trainer(recipe, corpus, fabric, last, say if fabric.is_global_zero else _silent).finish()
    except ShowtellError as error:
        return error
    return None


def _silent(_: str) -> None:
    pass


def _reader(
    rows: Features | Pixels, device: torch.device, extract: Extract | None = None
) -> Callable[[np.ndarray], Tensor]:
    """Return what reads the features of photographs by index, or makes them of their pixels."""
    if extract is None:
        return lambda photos: rows.read(photos).to(device).float()
    return lambda photos: extract(rows.read(photos).to(device))


class Trainer:
    """One run: its data, its network, and where it stands.

    Parameters
    ----------
    recipe : what to do.
    corpus : what to train on and, unless nobody judges, what to judge by.
    fabric : devices and precision.
    last : the checkpoint to go on from.
    say : told what is going on.
    """

    # Of the phase that is running.
    phase: Phase
    objective: Objective
    model: Any  # the network under Fabric
    optimizer: Any
    average: AveragedModel | None  # of the weights, over the steps of the phase
    inputs: Callable[[Batch, np.random.Generator], Inputs]  # what the network is fed
    # From an encoder to its features of a dev split, by its name, of photographs by index.
    features: Callable[[Encoder], Mapping[str, Callable[[np.ndarray], Tensor]]]

    def __init__(
        self, recipe: Recipe, corpus: Corpus, fabric: Fabric, last: Checkpoint | None, say: Say
    ) -> None:
        self.recipe, self.fabric, self.say = recipe, fabric, say
        self.run = Path(recipe.run)
        self.corpus, self.photographs = corpus, corpus.photographs
        self.dev = corpus.judges(recipe.validate_photos) if recipe.judge else {}
        base = bundle_of(recipe.start) if recipe.start and last is None else None
        self.vocabulary, self.start = self._words(last, base)
        self.captions = TrainingCaptions.prepare(
            self.photographs, self.vocabulary, recipe.max_words, corpus.copies
        )
        judges = sum(map(len, self.dev.values()))
        say(f"{len(self.photographs):,} photographs to train on, {judges:,} to judge by")
        if base is not None:
            say(tell_new(self.photographs, base.vocabulary, self.vocabulary))
        torch.manual_seed(recipe.seed)
        share = recipe.encoder.pretrained
        fresh = last is None and (base is None or share > 0)
        encoder = Encoder(recipe.encoder, pretrained=fresh)
        self.network = ShowAttendTell(
            encoder, len(self.vocabulary), recipe.decoder, recipe.detector
        )
        if base is not None:
            checkpoints.load_tensors(self.network, network_of(base, self.network, share))
        self.network.to(fabric.device)
        self.evidence = self._evidence(fresh=last is None)
        self.progress = Progress()
        self._optimizer_tensors: dict[str, Tensor] = {}
        self._average_tensors: dict[str, Tensor] = {}
        if last is not None:
            self._restore(last)
        first = fabric.is_global_zero
        self._board = open_board(self.run, self.progress.total_steps) if first else None
        self._saved = time.monotonic()

    def _words(
        self, last: Checkpoint | None, base: Bundle | None
    ) -> tuple[Vocabulary, Mapping[str, Any] | None]:
        """Return the vocabulary, and how the bundle was trained that it comes from, if any."""
        if last is not None and last.recipe.start:
            return last.vocabulary, last.start
        captions = [tokenize(c) for p in self.photographs for c in p.captions]
        if base is not None:
            known, start = base.vocabulary, base.manifest["training"]
            return known.grow(captions, self.recipe.min_count), start
        return Vocabulary.build(captions, self.recipe.min_count), None

    def _restore(self, last: Checkpoint) -> None:
        if last.vocabulary != self.vocabulary:
            raise CheckpointError(
                f"{self.run}: the captions have changed since the run was started"
            )
        checkpoints.load_tensors(self.network, last.network)
        self.progress = Progress(**last.progress)
        self._optimizer_tensors = dict(last.optimizer)
        self._average_tensors = dict(last.average)
        if self.fabric.is_global_zero:
            trim_log(self.run, self.progress)

    def finish(self) -> None:
        """Train all phases from where the run stands."""
        for phase in range(self.progress.phase, len(PHASES)):
            self.run_phase(phase)
        judge, best = self.recipe.judge, self.progress.best
        told = f"best dev {_JUDGES[judge]} {best:.3f}" if judge and best >= 0 else "trained"
        self.say(f"{told}: {self.run / BEST}")

    def run_phase(self, index: int) -> None:
        """Train one phase to its end; it starts from the best network so far."""
        self.phase = getattr(self.recipe, PHASES[index])
        if self.progress.phase < index or self.progress == Progress():
            self._start_phase(index)
        if self.phase.epochs == 0:
            return
        self._connect()
        while self.progress.epoch < self.phase.epochs and not self._has_stalled():
            self._epoch()
            self._validate()

    def _has_stalled(self) -> bool:
        return self.progress.stale >= self.phase.patience

    def _start_phase(self, index: int) -> None:
        best = self.run / BEST
        if best.exists():
            checkpoints.load_tensors(self.network, checkpoints.read(best).network)
        if self.phase.mix < 1 and self.fabric.is_global_zero:
            self._save(START, self.network)
        self.network.decoder.sharpen(self.phase.temperature)
        self._optimizer_tensors, self._average_tensors = {}, {}
        self.progress = replace(self.progress, phase=index, epoch=0, step=0, stale=0, sums={})

    def _connect(self) -> None:
        """Set up what the phase trains on and with: features, or photographs if the CNN learns."""
        self.model, self.optimizer = self._optimize()
        self.average = self._start_average()
        self.objective = self._objective()
        with self.fabric.rank_zero_first():
            if self.phase.encoder_lr:
                self._connect_photographs()
            else:
                self._connect_features()

    def _connect_features(self) -> None:
        encoder, recipe, device = self.network.encoder, self.recipe, self.fabric.device
        cache = Path(recipe.cache)
        train = Joined(
            [Features(cache, encoder, p, recipe.mirror, self.say) for p in self.corpus.parts]
        )

        def inputs(batch: Batch, _: np.random.Generator) -> Seen:
            features = train.read(batch.photos, batch.mirrored).to(device).float()
            if self.evidence is None:
                return Seen(features)
            words = self.evidence[batch.photos].to(device).float()
            return Seen(features, words)

        self.inputs = inputs
        dev = {name: Features(cache, encoder, p, False, self.say) for name, p in self.dev.items()}
        self.features = lambda _: {name: _reader(rows, device) for name, rows in dev.items()}

    def _evidence(self, fresh: bool) -> Tensor | None:
        """Return the evidence for words (N, V) from which the decoder learns, if any.

        The detector learns when a run begins; a run that is resumed has its evidence on disk.
        """
        if self.recipe.detector is None:
            return None
        path = self.run / EVIDENCE
        with self.fabric.rank_zero_first():
            if fresh and self.fabric.is_global_zero:
                words = self.vocabulary.words
                evidence = teach(self.network, self.recipe, self.corpus, words, self.say)
                self.run.mkdir(parents=True, exist_ok=True)
                with replacing(path) as partial, partial.open("wb") as file:
                    np.save(file, evidence.half().numpy())
            return torch.from_numpy(np.load(path))

    def _connect_photographs(self) -> None:
        encoder, recipe, device = self.network.encoder, self.recipe, self.fabric.device
        cache = Path(recipe.cache)
        train = Joined([Pixels(cache, p, encoder.size, self.say) for p in self.corpus.parts])

        def inputs(batch: Batch, rng: np.random.Generator) -> Tensor:
            return augment(train.read(batch.photos).to(device), batch.mirrored, recipe.crop, rng)

        self.inputs = inputs
        dev = {name: Pixels(cache, p, encoder.size, self.say) for name, p in self.dev.items()}

        def features(encoder: Encoder) -> dict[str, Callable[[np.ndarray], Tensor]]:
            extract = extractor(encoder)
            return {name: _reader(rows, device, extract) for name, rows in dev.items()}

        self.features = features

    def _objective(self) -> Objective:
        shared = self.recipe, self.phase
        if PHASES[self.progress.phase] == "selfcritical":
            written = replace(self.captions, copies=self.corpus.copies_written)
            return SelfCritical(*shared, self.network, written, self.photographs, self.vocabulary)
        if self.recipe.hard:
            return HardAttention(*shared, self.captions, self.progress.baseline, self._mean)
        return CrossEntropy(*shared, self.captions)

    def _optimize(self) -> tuple[Any, Any]:
        """Return network and optimiser under Fabric, the optimiser where it was."""
        network, phase = self.network, self.phase
        network.encoder.requires_grad_(phase.encoder_lr > 0)
        groups = [{"params": list(network.decoder.parameters()), "peak": phase.lr}]
        if phase.encoder_lr:
            groups.append({"params": list(network.encoder.parameters()), "peak": phase.encoder_lr})
        optimizer = make_optimizer(groups, self.recipe)
        restore_optimizer(optimizer, self._optimizer_tensors)
        return self.fabric.setup(network, optimizer)

    def _start_average(self) -> AveragedModel | None:
        """Return the average of the weights where it was, or of the weights before any step."""
        if not self.phase.ema:
            return None
        decay = get_ema_multi_avg_fn(self.phase.ema)  # type: ignore[no-untyped-call]
        average = AveragedModel(self.network, multi_avg_fn=decay)
        average.update_parameters(self.network)
        if self._average_tensors:
            checkpoints.load_tensors(average.module, self._average_tensors)
        return average

    def _kept(self) -> ShowAttendTell:
        """Make the network that is validated and kept of the weights where they are."""
        average, phase = self.average, self.phase
        kept: Any = copy.deepcopy(average.module if average else self.network)
        kept.decoder.sharpen(1 / phase.temperature)
        if phase.mix < 1:
            start = checkpoints.read(self.run / START, self.fabric.device).network
            checkpoints.load_tensors(kept, checkpoints.mix(start, kept.state_dict(), phase.mix))
        return kept

    def _epoch(self) -> None:
        """Go through every caption once, from the step where the run stands."""
        at, seed = self.progress, [self.recipe.seed, self.progress.phase]
        batches = self.objective.batches([*seed, at.epoch])
        sizes = [len(batch.captions) for batch in batches]
        title = f"{PHASES[at.phase]} {at.epoch + 1}/{self.phase.epochs}"
        rank, processes = self.fabric.global_rank, self.fabric.world_size
        self.network.train(self.objective.dropout)
        with tqdm(
            total=sum(sizes),
            initial=sum(sizes[: at.step]),
            desc=title,
            unit="captions",
            disable=rank > 0,
        ) as bar:
            for step in range(at.step, len(batches)):
                position = at.epoch * len(batches) + step
                others = [rank] if rank else []  # draw for themselves
                rng = np.random.default_rng([*seed, 1 << 20, position, *others])
                torch.manual_seed(int(rng.integers(1 << 62)))
                rate = rate_at(position / (self.phase.epochs * len(batches)), self.phase)
                measured = self._step(batches[step].share(rank, processes), rng, rate)
                bar.set_postfix({k: f"{v:.3f}" for k, v in measured.items()}, refresh=False)
                bar.update(sizes[step])
                self._after_step(measured, rate, bar.format_dict["rate"] or 0.0)

    def _step(self, batch: Batch, rng: np.random.Generator, rate: float) -> dict[str, float]:
        """Take one step of gradient descent and return what was measured before it."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        measured = self.objective.measure(self.model, self.inputs(batch, rng), batch)
        self.optimizer.zero_grad()
        self.fabric.backward(measured["loss"])
        self.fabric.clip_gradients(self.model, self.optimizer, max_norm=self.recipe.grad_norm)
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.network)
        return {name: float(self._mean(value.detach())) for name, value in measured.items()}

    def _mean(self, number: Any) -> Any:
        """Return the mean of a number, a tensor, over the processes."""
        return self.fabric.all_reduce(number)

    def _after_step(self, measured: dict[str, float], rate: float, captions_per_s: float) -> None:
        at = self.progress
        total = at.total_steps + 1
        sums = {k: at.sums.get(k, 0.0) + v for k, v in {"steps": 1, **measured}.items()}
        self.progress = replace(
            at,
            step=at.step + 1,
            total_steps=total,
            sums=sums,
            baseline=measured.get("baseline", at.baseline),
        )
        if total % LOG_STEPS == 0:
            steps = sums.pop("steps")
            means = {name: value / steps for name, value in sums.items()}
            self._log(**means, rate=rate, captions_per_s=round(captions_per_s, 1))
            self.progress = replace(self.progress, sums={})
        overdue = time.monotonic() - self._saved > 60 * self.recipe.checkpoint_minutes
        if overdue and self.fabric.is_global_zero:
            self._save_last()

    def _validate(self) -> None:
        """End an epoch: score the dev split, keep the best, save; the other processes wait.

        Where nobody judges, every epoch is better than those before it.
        """
        kept = self._kept() if self.fabric.is_global_zero else None
        scores = self.fabric.broadcast(self._score(kept) if kept and self.dev else {})
        at, judge = self.progress, self.recipe.judge
        score = scores[judge] if judge else float(at.total_steps)
        better = score > at.best
        best = score if better else at.best
        stale = 0 if better else at.stale + 1
        self.progress = replace(at, epoch=at.epoch + 1, step=0, best=best, stale=stale)
        if kept:
            self._tell(scores, better)
            if better:
                self._save(BEST, kept)
            self._save_last()
            plot_curves(self.run)
        self.fabric.barrier()

    def _score(self, kept: ShowAttendTell) -> dict[str, float]:
        """Return the mean of the scores on the dev splits and, where there are several, of each."""
        features, beam = self.features(kept.encoder), self.recipe.validate_beam
        of_each = {
            name: validate(kept, features[name], photographs, self.vocabulary, beam)
            for name, photographs in self.dev.items()
        }
        means = {
            score: round(fmean(own[score] for own in of_each.values()), 4)
            for score in ("bleu4", "cider")
        }
        if len(of_each) == 1:
            return means
        return means | {f"{k} {name}": v for name, own in of_each.items() for k, v in own.items()}

    def _tell(self, scores: dict[str, float], better: bool) -> None:
        at = self.progress
        self._log(epoch=at.epoch, **scores)
        if scores:
            self.say(
                f"{PHASES[at.phase]} epoch {at.epoch}: dev BLEU-4 {100 * scores['bleu4']:.1f}, "
                f"CIDEr {scores['cider']:.3f}{', the best so far' if better else ''}"
            )

    def _save_last(self) -> None:
        state = self.optimizer.state_dict()["state"]
        optimizer = {f"{i}.{k}": v for i, own in state.items() for k, v in own.items()}
        average = self.average.module.state_dict() if self.average else {}
        self._save(LAST, self.network, optimizer=optimizer, average=average)
        self._saved = time.monotonic()

    def _save(self, name: str, network: ShowAttendTell, **others: dict[str, Tensor]) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        saved = Checkpoint(
            recipe=self.recipe,
            vocabulary=self.vocabulary,
            progress=asdict(self.progress),
            network=network.state_dict(),
            start=self.start,
            **{"optimizer": {}, **others},
        )
        saved.save(self.run / name)

    def _log(self, **values: Any) -> None:
        if not self.fabric.is_global_zero:
            return
        at = self.progress
        record = {"phase": PHASES[at.phase], "step": at.total_steps, **values}
        self.run.mkdir(parents=True, exist_ok=True)
        with appending(self.run / LOG) as log:
            log.write(f"{json.dumps(record)}\n".encode())
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, at.total_steps)
            self._board.flush()
