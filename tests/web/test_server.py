"""Serving with waitress: which addresses answer, and what is said when none can."""

import signal
import socket
import sys
from http.client import HTTPConnection
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from flask import Flask

from showtell.web import serve
from showtell.web.server import listen

ROOT = Path(__file__).parents[2]
SERVE = """
from types import SimpleNamespace
from showtell.web import create_app, serve
serve(create_app(SimpleNamespace(name="fake")), port={port})
"""


def test_a_port_that_is_taken_ends_in_one_sentence(app: Flask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as caught:
            serve(app, "127.0.0.1", port)
    message = str(caught.value)
    assert message.startswith(f"showtell: port {port} is taken")
    assert f"showtell serve --port {port + 1}" in message
    assert "\n" not in message


def test_a_host_of_another_machine_ends_in_one_sentence(app: Flask) -> None:
    with pytest.raises(SystemExit, match=r"showtell: cannot listen at 192\.0\.2\.1, port 5000"):
        serve(app, "192.0.2.1", 5000)


def test_serving_at_localhost_answers_under_its_name_and_its_address() -> None:
    """Browsers may try ::1 first for localhost, where another program could answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = SERVE.format(port=port)
    with Popen([sys.executable, "-c", code], cwd=ROOT, stdout=PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line == f"showtell is at http://localhost:{port} (Ctrl+C stops it)\n"
            for host in ("localhost", "127.0.0.1"):
                connection = HTTPConnection(host, port, timeout=10)
                connection.request("GET", "/healthz")
                assert connection.getresponse().status == 200
                connection.close()
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def test_an_address_that_this_machine_lacks_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """In many containers localhost has ::1 in the hosts file, and no IPv6."""
    found = [(socket.AF_INET, 0, 0, "", (host, 0)) for host in ("192.0.2.1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    (bound,) = listen("localhost", 0)
    with bound:
        assert bound.getsockname()[0] == "127.0.0.1"
