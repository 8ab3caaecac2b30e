"""A training run: its data, its network, its progress and the files in its folder."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from showtell.atomic import appending, replacing
from showtell.bundle import Bundle
from showtell.errors import CheckpointError, RecipeError
from showtell.train import checkpoint as checkpoints
from showtell.train.checkpoint import BEST, LAST, START, Checkpoint, Progress
from showtell.train.corpus import Corpus
from showtell.train.data import TrainingCaptions, log_frequencies
from showtell.train.encoder import Encoder
from showtell.train.evidence import EVIDENCE, known, teach
from showtell.train.model import ShowAttendTell
from showtell.train.plot import LOG, open_board, trim_log
from showtell.train.recipe import Phase, Recipe
from showtell.train.start import bundle_of, has_detector, network_of, tell_new
from showtell.vocab import Vocabulary, tokenize

PHASES = ("frozen", "finetune", "selfcritical")
LOG_STEPS = 25

Say = Callable[[str], None]


class Run:
    """A training run, in one of its processes.

    Parameters
    ----------
    recipe : the settings of the run.
    corpus : data for training and, if the recipe has a judge, for validation.
    fabric : devices and precision.
    last : the checkpoint to resume from; None for a new run.
    say : called with each line of status text.

    Attributes
    ----------
    folder : folder of the run's files.
    photographs : the training photographs.
    dev : photographs for validation, by the name of their data set; empty without a judge.
    vocabulary, captions : the network's vocabulary, and the training captions as word ids.
    log_frequencies : (V,) from :func:`showtell.train.data.log_frequencies`.
    network : the network in training.
    evidence : (N, V) evidence for words of each training photograph; None without a word detector.
    progress : position of the run.

    Raises
    ------
    BundleError : the bundle to start from cannot be read.
    CheckpointError : the vocabulary of the checkpoint does not match the captions, or the bundle
        does not match the recipe.
    DataError : a required split is empty.
    """

    def __init__(
        self, recipe: Recipe, corpus: Corpus, fabric: Fabric, last: Checkpoint | None, say: Say
    ) -> None:
        self.recipe, self.fabric, self.say = recipe, fabric, say
        self.folder = Path(recipe.run)
        self.corpus, self.photographs = corpus, corpus.photographs
        self.dev = corpus.judges(recipe.validate_photos) if recipe.judge else {}
        base = bundle_of(recipe.start) if recipe.start and last is None else None
        self.vocabulary, self._start = self._words(last, base)
        self.captions = TrainingCaptions.prepare(
            self.photographs, self.vocabulary, recipe.max_words, corpus.copies
        )
        written = zip(self.photographs, corpus.copies_written, strict=True)
        self.log_frequencies = log_frequencies([p for p, n in written if n], self.vocabulary.words)
        judges = sum(map(len, self.dev.values()))
        say(f"{len(self.photographs):,} photographs for training, {judges:,} for validation")
        if base is not None:
            say(tell_new(self.photographs, base.vocabulary, self.vocabulary))
        self.network = self._build(last, base).to(fabric.device)
        self.evidence = self._evidence(last is None, base)
        self.progress = Progress()
        if last is not None:
            self._restore(last)
        first = fabric.is_global_zero
        self._board = open_board(self.folder, self.progress.total_steps) if first else None
        self._saved = time.monotonic()

    def _words(
        self, last: Checkpoint | None, base: Bundle | None
    ) -> tuple[Vocabulary, Mapping[str, Any] | None]:
        """Return the vocabulary, and the training entry of the bundle to start from, if any."""
        if last is not None and last.recipe.start:
            return last.vocabulary, last.start
        captions = [tokenize(c) for p in self.photographs for c in p.captions]
        if base is not None:
            known, start = base.vocabulary, base.manifest["training"]
            return known.grow(captions, self.recipe.min_count), start
        return Vocabulary.build(captions, self.recipe.min_count), None

    def _build(self, last: Checkpoint | None, base: Bundle | None) -> ShowAttendTell:
        """Return the network before the first step."""
        torch.manual_seed(self.recipe.seed)
        share = self.recipe.encoder.pretrained
        fresh = last is None and (base is None or share > 0)
        encoder = Encoder(self.recipe.encoder, pretrained=fresh)
        network = ShowAttendTell(
            encoder, len(self.vocabulary), self.recipe.decoder, self.recipe.detector
        )
        if base is not None:
            checkpoints.load_tensors(network, network_of(base, network, share))
        return network

    def _evidence(self, fresh: bool, base: Bundle | None) -> Tensor | None:
        """Return the word detector's evidence for the training photographs.

        A new run trains the detector, unless the recipe keeps the bundle's, and writes the evidence
        to disk. A resumed run reads it from there.
        """
        if self.recipe.detector is None:
            return None
        path = self.folder / EVIDENCE
        with self.fabric.rank_zero_first():
            if fresh and self.fabric.is_global_zero:
                shared = self.network, self.recipe, self.corpus
                if self.recipe.detector.folds:
                    evidence = teach(*shared, self.vocabulary.words, self.say)
                else:
                    _require_detector(self.recipe, base)
                    evidence = known(*shared, self.say)
                self.folder.mkdir(parents=True, exist_ok=True)
                with replacing(path) as partial, partial.open("wb") as file:
                    np.save(file, evidence.half().numpy())
            return torch.from_numpy(np.load(path))

    def _restore(self, last: Checkpoint) -> None:
        if last.vocabulary != self.vocabulary:
            raise CheckpointError(
                f"{self.folder}: the captions have changed since the run was started; "
                "start a new run with --set run=FOLDER"
            )
        checkpoints.load_tensors(self.network, last.network)
        self.progress = Progress(**last.progress)
        if self.fabric.is_global_zero:
            trim_log(self.folder, self.progress)

    @property
    def phase(self) -> str:
        """The name of the current phase."""
        return PHASES[self.progress.phase]

    @property
    def settings(self) -> Phase:
        """The recipe's settings of the current phase."""
        return getattr(self.recipe, self.phase)

    def start_phase(self, index: int) -> None:
        """Start a phase from the best network so far."""
        self.progress = replace(self.progress, phase=index, epoch=0, step=0, stale=0, sums={})
        best = self.folder / BEST
        if best.exists():
            checkpoints.load_tensors(self.network, checkpoints.read(best).network)
        if self.settings.mix < 1 and self.fabric.is_global_zero:
            self._save(START, self.network)
        self.network.decoder.sharpen(self.settings.temperature)

    def end_step(self, measured: Mapping[str, float], rate: float, captions_per_s: float) -> None:
        """Count a step, and log the mean measurements every ``LOG_STEPS`` steps."""
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
            self.log(**means, rate=rate, captions_per_s=round(captions_per_s, 1))
            self.progress = replace(self.progress, sums={})

    def end_epoch(self, score: float) -> bool:
        """Count an epoch, and return whether its score is the best so far."""
        at = self.progress
        better = score > at.best
        best = score if better else at.best
        stale = 0 if better else at.stale + 1
        self.progress = replace(at, epoch=at.epoch + 1, step=0, best=best, stale=stale)
        return better

    @property
    def is_overdue(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() - self._saved > 60 * self.recipe.checkpoint_minutes

    def save_last(self, optimizer: Mapping[str, Tensor], average: Mapping[str, Tensor]) -> None:
        """Write the checkpoint to resume from; see :class:`Checkpoint` for the tensors."""
        self._save(LAST, self.network, optimizer=optimizer, average=average)
        self._saved = time.monotonic()

    def save_best(self, network: ShowAttendTell) -> None:
        """Write the checkpoint to export."""
        self._save(BEST, network)

    def _save(self, name: str, network: ShowAttendTell, **others: Mapping[str, Tensor]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        saved = Checkpoint(
            recipe=self.recipe,
            vocabulary=self.vocabulary,
            progress=asdict(self.progress),
            network=network.state_dict(),
            start=self._start,
            **others,
        )
        saved.save(self.folder / name)

    def log(self, **values: Any) -> None:
        """Add a record to the log and to TensorBoard, in the first process only."""
        if not self.fabric.is_global_zero:
            return
        total = self.progress.total_steps
        record = {"phase": self.phase, "step": total, **values}
        self.folder.mkdir(parents=True, exist_ok=True)
        with appending(self.folder / LOG) as log:
            log.write(f"{json.dumps(record)}\n".encode())
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, total)
            self._board.flush()


def _require_detector(recipe: Recipe, base: Bundle | None) -> None:
    if base is None or not has_detector(base):
        raise RecipeError(
            f"detector.folds: 0 keeps the word detector of the bundle to start from, but "
            f"{recipe.start or 'start'} has none; set it to 2 or more to train one"
        )
