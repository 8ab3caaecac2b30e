"""Dynamic batching: one bounded queue before the captioner, and a worker for each core.

Captions with the same options that wait together share a batch, as a decoding step costs little
more for many. Drawings pass through the same queue, each by itself. Heavy requests never occupy all
workers, so a small photograph does not wait for a large one.
"""

from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from threading import Lock, Thread
from time import monotonic
from typing import Any, TypeVar

from werkzeug.exceptions import ClientDisconnected

from showtell.caption import Caption
from showtell.captioner import Captioner
from showtell.cores import cores
from showtell.errors import ImageError
from showtell.search import DEFAULTS, Search
from showtell.web.admission import is_heavy
from showtell.web.problems import Problem

T = TypeVar("T")

WORKERS = max(2, cores())  # two at least: one of them is never busy with heavy requests
WAITING = 64  # requests
HEAVY_WAITING = 5  # of those; each may hold a file of SHOWTELL_MAX_BYTES
BATCH = 4  # photographs
PATIENCE = 60.0  # seconds in the queue; a queue full of animations takes less
POLL = 1.0  # seconds between two checks that the client is still connected
# A server's threads: one for each request that is worked on or waits, and a few for the page, the
# health check, the metrics, and for refusing others.
THREADS = WORKERS * BATCH + WAITING + 8


@dataclass(eq=False)
class Request:
    """An item of the queue: a photograph to caption, or a drawing.

    Attributes
    ----------
    gone : returns whether the client has disconnected.
    heavy : whether it keeps a worker busy for long.
    photograph, search : what to caption, and how.
    draw : computes a drawing; None for a caption.
    answer : the result, or the error.
    """

    gone: Callable[[], bool]
    heavy: bool
    photograph: bytes = b""
    search: Search = DEFAULTS
    draw: Callable[[], Any] | None = None
    answer: Future[Any] = field(default_factory=Future)

    def shares_batch(self, other: "Request") -> bool:
        """Return whether both can be captioned in one batch."""
        either_alone = any(one.heavy or one.draw is not None for one in (self, other))
        return not either_alone and self.search == other.search


class Batcher:
    """The queue and its workers; a worker thread lives for as long as there is work.

    Parameters
    ----------
    captioner : captions the batches.
    workers : requests or batches that are worked on at the same time.
    waiting : requests in the queue at most.
    patience : seconds that a request stays in the queue at most.

    Attributes
    ----------
    working : requests that are worked on now.
    """

    def __init__(
        self,
        captioner: Captioner,
        workers: int = WORKERS,
        waiting: int = WAITING,
        patience: float = PATIENCE,
    ) -> None:
        self.workers = workers
        self.waiting = waiting
        self.patience = patience
        self.working = 0
        self._captioner = captioner
        self._lock = Lock()
        self._queue: list[Request] = []  # first come, first served
        self._threads = 0
        self._heavy = 0  # requests that are worked on now

    @property
    def depth(self) -> int:
        """Requests in the queue now."""
        return len(self._queue)

    def caption(self, photograph: bytes, search: Search, gone: Callable[[], bool]) -> Caption:
        """Return the caption of a photograph, as soon as it is there.

        Parameters
        ----------
        photograph : bytes of the file.
        search : options of the caption; photographs with the same can share a batch.
        gone : returns whether the client has disconnected.

        Raises
        ------
        ImageError : the photograph cannot be used.
        Problem : 503, the queue is full, or no worker was free in time.
        ClientDisconnected : the client disconnected before the caption was there.
        """
        heavy = is_heavy(photograph, whole=search.region is not None)
        return self._await(Request(gone, heavy, photograph, search))

    def draw(self, draw: Callable[[], T], gone: Callable[[], bool], *, heavy: bool) -> T:
        """Return what `draw` returns, or raise what it raises; it runs in a worker.

        Parameters
        ----------
        draw : computes the drawing; it runs outside of Flask's contexts.
        gone : returns whether the client has disconnected.
        heavy : whether it keeps a worker busy for long.

        Raises
        ------
        Problem, ClientDisconnected : see :meth:`caption`.
        """
        return self._await(Request(gone, heavy, draw=draw))

    def _await(self, request: Request) -> Any:
        deadline = monotonic() + self.patience
        self._admit(request)
        while not wait([request.answer], min(POLL, self.patience)).done:
            if request.gone():
                self._withdraw(request)
                raise ClientDisconnected
            if monotonic() >= deadline and self._withdraw(request):
                raise _busy()
        return request.answer.result()

    def _admit(self, request: Request) -> None:
        """Append a request to the queue, and start a worker for it if there is none idle."""
        with self._lock:
            heavy = sum(one.heavy for one in self._queue)
            if self.depth >= self._room() or (request.heavy and heavy >= HEAVY_WAITING):
                raise _busy()
            if self._threads < self.workers:
                self._start_worker()
            self._queue.append(request)

    def _room(self) -> int:
        """Return how many may be in the queue: what a new worker takes at once does not wait."""
        return self.waiting + self.workers - self._threads

    def _start_worker(self) -> None:
        try:
            Thread(target=self._work, name="captioner", daemon=True).start()
        except RuntimeError:  # the system has no thread left
            if not self._threads:
                raise _busy() from None
        else:
            self._threads += 1

    def _withdraw(self, request: Request) -> bool:
        """Take a request out of the queue; return False if a worker has taken it already."""
        with self._lock:
            waited = request in self._queue
            if waited:
                self._queue.remove(request)
            return waited

    def _work(self) -> None:
        while batch := self._take():
            self._answer(batch)
            with self._lock:
                self.working -= len(batch)
                self._heavy -= batch[0].heavy

    def _take(self) -> list[Request]:
        """Take the next batch out of the queue; empty when there is none that may be begun."""
        with self._lock:
            # Whoever has disconnected is taken out by the thread that waits.
            ready = [one for one in self._queue if self._may_begin(one) and not one.gone()]
            if not ready:
                self._threads -= 1
                return []
            first, *others = ready
            others = [one for one in others if one.shares_batch(first)]
            part = len(others) // self.workers  # the other workers get theirs
            batch = [first, *others[: min(part, BATCH - 1)]]
            for one in batch:
                self._queue.remove(one)
            self.working += len(batch)
            self._heavy += first.heavy
            return batch

    def _may_begin(self, request: Request) -> bool:
        return not request.heavy or self._heavy < max(1, self.workers - 1)

    def _answer(self, batch: list[Request]) -> None:
        first = batch[0]
        try:
            if first.draw is not None:
                answers = [first.draw()]
            else:
                photographs = [one.photograph for one in batch]
                answers = self._captioner.caption_each(photographs, first.search)
        except BaseException as error:
            for one in batch:
                one.answer.set_exception(error)
            return
        for one, answer in zip(batch, answers, strict=True):
            if isinstance(answer, ImageError):
                one.answer.set_exception(answer)
            else:
                one.answer.set_result(answer)


def _busy() -> Problem:
    return Problem(503, "busy", "Too many requests are waiting. Try again later.", retry_after=1)
