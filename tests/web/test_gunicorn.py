"""Serving with gunicorn, with the project's settings."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from tests.web.standins import CAPTIONS, ask, eventually

ROOT = Path(__file__).parents[2]

if os.name != "posix":
    pytest.skip("gunicorn needs POSIX", allow_module_level=True)
pytest.importorskip("gunicorn", reason="gunicorn is not installed")


@pytest.fixture
def gunicorn(stranger: dict[str, str]) -> Iterator[tuple[Popen, int]]:
    """The process, and its port."""
    command = [sys.executable, "-m", "gunicorn", "app:app", "--bind", "127.0.0.1:0"]
    with Popen(command, cwd=ROOT, env=stranger, stderr=PIPE, text=True) as process:
        try:
            lines = iter(process.stderr or ())
            found = (re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", line) for line in lines)
            yield process, int(next(filter(None, found))[1])
        finally:
            process.terminate()


def test_a_photograph_is_captioned_and_sigterm_ends_it(
    gunicorn: tuple[Popen, int], jpeg: bytes
) -> None:
    if not (ROOT / "showtell/models/flickr8k/manifest.json").is_file():
        pytest.skip("the model that ships is not there")
    process, port = gunicorn
    status, _, body = ask(port, "POST", CAPTIONS, jpeg)
    assert (status, json.loads(body)["model"]) == (200, "showtell-wider-pairs")
    assert len(json.loads(body)["words"]) > 2
    assert ask(port, "GET", "/healthz")[0] == 200
    process.terminate()
    rest = process.stderr.read() if process.stderr else ""
    assert process.wait(30) == 0
    assert "Worker exiting" in rest
    assert "WARNING" not in rest, "the worker did not end by itself"


def test_slow_clients_hold_no_threads_and_a_reload_drops_nothing(
    gunicorn: tuple[Popen, int], jpeg: bytes
) -> None:
    """With 200 slow clients, no other client was answered within 45 s."""
    process, port = gunicorn
    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        for _ in range(200):
            client = socket.create_connection(("127.0.0.1", port), 30)
            stack.enter_context(client).sendall(b"POST / HTTP/1.1\r\nX")
        assert ask(port, "POST", CAPTIONS, jpeg)[0] == 200
        answers = [pool.submit(ask, port, "POST", CAPTIONS, jpeg) for _ in range(8)]
        eventually(lambda: any(one.done() for one in answers) or _works(port))
        process.send_signal(signal.SIGHUP)
        assert {answer.result(60)[0] for answer in answers} == {200}


def _works(port: int) -> bool:
    return b"showtell_working 0.0" not in ask(port, "GET", "/metrics")[2]


def test_onnx_runtime_is_left_to_the_worker() -> None:
    """A worker crashed on exit if ONNX Runtime had been loaded before the fork."""
    code = "import runpy, sys; runpy.run_path('gunicorn.conf.py'); "
    code += "print('onnxruntime' in sys.modules)"
    told = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert told == "False\n"
