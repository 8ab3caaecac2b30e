"""Adds limits on all connections together to waitress, and deadlines for each connection.

Waitress only limits each connection. This module limits the number of connections and the bytes
that they hold together. When a limit is reached, the connection that has been silent longest is
closed, unless one of its requests is in progress. A client that sends its request at once therefore
gets a response, however many other clients are idle, slow or large.
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
BUFFERED = 256 * 2**20  # bytes that all connections may hold together
LITTLE = 256 * 2**10  # bytes; connections that hold less are not closed to free memory
SPARE_FILES = 8  # file descriptors reserved for other uses
FEWEST = 4  # minimum number of connections to start a server with

IDLE = 15  # seconds without a byte after which a connection is closed
HEADER_SECONDS = 10  # from the first byte of a request to the end of its header
REQUEST_SECONDS = 120  # from the first byte to the end of the body: 32 MB at 2 Mbit/s
GRACE = 20  # seconds to finish accepted requests when the server stops
CHUNK_LINE = 1024  # maximum bytes of the line before a chunk
TRAILER = 8192  # maximum bytes after the last chunk

_NO_FILES = {errno.EMFILE, errno.ENFILE}


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request with a time of arrival, and limits on chunk lines and the trailer."""

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
        """Return whether the request has taken too long to arrive."""
        limit = REQUEST_SECONDS if self.headers_finished else HEADER_SECONDS
        return monotonic() - self.began > limit


def _is_endless(body: Any) -> bool:
    """Return whether the line of a chunk or the trailer is too long, and not complete yet.

    Waitress has no limit on them, and scans them from the start for each piece that arrives.
    """
    if not isinstance(body, ChunkedReceiver):
        return False
    return len(body.control_line) > CHUNK_LINE or len(body.trailer) > TRAILER


class Connection(HTTPChannel):  # type: ignore[misc]
    """A connection that can be closed at any time, even if its client does not read."""

    parser_class = Request

    @property
    def held(self) -> int:
        """Bytes of requests and responses in memory."""
        arriving = self.request
        requests = [*self.requests, arriving] if arriving else [*self.requests]
        return self.total_outbufs_len + sum(request.held for request in requests)

    @property
    def busy(self) -> bool:
        """Whether a request is in progress or a response is being sent."""
        return bool(self.requests or self.total_outbufs_len)

    def is_overdue(self, now: float) -> bool:
        """Return whether a deadline has passed; `now` is in seconds since 1970."""
        if self.requests:
            return False
        return now - self.last_activity > IDLE or bool(self.request and self.request.is_overdue())

    def readable(self) -> bool:
        """Return whether to wait for bytes.

        A connection that was closed in this round of the loop has no descriptor.
        """
        return self._fileno is not None and super().readable()

    def writable(self) -> bool:
        """Return whether to wait until the socket is writable; see :meth:`readable`."""
        return self._fileno is not None and bool(super().writable())


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """A listening socket. Listeners with the same map share the limits.

    Attributes
    ----------
    stopping : whether :meth:`stop` was called.
    """

    channel_class = Connection
    stopping = False

    def readable(self) -> bool:
        """Close connections to make room, and return whether a new one can be accepted.

        Called once per round of the loop.
        """
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
        """Return a new connection; None if there is no free file descriptor."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in _NO_FILES:
                raise
            self._close_silent(self._connections(), 1)
            return None

    def run(self, each_round: Any = lambda: None) -> None:
        """Serve until :meth:`stop` is called and all accepted requests are answered.

        Parameters
        ----------
        each_round : called at least once per second.
        """
        while self._map and not self.stopping:
            each_round()
            wasyncore.loop(1.0, True, self._map, count=1)
        if self.stopping:
            self._drain()
            self.task_dispatcher.shutdown(timeout=1)

    def stop(self) -> None:
        """Stop accepting connections. Signal handlers may call this."""
        self.stopping = True
        self.pull_trigger()

    def _drain(self) -> None:
        for listener in [one for one in self._map.values() if isinstance(one, Listener)]:
            wasyncore.dispatcher.close(listener)  # not its own close(): the trigger is still needed
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
        """Return the address; for a Unix socket, which gunicorn may use, "unix" and its path."""
        if self.family in (socket.AF_INET, socket.AF_INET6):
            return super().getsockname()
        return "unix", self.socket.getsockname()

    def set_socket_options(self, conn: socket.socket) -> None:
        """Set waitress' options for TCP; other sockets have none."""
        if self.family in (socket.AF_INET, socket.AF_INET6):
            super().set_socket_options(conn)

    def fix_addr(self, addr: Any) -> Any:
        """Return the client's address; clients of a Unix socket have none."""
        return addr or ("localhost", None)


def _by_silence(connections: list[Connection]) -> list[Connection]:
    """Return the connections without a request in progress, longest silent first."""
    waiting = [one for one in connections if not one.requests]
    return sorted(waiting, key=lambda one: one.last_activity)


def connection_limit(listening: socket.socket) -> int:
    """Return the number of connections for which there are file descriptors, up to ``CONNECTIONS``.

    Raises
    ------
    OSError : there are fewer than ``FEWEST``.
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
