"""Dynamic batching: a bounded queue of requests, and one worker thread per core.

Queued captions with the same options share a batch, since a decoding step takes little longer for
several photographs. Drawings use the same queue, but are never batched. Heavy requests never occupy
all workers, so small photographs do not wait for large ones.
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

WORKERS = max(2, cores())  # at least two, so that one is always free of heavy requests
WAITING = 64  # maximum number of requests in the queue
HEAVY_WAITING = 5  # maximum number of heavy ones, each of which may hold SHOWTELL_MAX_BYTES
BATCH = 4  # maximum number of photographs per batch
PATIENCE = 60.0  # maximum seconds in the queue; a queue full of animations takes less
POLL = 1.0  # seconds between two checks that the client is still connected
# Threads of the server: one for each request in progress or in the queue, and a few for the page,
# the health check, the metrics, and for rejecting requests.
THREADS = WORKERS * BATCH + WAITING + 8


@dataclass(eq=False)
class Request:
    """An item of the queue: a photograph to caption, or a drawing.

    Attributes
    ----------
    gone : returns whether the client has disconnected.
    heavy : whether the request keeps a worker busy for long.
    photograph, search : the photograph to caption, and the options.
    draw : computes a drawing; None for a caption.
    answer : future of the result or the error.
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
    """The queue and its workers. A worker thread ends when there is no work left.

    Parameters
    ----------
    captioner : captions the batches.
    workers : maximum number of worker threads.
    waiting : maximum number of requests in the queue.
    patience : maximum seconds that a request stays in the queue.

    Attributes
    ----------
    working : number of requests in progress.
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
        self._heavy = 0  # heavy requests in progress

    @property
    def depth(self) -> int:
        """Number of requests in the queue."""
        return len(self._queue)

    def caption(self, photograph: bytes, search: Search, gone: Callable[[], bool]) -> Caption:
        """Caption a photograph; block until the caption is ready.

        Parameters
        ----------
        photograph : bytes of the file.
        search : options of the caption.
        gone : returns whether the client has disconnected.

        Raises
        ------
        ImageError : the photograph cannot be read.
        Problem : with status 503: the queue is full, or no worker was free in time.
        ClientDisconnected : the client disconnected before the caption was ready.
        """
        heavy = is_heavy(photograph, whole=search.region is not None)
        return self._await(Request(gone, heavy, photograph, search))

    def draw(self, draw: Callable[[], T], gone: Callable[[], bool], *, heavy: bool) -> T:
        """Call `draw` in a worker; return its result or raise its error.

        Parameters
        ----------
        draw : computes the drawing; called outside of Flask's contexts.
        gone : returns whether the client has disconnected.
        heavy : whether `draw` keeps a worker busy for long.

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
        """Append a request to the queue, and start a worker unless all of them are running."""
        with self._lock:
            heavy = sum(one.heavy for one in self._queue)
            if self.depth >= self._room() or (request.heavy and heavy >= HEAVY_WAITING):
                raise _busy()
            if self._threads < self.workers:
                self._start_worker()
            self._queue.append(request)

    def _room(self) -> int:
        """Return the maximum length of the queue, with room for each worker yet to start."""
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
        """Remove a request from the queue; return False if a worker has already taken it."""
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
        """Take the next batch from the queue; return an empty list if none may start."""
        with self._lock:
            # The waiting thread of a disconnected client removes its request.
            ready = [one for one in self._queue if self._may_begin(one) and not one.gone()]
            if not ready:
                self._threads -= 1
                return []
            first, *others = ready
            others = [one for one in others if one.shares_batch(first)]
            part = len(others) // self.workers  # leave the other workers their share
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
