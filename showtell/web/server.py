"""Serves with waitress: one process, one thread per request, no temporary files."""

import errno
import logging
import signal
import socket
import sys
from typing import Any

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from showtell.limits import MAX_BYTES
from showtell.web.batcher import THREADS
from showtell.web.connections import Listener, connection_limit

BODY = MAX_BYTES + 2**20  # maximum bytes of a request's body
HEADER = 32 * 2**10  # maximum bytes of its header
PIECE = 64 * 2**10  # bytes read from a connection at a time

# Errors for addresses that this machine lacks, such as ::1 for localhost if IPv6 is off.
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def serve(app: Flask, host: str = "localhost", port: int = 5000) -> None:
    """Serve `app` until Ctrl+C, SIGTERM or SIGHUP.

    The server answers all accepted requests before it ends. A second signal ends it at once.

    Parameters
    ----------
    app : from :func:`showtell.web.create_app`.
    host : host name or address to listen on. The server listens on all addresses of a name, and
        `app` answers to it.
    port : 1..65535.

    Raises
    ------
    SystemExit : the port is in use, `host` is not an address of this machine, or the system allows
        too few threads or open files.
    """
    try:
        server = make_server(app, host, port)
    except OSError as error:
        raise SystemExit(f"showtell: {_reason(error, host, port)}") from None
    except RuntimeError as error:  # a limit of the user or the container
        raise SystemExit(
            f"showtell: {THREADS} threads cannot be started ({error}): allow more memory or more "
            "processes"
        ) from None
    app.config["HOSTS"] += f",{host}"
    _stop_on_signals(server)
    name = f"[{host}]" if ":" in host else host
    print(f"showtell is running at http://{name}:{port} (press Ctrl+C to stop)", flush=True)
    server.run()


def _stop_on_signals(server: Listener) -> None:
    def stop(*_: Any) -> None:
        if server.stopping:
            sys.exit("showtell: stopped before all requests were answered")
        server.stop()

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        # nohup ignores SIGHUP, which must stay so.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def make_server(app: Flask, host: str, port: int) -> Listener:
    """Return a listening server; its method `run` answers requests.

    Raises
    ------
    OSError : the port is in use, or `host` is not an address of this machine.
    """
    return serve_at(listen(host, port), app)


def serve_at(sockets: list[socket.socket], app: Any) -> Listener:
    """Return a server on listening sockets: the listener of the first socket.

    Parameters
    ----------
    sockets : one or more listening sockets.
    app : a WSGI application.

    Raises
    ------
    OSError : too few open files are allowed.
    RuntimeError : too few threads are allowed.
    """
    # Slightly above its limit, the application itself refuses an upload, with a reason. Larger
    # uploads are not read at all. Up to the two overflows, waitress uses no temporary files.
    adjustments = Adjustments(
        sockets=sockets,
        connection_limit=connection_limit(sockets[-1]),
        channel_request_lookahead=1,  # required to notice clients that disconnect while waiting
        recv_bytes=PIECE,
        max_request_header_size=HEADER,
        max_request_body_size=BODY,
        inbuf_overflow=BODY,
        outbuf_overflow=BODY,
        log_socket_errors=False,  # clients may disconnect at any time
        ident=None,
    )
    # Otherwise waitress logs a line for each request that waits.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    threads = ThreadedTaskDispatcher()
    threads.set_thread_count(THREADS)
    shared: dict[int, Any] = {}
    listeners = [
        Listener(
            app,
            shared,
            _sock=sock,
            dispatcher=threads,
            adj=adjustments,
            sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
            bind_socket=False,
        )
        for sock in sockets
    ]
    return listeners[0]


def listen(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets for all addresses of `host` that this machine has.

    Browsers may try ::1 before 127.0.0.1 for localhost.

    Raises
    ------
    OSError : the port is in use on one of the addresses, or this machine has none of them.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    sockets: list[socket.socket] = []
    for family, address in dict.fromkeys((family, address) for family, *_, address in addresses):
        try:
            sockets.append(socket.create_server(address, family=family))
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
    if not sockets:
        raise OSError(errno.EADDRNOTAVAIL, "this machine has no such address")
    return sockets


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is used by another program (macOS uses port 5000 for AirPlay); "
            f"choose another with --port {port + 1}"
        )
    return f"cannot listen at {host}, port {port}: {error.strerror}"
