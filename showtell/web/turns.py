"""Turns at the one Captioner: a few requests work at once, some wait, and others are sent away."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock
from time import monotonic

from werkzeug.exceptions import ClientDisconnected

from showtell.web.problems import Problem

AT_ONCE = os.cpu_count() or 1
WAITING = 64
PATIENCE = 60.0  # seconds; a whole queue of animations takes less
GLANCE = 1.0  # seconds between two looks whether the client is still there
TOGETHER = 4  # photographs that are captioned in one turn, if that many wait
# A server's threads: one for each request that works or waits, and a few for the page, the health
# check, the metrics, and for sending others away.
THREADS = AT_ONCE * TOGETHER + WAITING + 8


class Turns:
    """A bounded queue, first come, first served.

    Parameters
    ----------
    at_once : requests that work at the same time.
    waiting : requests that may wait for their turn.
    patience : seconds that a request waits at most, so that nothing waits for a turn that is lost.

    Attributes
    ----------
    working : requests that work now.
    """

    def __init__(
        self, at_once: int = AT_ONCE, waiting: int = WAITING, patience: float = PATIENCE
    ) -> None:
        self.at_once = at_once
        self.waiting = waiting
        self.patience = patience
        self.working = 0
        self._lock = Lock()
        self._queue: deque[Condition] = deque()

    @property
    def depth(self) -> int:
        """How many requests wait now."""
        return len(self._queue)

    @contextmanager
    def take(self, gone: Callable[[], bool]) -> Iterator[None]:
        """Wait for a turn, and hold it for the block.

        Parameters
        ----------
        gone : tells whether the client has hung up, for whom no work is done then.

        Raises
        ------
        Problem : 503, too many wait already, or the turn did not come in time.
        ClientDisconnected : the client hung up before its turn came.
        """
        self._wait(gone)
        try:
            yield
        finally:
            with self._lock:
                self.working -= 1
                self._call_next()

    def _wait(self, gone: Callable[[], bool]) -> None:
        place = Condition(self._lock)
        with self._lock:
            if self.working + self.depth >= self.at_once + self.waiting:
                raise _busy()
            self._queue.append(place)
            try:
                self._stand(place, gone)
                self.working += 1
            finally:
                self._queue.remove(place)
                self._call_next()

    def _stand(self, place: Condition, gone: Callable[[], bool]) -> None:
        """Return when `place` is the first and a turn is free."""
        deadline = monotonic() + self.patience
        while not gone():
            if self.working < self.at_once and self._queue[0] is place:
                return
            if monotonic() >= deadline:
                raise _busy()
            place.wait(GLANCE)
        raise ClientDisconnected

    def _call_next(self) -> None:
        # The first alone is woken, and hands the call on when it leaves.
        if self._queue and self.working < self.at_once:
            self._queue[0].notify()


def _busy() -> Problem:
    return Problem(503, "busy", "Too many are waiting: try again.", retry_after=1)
