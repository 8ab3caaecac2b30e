"""Waitress with bounds on all connections together, and deadlines for each.

Waitress bounds what one connection may send. Here, bounds on their number and on the bytes that
they hold together are added: when one is reached, the connection that has been silent longest, of
those that no request is worked on for, is closed. A client that sends its request at once is
therefore answered, however many others are idle, slow or large.
"""

import errno
import os
import socket
from time import monotonic, time
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.receiver import ChunkedReceiver
from waitress.server import TcpWSGIServer
from waitress.utilities import BadRequest

CONNECTIONS = 400
BUFFERED = 256 * 2**20  # bytes that all connections hold, besides those that hold little
LITTLE = 256 * 2**10  # bytes; whoever holds less is not closed for them
SPARE_FILES = 8  # descriptors for anything but connections
FEWEST = 4  # connections that a server is of use with

IDLE = 15  # seconds without a byte after which a connection is closed
HEADER_SECONDS = 10  # from the first byte of a request to the end of its header
REQUEST_SECONDS = 120  # to the end of its body: 32 MB at 2 Mbit/s
GRACE = 20  # seconds that accepted requests have when the server stops
CHUNK_LINE = 1024  # bytes of the line before a chunk
TRAILER = 8192  # bytes after the last chunk

_NO_FILES = {errno.EMFILE, errno.ENFILE}


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request with a time of arrival, and bounds on what stands between its chunks."""

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.began = monotonic()
        self.completed: bool = False

    def received(self, data: bytes) -> int:
        """Parse the next bytes, and return how many of them belong to this request."""
        consumed: int = super().received(data)
        if not self.completed and _is_endless(self.body_rcv):
            self.error = BadRequest("The line of a chunk, or the trailer, is too long")
            self.completed = True
        return consumed

    @property
    def held(self) -> int:
        """Bytes of the body that are in memory."""
        return 0 if self.body_rcv is None else len(self.body_rcv)

    def is_overdue(self) -> bool:
        """Return whether it should have arrived by now."""
        limit = REQUEST_SECONDS if self.headers_finished else HEADER_SECONDS
        return monotonic() - self.began > limit


def _is_endless(body: Any) -> bool:
    """Return whether the line of a chunk, or the trailer, is too long, and has no end yet.

    Waitress looks through both from their beginning for each piece that arrives.
    """
    if not isinstance(body, ChunkedReceiver):
        return False
    return len(body.control_line) > CHUNK_LINE or len(body.trailer) > TRAILER


class Connection(HTTPChannel):  # type: ignore[misc]
    """A connection that can be closed at any time, also when its client reads nothing."""

    parser_class = Request

    @property
    def held(self) -> int:
        """Bytes of requests and answers that are in memory."""
        arriving = self.request
        requests = [*self.requests, arriving] if arriving else [*self.requests]
        return self.total_outbufs_len + sum(request.held for request in requests)

    @property
    def busy(self) -> bool:
        """Whether a request is worked on, or an answer is under way."""
        return bool(self.requests or self.total_outbufs_len)

    def is_overdue(self, now: float) -> bool:
        """Return whether its client has had its time; `now` is in seconds since 1970."""
        if self.requests:
            return False
        return now - self.last_activity > IDLE or bool(self.request and self.request.is_overdue())

    def readable(self) -> bool:
        """Return whether to wait for bytes; one closed in this round has no descriptor."""
        return self._fileno is not None and super().readable()

    def writable(self) -> bool:
        """Return whether to wait for room to write, see :meth:`readable`."""
        return self._fileno is not None and bool(super().writable())


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """A listening socket; all that share a map share the bounds.

    Attributes
    ----------
    stopping : whether the server has been told to stop.
    """

    channel_class = Connection
    stopping = False

    def readable(self) -> bool:
        """Make room for a newcomer, and return whether there is any; called once a round."""
        now = time()
        for connection in self._connections():
            if connection.is_overdue(now):
                connection.handle_close()
        connections = self._connections()
        if len(connections) >= self.adj.connection_limit:
            self._close_silent(connections, 1)
        excess = sum(connection.held for connection in connections) - BUFFERED
        if excess > 0:
            self._free(connections, excess)
        return len(self._connections()) < self.adj.connection_limit

    def accept(self) -> Any:
        """Return a new connection, or None where the system has no descriptor for it."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in _NO_FILES:
                raise
            self._close_silent(self._connections(), 1)
            return None

    def run(self, each_round: Any = lambda: None) -> None:
        """Serve until :meth:`stop`, and then until what was accepted is answered.

        Parameters
        ----------
        each_round : called at least once a second.
        """
        while self._map and not self.stopping:
            each_round()
            wasyncore.loop(1.0, True, self._map, count=1)
        if self.stopping:
            self._drain()
            self.task_dispatcher.shutdown(timeout=1)

    def stop(self) -> None:
        """Accept nothing more; a signal handler may call this."""
        self.stopping = True
        self.pull_trigger()

    def _drain(self) -> None:
        for listener in [one for one in self._map.values() if isinstance(one, Listener)]:
            wasyncore.dispatcher.close(listener)  # its trigger is needed still
        end = monotonic() + GRACE
        while monotonic() < end:
            for connection in self._connections():
                if not connection.busy:
                    connection.handle_close()
            if not self._connections():
                return
            wasyncore.loop(0.1, True, self._map, count=1)

    def _connections(self) -> list[Connection]:
        return [one for one in self._map.values() if isinstance(one, Connection)]

    def _close_silent(self, connections: list[Connection], n: int) -> None:
        for connection in _by_silence(connections)[:n]:
            connection.handle_close()

    def _free(self, connections: list[Connection], excess: int) -> None:
        for connection in _by_silence(connections):
            if excess > 0 and connection.held > LITTLE:
                excess -= connection.held
                connection.handle_close()

    def getsockname(self) -> tuple[str, Any]:
        """Return the address; of a Unix socket, which gunicorn may listen at, its path."""
        if self.family in (socket.AF_INET, socket.AF_INET6):
            return super().getsockname()
        return "unix", self.socket.getsockname()

    def set_socket_options(self, conn: socket.socket) -> None:
        """Set what waitress sets for TCP."""
        if self.family in (socket.AF_INET, socket.AF_INET6):
            super().set_socket_options(conn)

    def fix_addr(self, addr: Any) -> Any:
        """Return the client's address; one at a Unix socket has none."""
        return addr or ("localhost", None)


def _by_silence(connections: list[Connection]) -> list[Connection]:
    """Return those that no request is worked on for, the longest silent first."""
    waiting = [one for one in connections if not one.requests]
    return sorted(waiting, key=lambda one: one.last_activity)


def connection_limit(listening: socket.socket) -> int:
    """Return how many connections the system has descriptors for, at most ``CONNECTIONS``.

    Raises
    ------
    OSError : too few.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return CONNECTIONS
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    next_free = os.dup(listening.fileno())
    os.close(next_free)
    limit = min(CONNECTIONS, allowed - next_free - SPARE_FILES)
    if limit < FEWEST:
        raise OSError(errno.EMFILE, "too few open files are allowed, see `ulimit -n`")
    return limit
