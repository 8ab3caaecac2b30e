"""Ray Serve in a subprocess, on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import showtell

pytest.importorskip("ray.serve", reason="the extra cluster brings Ray Serve", exc_type=ImportError)

SAMPLES = Path(showtell.__file__).parent / "web/static/samples"
PHOTOGRAPH = (SAMPLES / "astronaut.jpg").read_bytes()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log"
    environment = {**os.environ, "RAY_worker_niceness": "0"}
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, "-m", "showtell.cluster.serve", str(number)]
    with (
        log.open("wb") as told,
        subprocess.Popen(
            command, stdout=told, stderr=told, env=environment, preexec_fn=hear_ctrl_c
        ) as server,
    ):
        try:
            wait_for(number, server, log)
            yield number
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(60)
            finally:
                server.kill()


def hear_ctrl_c() -> None:
    """Restore Ctrl+C in a new process, as shells disable it for background processes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(port: int, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if ask(port, PHOTOGRAPH)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.3)
    raise AssertionError(log.read_text(errors="replace"))


def ask(port: int, body: bytes) -> tuple[int, dict[str, Any]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/", body)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text.startswith(b"{") else {}
    finally:
        connection.close()


def test_it_answers_with_the_row_of_a_folder(port: int) -> None:
    status, row = ask(port, PHOTOGRAPH)
    caption = showtell.load().caption(PHOTOGRAPH)
    assert status == 200
    assert (row["caption"], row["error"]) == (caption.text, None)
    assert row["confidence"] == pytest.approx(caption.confidence, abs=1e-3)


@pytest.mark.parametrize("body", [b"", b"no photograph", PHOTOGRAPH[:5000]])
def test_what_is_no_photograph_is_told(port: int, body: bytes) -> None:
    status, row = ask(port, body)
    assert status == 422
    assert row["error"]
    assert row["caption"] is None


def test_many_at_once_get_their_own_captions(port: int) -> None:
    pictures = [path.read_bytes() for path in sorted(SAMPLES.iterdir())]
    file = BytesIO()
    Image.new("RGB", (40, 30), "navy").save(file, "PNG")
    pictures.append(file.getvalue())
    alone = [ask(port, picture)[1]["caption"] for picture in pictures]
    with ThreadPoolExecutor(12) as clients:
        found = list(clients.map(lambda picture: ask(port, picture), pictures * 6))
    assert [status for status, _ in found] == [200] * len(found)
    assert [row["caption"] for _, row in found] == alone * 6
