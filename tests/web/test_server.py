"""Serving with waitress: addresses, and errors at the start."""

import os
import re
import signal
import socket
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from flask import Flask
from PIL import Image

from showtell.web import serve
from showtell.web.server import listen
from tests.web.servers import ROOT, started
from tests.web.standins import CAPTIONS, ask, eventually, serving


def test_app_py_takes_another_port() -> None:
    """The advice of the error for a port in use must work without an installed command."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "app.py", "--host", "127.0.0.1", "--port", port]
    with Popen(command, cwd=ROOT, stdout=PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line.startswith(f"showtell is running at http://127.0.0.1:{port} ")
        finally:
            process.terminate()


def test_a_port_that_is_taken_ends_in_one_sentence(app: Flask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as caught:
            serve(app, "127.0.0.1", port)
    message = str(caught.value)
    assert message.startswith(f"showtell: port {port} is used")
    assert message.endswith(f"with --port {port + 1}")
    assert "\n" not in message


def test_a_host_of_another_machine_ends_in_one_sentence(app: Flask) -> None:
    with pytest.raises(SystemExit, match=r"showtell: cannot listen at 192\.0\.2\.1, port 5000"):
        serve(app, "192.0.2.1", 5000)


def test_serving_at_localhost_answers_under_its_name_and_its_address() -> None:
    """Browsers may try ::1 first for localhost, and another program could listen there."""
    with started() as (process, port):
        for host in ("localhost", "127.0.0.1"):
            connection = HTTPConnection(host, port, timeout=30)
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
            connection.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_the_name_that_is_listened_at_is_answered_to() -> None:
    name = socket.gethostname().lower()
    try:
        for bound in listen(name, 0):
            bound.close()
    except OSError:
        pytest.skip("this machine's name is not an address of it")
    with started(name) as (_, port):
        connection = HTTPConnection(name, port, timeout=30)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM is POSIX's")
def test_sigterm_lets_a_request_finish(jpeg: bytes) -> None:
    with started(seconds=1) as (process, port), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, port, "POST", CAPTIONS, jpeg)
        eventually(lambda: b"showtell_working 1.0" in ask(port, "GET", "/metrics")[2])
        process.terminate()
        assert answer.result(30)[0] == 200
        assert process.wait(30) == 0


def test_answers_stay_in_memory(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Waitress wrote responses over 1 MB to the disk, and animations are larger."""
    animation = bytes(5 * 2**20)
    app.add_url_rule("/animation", view_func=lambda: animation)
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with serving(app) as port:
        assert ask(port, "GET", "/animation")[2] == animation
    assert caplog.records == []


def test_an_address_that_this_machine_lacks_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """In many containers, the hosts file has ::1 for localhost, but there is no IPv6."""
    found = [(socket.AF_INET, 0, 0, "", (host, 0)) for host in ("192.0.2.1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    (bound,) = listen("localhost", 0)
    with bound:
        assert bound.getsockname()[0] == "127.0.0.1"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux' /proc")
def test_large_photographs_do_not_stay_in_memory() -> None:
    """After a photograph of 56 megapixels, each thread kept a gigabyte."""
    file = BytesIO()
    Image.new("RGB", (8000, 7000), "teal").save(file, "PNG")
    with started("127.0.0.1") as (process, port):
        for _ in range(6):
            status, _, _ = ask(port, "POST", CAPTIONS, file.getvalue())
            assert status == 200
        told = Path(f"/proc/{process.pid}/status").read_text()
        kilobytes = re.search(r"VmRSS:\s+(\d+) kB", told)
        assert kilobytes
        assert int(kilobytes[1]) < 400_000
