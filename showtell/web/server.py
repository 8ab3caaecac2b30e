"""Serving with waitress: one process, a thread for each request in it, nothing on the disk."""

import errno
import signal
import socket
import sys
from typing import Any

from flask import Flask
from waitress.server import create_server

from showtell.limits import MAX_BYTES
from showtell.web.batcher import THREADS

BODY = MAX_BYTES + 2**20  # bytes of a request
CONNECTIONS = THREADS + 40  # each may hold a body in memory before its turn comes
IDLE = 15  # seconds without a byte after which a connection is closed

# Addresses that a name has but this machine has not: ::1 for localhost where IPv6 is off.
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def serve(app: Flask, host: str = "localhost", port: int = 5000) -> None:
    """Serve `app` until Ctrl+C or SIGTERM; leave with one sentence when `port` cannot be had.

    Requests that are being answered then have five seconds to finish.

    Parameters
    ----------
    app : from :func:`showtell.web.create_app`.
    host : name or address to listen at; a name's addresses are all listened at, and `app`
        answers to it.
    port : 1..65535.

    Raises
    ------
    SystemExit : another program holds the port, `host` is not this machine's, or there is no
        room for the threads.
    """
    try:
        server = make_server(app, host, port)
    except OSError as error:
        raise SystemExit(f"showtell: {_reason(error, host, port)}") from None
    except RuntimeError as error:  # a limit of this user's, or of the container
        raise SystemExit(
            f"showtell: {THREADS} threads cannot be started here ({error}): allow more memory, or "
            "more processes"
        ) from None
    app.config["HOSTS"] += f",{host}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # which `run` takes as it takes Ctrl+C
    name = f"[{host}]" if ":" in host else host
    print(f"showtell is at http://{name}:{port} (Ctrl+C stops it)", flush=True)
    server.run()


def make_server(app: Flask, host: str, port: int) -> Any:
    """Return a waitress server that listens already; its method `run` answers.

    Raises
    ------
    OSError : the port is taken, or `host` is not this machine's.
    """
    # Somewhat over the limit the application itself refuses an upload, with a reason; what is
    # larger is not read at all. Below the two overflows waitress makes no temporary file.
    return create_server(
        app,
        sockets=listen(host, port),
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE,
        channel_request_lookahead=1,  # or nobody notices that a client hangs up while it waits
        max_request_body_size=BODY,
        inbuf_overflow=BODY,
        outbuf_overflow=BODY,
        ident=None,
    )


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen at every address of `host` that this machine has: browsers try ::1 for localhost.

    Raises
    ------
    OSError : the port is taken at one of them, or there is none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    sockets: list[socket.socket] = []
    for family, address in dict.fromkeys((family, address) for family, *_, address in found):
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
            f"port {port} is taken by another program (macOS holds port 5000 for AirPlay); "
            f"take another with --port {port + 1}"
        )
    return f"cannot listen at {host}, port {port}: {error.strerror}"
