"""Captions folders into a file of rows. Interrupted runs can continue and give the same file.

Photographs are read in a fixed order and captioned in chunks. The chunk boundaries depend only on
that order. The rows of a chunk are added to the journal together, after those of the chunk before.
A continued run therefore starts at the chunk where it was interrupted.
"""

import errno
import os
import signal
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event

from tqdm import tqdm

from showtell import image
from showtell.batch import output, sidecar
from showtell.batch.journal import Journal
from showtell.batch.rows import Row, digest, error_row
from showtell.batch.sources import Entry, readable, walk
from showtell.batch.workers import Item, Workers
from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.cores import cores
from showtell.errors import ImageError
from showtell.formats import LeftOut
from showtell.search import DEFAULTS, Search

# Maximum size of a chunk: photographs, and bytes of their files.
CHUNK = 32
CHUNK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Summary:
    """Summary of a run.

    Attributes
    ----------
    captioned, failed : numbers of rows with a caption and with an error.
    interrupted : whether the run was interrupted before it finished.
    left_out : a sentence about the files that are not photographs; None if there are none.
    """

    captioned: int
    failed: int
    interrupted: bool
    left_out: str | None = None


def caption_folder(
    paths: Sequence[str],
    out: Path,
    *,
    model: str | Path | None = None,
    search: Search = DEFAULTS,
    recursive: bool = True,
    resume: bool = False,
    sidecars: bool = False,
    workers: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Summary:
    """Caption photographs into a file of rows, with a progress bar on a terminal.

    Ctrl+C ends the run after the photographs in progress. The file then contains all rows so far,
    and a later call can continue from the journal in the same folder.

    Parameters
    ----------
    paths : files; if `recursive`, also folders, which are searched with their subfolders.
    out : the file to write; its name ends in .jsonl, .csv or .parquet.
    model : as for :func:`showtell.load`.
    search : options of the captions.
    resume : whether to continue an interrupted run, if there is one.
    sidecars : whether to also write each caption to an XMP sidecar.
    workers : number of processes; None is one per available core.
    say : called with one line for each photograph that has an error or a warning.

    Raises
    ------
    OutputError : `out` cannot be written, already exists, or belongs to another run.
    BundleError : the model cannot be loaded.
    OptionError : no caption can mention the words of `search`.
    """
    output.require_format(out)
    bundle = Bundle.load(model)
    if search.mention:  # fail before the journal is created
        Captioner(bundle, threads=1).require_possible(search)
    left_out = LeftOut()
    source = {"paths": list(paths), "recursive": recursive, "sidecars": sidecars}
    settings = {**source, "model": bundle.manifest["sha256"], **search.to_dict()}
    with (
        _interrupted() as interrupted,
        closing(Journal(out, settings, resume)) as journal,
        closing(Workers(bundle, workers or cores(), search)) as processes,
    ):
        run = _Run(journal, processes, bundle.manifest["name"], sidecars, say)
        entries = partial(walk, paths) if recursive else partial(map, Entry, paths)
        survey = walk(paths, left_out) if recursive else entries()
        _survey(out, journal, survey, say)
        finished = run.go(entries, interrupted)
        failed = _write(out, journal)
        captioned = len(journal) - failed
        if finished:
            journal.delete()
    return Summary(captioned, failed, not finished, left_out.sentence())


def _survey(
    out: Path, journal: Journal, photographs: Iterable[Entry], say: Callable[[str], None]
) -> None:
    """Drop the rows of photographs that have changed or are gone since an earlier run."""
    changed, gone = journal.keep((path for path, _ in photographs), _is_same)
    if changed or gone:
        say(
            f"{out}: of the finished photographs, {changed:,} changed and are captioned again, "
            f"{gone:,} no longer exist"
        )


def _is_same(path: str, seen: str | None, sha256: str | None) -> bool:
    """Return whether a file's status is still `seen`, or its content has this SHA-256."""
    if seen is not None and seen == _look(path):
        return True
    try:
        return sha256 is not None and sha256 == digest(image.read_file(path))
    except ImageError:
        return False


def _look(path: str) -> str | None:
    """Return a file's inode, size and times as text, to detect changes; None without a file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _write(out: Path, journal: Journal) -> int:
    """Write all rows, and return how many are errors."""
    failed = 0

    def counted() -> Iterator[Row]:
        nonlocal failed
        for row in journal:
            failed += row["error"] is not None
            yield row

    output.write(out, counted())
    return failed


@contextmanager
def _interrupted() -> Iterator[Event]:
    """Yield an event that the first Ctrl+C sets; the second one ends the process."""
    event = Event()

    def interrupt(number: int, frame: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass
class _Chunk:
    """Photographs that are captioned together.

    Attributes
    ----------
    paths : the files.
    seen : for each path, its status (see :func:`_look`) before it was read.
    errors : for each path that cannot be read, the reason.
    contents : for each other path, the SHA-256 of its content.
    items : the photographs to caption, without those whose content occurred before.
    """

    paths: list[str] = field(default_factory=list)
    seen: dict[str, str | None] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    contents: dict[str, str | None] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        size = sum(len(data) for _, data in self.items.values())
        return len(self.paths) >= CHUNK or size >= CHUNK_BYTES


@dataclass
class _Run:
    journal: Journal
    workers: Workers
    model: str
    sidecars: bool
    say: Callable[[str], None]
    begun: set[str] = field(default_factory=set)  # SHA-256 of contents in progress

    def go(self, photographs: Callable[[], Iterable[Entry]], interrupted: Event) -> bool:
        """Caption the photographs that have no row yet; return whether all are finished."""
        finished = True
        total = sum(1 for _ in photographs())
        waiting: deque[tuple[_Chunk, Future[list[Row]]]] = deque()
        with tqdm(total=total, initial=len(self.journal), unit="photo", disable=None) as bar:
            for chunk in self._chunks(photographs()):
                if interrupted.is_set():
                    finished = False
                    break
                waiting.append((chunk, self.workers.submit(list(chunk.items.values()))))
                if len(waiting) > 2 * self.workers.n:  # keeps workers busy, and bounds the memory
                    bar.update(self._finish(*waiting.popleft()))
            while waiting:
                bar.update(self._finish(*waiting.popleft()))
        return finished

    def _chunks(self, photographs: Iterable[Entry]) -> Iterator[_Chunk]:
        chunk = _Chunk()
        for entry in photographs:
            if self.journal.has(entry.path):
                continue
            self._read(chunk, entry)
            if chunk.is_full:
                yield chunk
                chunk = _Chunk()
        if chunk.paths:
            yield chunk

    def _read(self, chunk: _Chunk, entry: Entry) -> None:
        path, error = entry
        chunk.paths.append(path)
        chunk.seen[path] = _look(path)  # before reading, as the file may change meanwhile
        try:
            if error:
                raise ImageError(error)
            data = image.read_file(path)
        except ImageError as reason:
            chunk.errors[path] = str(reason)
            return
        content = chunk.contents[path] = digest(data)
        if content is None or not (content in self.begun or self.journal.same(content)):
            chunk.items[path] = readable(path), data
            if content:
                self.begun.add(content)

    def _finish(self, chunk: _Chunk, begun: "Future[list[Row]]") -> int:
        """Add the rows of a chunk to the journal, and return how many there are."""
        items = list(chunk.items.values())
        captioned = dict(zip(chunk.items, self.workers.rows(items, begun), strict=True))
        rows = [(path, self._row(path, chunk, captioned)) for path in chunk.paths]
        for path, row in rows:
            for message in filter(None, (row["error"], row["warning"])):
                self.say(f"{row['image']}: {message}")
            if self.sidecars and row["caption"]:
                self._write_sidecar(path, row)
        self.journal.add([(path, chunk.seen[path], row) for path, row in rows])
        self.begun.difference_update(filter(None, chunk.contents.values()))
        return len(rows)

    def _row(self, path: str, chunk: _Chunk, captioned: dict[str, Row]) -> Row:
        if path in chunk.errors:
            return error_row(readable(path), self.model, chunk.errors[path])
        if path in captioned:
            return captioned[path]
        content = chunk.contents[path]
        here = (row for row in captioned.values() if row["sha256"] == content)
        first = next(here, None) or self.journal.same(content or "")
        assert first is not None, "the rows of earlier chunks are in the journal"
        return {**first, "image": readable(path)}

    def _write_sidecar(self, path: str, row: Row) -> None:
        try:
            message = sidecar.write(path, row["caption"] or "")
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise output.unwritable(sidecar.path_for(path), error) from error
            message = f"the sidecar cannot be written: {os.strerror(error.errno).lower()}"
        if message:
            self.say(f"{row['image']}: {message}")
