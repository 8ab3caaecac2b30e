"""Processes that caption, one a core, each with a model of its own."""

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

_captioner: Captioner  # of a worker


class Workers:
    """Captions photographs in other processes.

    Parameters
    ----------
    bundle : the model.
    n : how many processes.
    search : options of the captions.
    """

    def __init__(self, bundle: Bundle, n: int, search: Search) -> None:
        self.n = n
        self._bundle = bundle
        self._search = search
        self._pool = self._start(n)

    def submit(self, items: Sequence[Item]) -> "Future[list[Row]]":
        """Begin to caption photographs together."""
        with _deaf():
            try:
                return self._pool.submit(_caption, items, self._search)
            except BrokenProcessPool:
                self._pool = self._start(self.n)
                return self._pool.submit(_caption, items, self._search)

    def rows(self, items: Sequence[Item], begun: "Future[list[Row]]") -> list[Row]:
        """Wait for the rows of photographs that were begun.

        A process that a photograph ends takes the others with it; what they had begun is done
        again, and the one whose process ends even when it is alone has that in its row.
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
        """End the processes, when they have finished what they do now."""
        self._pool.shutdown(cancel_futures=True)

    def _start(self, n: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            n,
            multiprocessing.get_context("spawn"),  # threads of ONNX Runtime do not survive a fork
            _prepare,
            (self._bundle,),
        )


@contextmanager
def _deaf() -> Iterator[None]:
    """Let processes that begin here not hear Ctrl+C, from their first moment on."""
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
        with _deaf():
            alive = pool.submit(os.getpid)
        alive.result()
    except BrokenProcessPool as error:
        raise ShowtellError(
            "the worker processes cannot start; free some memory and try again"
        ) from error


def _prepare(bundle: Bundle) -> None:
    global _captioner
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and asks for no more
    warnings.filterwarnings("ignore", module="PIL")  # of odd metadata, as in the parent
    Thread(target=_follow_parent, daemon=True).start()
    _captioner = Captioner(bundle, threads=1)


def _follow_parent() -> None:
    """End with the parent, who may be killed: a pipe that we hold as well never ends by itself."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _caption(items: Sequence[Item], search: Search) -> list[Row]:
    return caption_rows(_captioner, items, search)
