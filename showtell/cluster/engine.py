"""Ray runs it: blocks go to actors, each of which has one Captioner on one core.

An actor reads its photographs and writes its rows itself, so that what goes through Ray is the
names of files and a count a block. One that dies is started anew and does its block again.
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

# A photograph that brings its actor down would do so for ever.
_RETRIES = 3


@dataclass(frozen=True)
class Job:
    """What the actors are told.

    Attributes
    ----------
    source : the file system of the photographs.
    output : where the rows go.
    model : as :func:`showtell.load` takes it.
    sha256 : of the files of the model: each machine has its own copy, and all have to be the same.
    search : options of the captions.
    """

    source: FileSystem
    output: Output
    model: str | None
    sha256: Mapping[str, str]
    search: Search


@dataclass
class Tally:
    """What a run did.

    Attributes
    ----------
    photographs : rows that were written.
    errors : those of them that tell why there is no caption.
    failures : why blocks could not be done.
    left_out : a sentence on the files that are no photographs, if there are some.
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
    """Caption all photographs of an input on every core of a cluster, and tell of the progress.

    The cluster is the one that ``RAY_ADDRESS`` names, or this machine.

    Parameters
    ----------
    uri, column, size : see :func:`showtell.cluster.source.cut`.
    out : folder, a path or URI that every machine can write to.
    model, search : see :class:`Job`.
    resume : whether to go on with a run; blocks that are there are not done again.

    Raises
    ------
    DataError : there is nothing to caption.
    BundleError : the model cannot be used.
    OptionError : no caption can mention what it must.
    OutputError : the folder holds something else, or blocks are missing in the end.
    """
    files, path = locate(uri)
    left_out = LeftOut()
    blocks = cut(files, path, column, size, left_out)
    output = Output(*locate(out))
    bundle = Bundle.load(model)
    if search.mention:  # before anything is written
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
    """Captions block after block, in a process of its own."""

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
        # Ray is going to name this argument in another way, in the version that the extra excludes.
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
    """Let Ray Data go on when a block cannot be done, and leave the talking to us."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # what is missing is told in the end


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
