"""Serving with waitress: one process, a thread for each request in it, nothing on the disk."""

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

BODY = MAX_BYTES + 2**20  # bytes of a request
HEADER = 32 * 2**10  # bytes
PIECE = 64 * 2**10  # bytes that are read from a connection at a time

# Addresses that a name has but this machine has not: ::1 for localhost where IPv6 is off.
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def serve(app: Flask, host: str = "localhost", port: int = 5000) -> None:
    """Serve `app` until Ctrl+C, SIGTERM or SIGHUP; exit with one sentence if `port` is taken.

    Requests that were accepted are answered first; a second signal ends the server at once.

    Parameters
    ----------
    app : from :func:`showtell.web.create_app`.
    host : name or address to listen at; a name's addresses are all listened at, and `app`
        answers to it.
    port : 1..65535.

    Raises
    ------
    SystemExit : another program holds the port, `host` is not this machine's, or the system allows
        too few threads or open files.
    """
    try:
        server = make_server(app, host, port)
    except OSError as error:
        raise SystemExit(f"showtell: {_reason(error, host, port)}") from None
    except RuntimeError as error:  # a limit of this user's, or of the container
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
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # by nohup
            signal.signal(number, stop)


def make_server(app: Flask, host: str, port: int) -> Listener:
    """Return a server that listens already; its method `run` answers.

    Raises
    ------
    OSError : the port is taken, or `host` is not this machine's.
    """
    return serve_at(listen(host, port), app)


def serve_at(sockets: list[socket.socket], app: Any) -> Listener:
    """Return a server at sockets that listen, the first of its listeners.

    Parameters
    ----------
    sockets : one or more.
    app : a WSGI application.

    Raises
    ------
    OSError : too few open files are allowed.
    RuntimeError : too few threads are allowed.
    """
    # Somewhat over the limit the application itself refuses an upload, with a reason; what is
    # larger is not read at all. Below the two overflows waitress makes no temporary file.
    adjustments = Adjustments(
        sockets=sockets,
        connection_limit=connection_limit(sockets[-1]),
        channel_request_lookahead=1,  # or nobody notices that a client hangs up while it waits
        recv_bytes=PIECE,
        max_request_header_size=HEADER,
        max_request_body_size=BODY,
        inbuf_overflow=BODY,
        outbuf_overflow=BODY,
        log_socket_errors=False,  # clients that hang up are no news
        ident=None,
    )
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each that waits
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
    """Listen at every address of `host` that this machine has: browsers try ::1 for localhost.

    Raises
    ------
    OSError : the port is taken at one of them, or there is none.
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
