"""Captions blocks of photographs with Ray actors, each with one Captioner on one core.

Actors read the photographs and write the rows themselves, so only file names and counts go through
Ray. An actor that crashes is restarted and repeats its block.
"""

import hashlib
import logging
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import ray.data
from pyarrow.fs import FileSystem
from tqdm import tqdm

from showtell.batch.rows import Row, caption_rows
from showtell.bundle import Bundle
from showtell.captioner import Captioner, load
from showtell.cluster.connection import connect
from showtell.cluster.output import Output
from showtell.cluster.source import Block, cut, locate
from showtell.errors import BundleError, OutputError, ShowtellError
from showtell.formats import LeftOut
from showtell.search import DEFAULTS, Search

# Limited, since a photograph that crashes its actor may crash it every time.
_RETRIES = 3


@dataclass(frozen=True)
class Job:
    """The parameters of all actors.

    Attributes
    ----------
    source : the file system of the photographs.
    output : where to write the rows.
    model : as for :func:`showtell.load`.
    sha256 : SHA-256 of the model's files. Each machine has its own copy; all must be the same.
    search : options of the captions.
    """

    source: FileSystem
    output: Output
    model: str | None
    sha256: Mapping[str, str]
    search: Search


@dataclass
class Tally:
    """Summary of a run.

    Attributes
    ----------
    photographs : number of rows written.
    errors : number of these rows that have an error instead of a caption.
    failures : reasons why blocks could not be captioned.
    left_out : a sentence about the files that are not photographs; None if there are none.
    """

    photographs: int = 0
    errors: int = 0
    failures: set[str] = field(default_factory=set)
    left_out: str | None = None


def run(
    uri: str,
    out: str,
    *,
    column: str | None = None,
    model: str | None = None,
    search: Search = DEFAULTS,
    resume: bool = False,
    size: int | None = None,
) -> Tally:
    """Caption all photographs of an input on all cores of a cluster, with a progress bar.

    The cluster is the one of ``RAY_ADDRESS``, or this machine.

    Parameters
    ----------
    uri : path or URI of the input.
    column, size : see :func:`showtell.cluster.source.cut`.
    out : folder to write: a path or URI that every machine can write to.
    model, search : see :class:`Job`.
    resume : whether to continue a run; finished blocks are not captioned again.

    Raises
    ------
    DataError : there is nothing to caption.
    BundleError : the model cannot be loaded.
    OptionError : no caption can mention the words of `search`.
    OutputError : the folder contains other files or another run, or blocks are missing at the end.
    """
    files, path = locate(uri)
    left_out = LeftOut()
    blocks = cut(files, path, column, size, left_out)
    output = Output(*locate(out))
    bundle = Bundle.load(model)
    if search.mention:  # fail before anything is written
        Captioner(bundle, threads=1).require_possible(search)
    sha256 = bundle.manifest["sha256"]
    settings = {
        "input": path,
        "blocks": len(blocks),
        "names": _digest(blocks),
        "model": sha256,
        **search.to_dict(),
    }
    output.claim(settings, resume)
    finished = output.finished()
    todo = [(number, block) for number, block in enumerate(blocks) if number not in finished]
    tally = _work(Job(files, output, model, sha256, search), todo)
    _require_whole(output, len(blocks), tally.failures)
    tally.left_out = left_out.sentence()
    return tally


def caption_block(captioner: Captioner, job: Job, block: Block) -> list[Row]:
    """Return the rows of a block, in the order of its photographs."""
    batches = (caption_rows(captioner, b, job.search) for b in block.batches(job.source))
    return [row for rows in batches for row in rows]


class _Worker:
    """A Ray actor that captions blocks in its own process."""

    def __init__(self, job: Job) -> None:
        self._job = job

    @cached_property
    def _captioner(self) -> Captioner:
        captioner = load(self._job.model, threads=1)
        if captioner.bundle.manifest["sha256"] != self._job.sha256:
            raise BundleError(
                f"{captioner.bundle.path}: not the model that the run was started with; "
                "install the same model on every machine"
            )
        return captioner

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        number, block = task["item"]
        try:
            rows = caption_block(self._captioner, self._job, block)
            self._job.output.write(number, rows)
        except ShowtellError as error:
            return {"photographs": 0, "errors": 0, "failure": str(error)}
        errors = sum(row["error"] is not None for row in rows)
        return {"photographs": len(rows), "errors": errors, "failure": None}


def _work(job: Job, todo: Sequence[tuple[int, Block]]) -> Tally:
    tally = Tally()
    if not todo:
        return tally
    cores = connect()
    _be_quiet()
    blocks = ray.data.from_items(list(todo), override_num_blocks=len(todo))
    with warnings.catch_warnings():
        # The replacement exists only in versions of Ray that the extra excludes.
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        done = blocks.map(
            _Worker,
            fn_constructor_args=(job,),
            compute=ray.data.ActorPoolStrategy(size=min(cores, len(todo))),
            num_cpus=1,
            max_task_retries=_RETRIES,
        )
    with tqdm(unit=" photographs", smoothing=0) as progress:
        for block in done.iter_rows():
            tally.photographs += block["photographs"]
            tally.errors += block["errors"]
            tally.failures |= {block["failure"]} - {None}
            progress.update(block["photographs"])
    return tally


def _be_quiet() -> None:
    """Make Ray Data continue when a block fails, without its own progress bars and messages."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # no limit; missing blocks are reported at the end


def _digest(blocks: Sequence[Block]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(f"{block!r}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _require_whole(output: Output, blocks: int, failures: Collection[str]) -> None:
    if missing := sorted(set(range(blocks)) - output.finished()):
        first = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        why = min(failures, default="their workers crashed each time")
        raise OutputError(
            f"{output}: {len(missing)} of {blocks} blocks are missing ({first}): {why}; "
            "fix this, then continue with --resume"
        )
