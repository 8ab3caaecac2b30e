"""Worker processes that caption photographs, one per core, each with its own model."""

import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from threading import Thread

from showtell.batch.rows import Row, caption_rows, digest, error_row
from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.errors import ShowtellError
from showtell.search import Search

Item = tuple[str, bytes]

_ENDED = "its worker process crashed: the file is damaged, or needs too much memory"

_captioner: Captioner  # set in each worker process


class Workers:
    """Captions photographs in worker processes.

    Parameters
    ----------
    bundle : the model.
    n : number of processes.
    search : options of the captions.
    """

    def __init__(self, bundle: Bundle, n: int, search: Search) -> None:
        self.n = n
        self._bundle = bundle
        self._search = search
        self._pool = self._start(n)

    def submit(self, items: Sequence[Item]) -> "Future[list[Row]]":
        """Start to caption photographs as a batch."""
        with _ignoring_ctrl_c():
            try:
                return self._pool.submit(_caption, items, self._search)
            except BrokenProcessPool:
                self._pool = self._start(self.n)
                return self._pool.submit(_caption, items, self._search)

    def rows(self, items: Sequence[Item], begun: "Future[list[Row]]") -> list[Row]:
        """Wait for the rows of photographs that were submitted.

        A photograph that crashes its process breaks the whole pool. The photographs are then
        captioned again, at last one by one, and the one that crashes its process again gets a row
        with that error.
        """
        with suppress(BrokenProcessPool):
            return begun.result()
        with self._start(1) as pool:
            _require_alive(pool)
            with suppress(BrokenProcessPool):
                return pool.submit(_caption, items, self._search).result()
        return [self._alone(item) for item in items]

    def _alone(self, item: Item) -> Row:
        with self._start(1) as pool:
            _require_alive(pool)
            try:
                return pool.submit(_caption, [item], self._search).result()[0]
            except BrokenProcessPool:
                name, data = item
                return error_row(name, self._bundle.manifest["name"], _ENDED, digest(data))

    def close(self) -> None:
        """End the processes after their current batches."""
        self._pool.shutdown(cancel_futures=True)

    def _start(self, n: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            n,
            multiprocessing.get_context("spawn"),  # ONNX Runtime's threads do not survive a fork
            _prepare,
            (self._bundle,),
        )


@contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Make processes that are started in this block ignore Ctrl+C from the beginning."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _require_alive(pool: ProcessPoolExecutor) -> None:
    try:
        with _ignoring_ctrl_c():
            alive = pool.submit(os.getpid)
        alive.result()
    except BrokenProcessPool as error:
        raise ShowtellError(
            "the worker processes cannot start; free some memory and try again"
        ) from error


def _prepare(bundle: Bundle) -> None:
    global _captioner
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    warnings.filterwarnings("ignore", module="PIL")  # about unusual metadata, as in the parent
    Thread(target=_follow_parent, daemon=True).start()
    _captioner = Captioner(bundle, threads=1)


def _follow_parent() -> None:
    """End this process when the parent ends, even if it is killed.

    The pool's pipes do not show that: this process holds both of their ends.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _caption(items: Sequence[Item], search: Search) -> list[Row]:
    return caption_rows(_captioner, items, search)
