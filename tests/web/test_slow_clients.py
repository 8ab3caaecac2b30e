"""A normal client gets a response despite idle, slow and large ones; total buffers are limited."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from flask import Flask
from waitress import wasyncore

from showtell.web import connections, create_app
from showtell.web.connections import Listener
from showtell.web.server import make_server
from tests.web.servers import ROOT, SERVE, started
from tests.web.standins import CAPTIONS, FakeCaptioner, ask, eventually

if os.name != "posix":
    pytest.skip("limits and signals are POSIX's", allow_module_level=True)

PATIENCE = 10  # seconds; an idle machine needs a third of it
HEAD = f"POST {CAPTIONS} HTTP/1.1\r\nHost: localhost\r\n".encode()


@contextmanager
def listening(app: Flask) -> Iterator[Listener]:
    """Serve `app` in a thread, and yield the server."""
    server = make_server(app, "127.0.0.1", 0)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(server.run)
        try:
            yield server
        finally:
            server.stop()
            done.result(60)


@contextmanager
def connected(port: int, n: int) -> Iterator[list[socket.socket]]:
    """Open `n` connections."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 30)) for _ in range(n)
        ]


def assert_answered(port: int, photograph: bytes) -> None:
    began = time.monotonic()
    assert ask(port, "POST", CAPTIONS, photograph)[0] == 200
    assert time.monotonic() - began < PATIENCE


def send(client: socket.socket, data: bytes) -> None:
    """Send as much as the server accepts."""
    with suppress(OSError):
        client.sendall(data)


def is_closed(client: socket.socket) -> bool:
    """Return whether the server has closed a connection without a response."""
    client.settimeout(0.01)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


# Idle and slow clients


def test_beside_150_idle_connections(app: Flask, jpeg: bytes) -> None:
    """They blocked the server for half a minute."""
    with listening(app) as server, connected(server.effective_port, 150):
        assert_answered(server.effective_port, jpeg)


def test_beside_more_connections_than_there_may_be(
    app: Flask, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS", 20)
    with listening(app) as server, connected(server.effective_port, 60) as clients:
        assert_answered(server.effective_port, jpeg)
        assert len(server._connections()) <= 20
        eventually(lambda: sum(map(is_closed, clients)) >= 40)


@pytest.mark.parametrize(
    "begin", [HEAD, HEAD + b"Content-Length: 100000\r\n\r\n"], ids=["header", "body"]
)
def test_beside_200_that_drip(app: Flask, jpeg: bytes, begin: bytes) -> None:
    """They occupied all threads of gunicorn, and no other client was answered."""
    with listening(app) as server, connected(server.effective_port, 200) as clients:
        for client in clients:
            send(client, begin)
        for _ in range(3):
            for client in clients:
                send(client, b"X")
            assert_answered(server.effective_port, jpeg)


@pytest.mark.parametrize(
    ("limit", "begin", "drip"),
    [
        ("HEADER_SECONDS", HEAD, b"X"),
        ("REQUEST_SECONDS", HEAD + b"Content-Length: 100000\r\n\r\n", b"X"),
        ("REQUEST_SECONDS", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nX\r\n"),
        ("IDLE", b"", b""),
    ],
    ids=["header", "body", "chunks", "idle"],
)
def test_deadlines(
    app: Flask, monkeypatch: pytest.MonkeyPatch, limit: str, begin: bytes, drip: bytes
) -> None:
    """A client that sent a byte now and then was never disconnected."""
    monkeypatch.setattr(connections, limit, 1)
    with listening(app) as server, connected(server.effective_port, 1) as (client,):
        send(client, begin)

        def drips_until_closed() -> bool:
            send(client, drip)
            return is_closed(client)

        eventually(drips_until_closed)


def test_a_client_that_does_not_read_is_closed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a connection was never writable, and therefore never closed."""
    monkeypatch.setattr(connections, "IDLE", 1)
    answer = bytes(12 * 2**20)
    app.add_url_rule("/large", view_func=lambda: answer)
    with listening(app) as server, connected(server.effective_port, 1) as (client,):
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: sum(one.total_outbufs_len for one in server._connections()) > 0)
        eventually(lambda: server._connections() == [])


# Large requests


def test_unfinished_uploads_are_bounded_in_all(
    app: Flask, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """110 uploads of 32 MB took 3.7 GB."""
    monkeypatch.setattr(connections, "BUFFERED", 8 * 2**20)
    head, body = HEAD + b"Content-Length: 1048576\r\n\r\n", bytes(2**20 - 1)
    with listening(app) as server, connected(server.effective_port, 30) as clients:
        for client in clients:
            send(client, head + body)
        assert_answered(server.effective_port, jpeg)
        eventually(lambda: sum(one.held for one in server._connections()) <= 8 * 2**20)
        eventually(lambda: sum(map(is_closed, clients)) >= 22)
        assert_answered(server.effective_port, jpeg + bytes(2**20))


def test_small_uploads_are_not_closed_for_large_ones(
    app: Flask, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BUFFERED", 2**20)
    monkeypatch.setattr(connections, "LITTLE", len(jpeg))
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(jpeg)
    with listening(app) as server, connected(server.effective_port, 4) as (slow, *large):
        slow.sendall(head + jpeg[:-1])
        for client in large:
            send(client, HEAD + b"Content-Length: 2000000\r\n\r\n" + bytes(1_900_000))
        eventually(lambda: all(map(is_closed, large)))
        slow.settimeout(30)
        slow.sendall(jpeg[-1:])
        assert slow.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("begin", "more"),
    [(b"", b"1"), (b"1;a=", b"b"), (b"0\r\nA: ", b"b"), (b"0\r\n", b"A: b\r\n")],
    ids=["size", "extension", "trailer", "trailers"],
)
def test_endless_lines_of_chunks_are_refused(
    app: Flask, jpeg: bytes, begin: bytes, more: bytes
) -> None:
    """A line of 32 MB kept the reading thread busy for 94 s."""
    with listening(app) as server, connected(server.effective_port, 1) as (client,):
        send(client, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + begin + more * 2**17)
        assert_answered(server.effective_port, jpeg)
        with suppress(ConnectionResetError):  # some bytes were not read
            assert client.recv(100).startswith(b"HTTP/1.1 400")
        eventually(lambda: server._connections() == [])


def test_chunks_and_a_short_trailer_are_read(app: Flask, jpeg: bytes) -> None:
    chunks = b"%x;name=value\r\n%s\r\n0\r\nA: b\r\n\r\n" % (len(jpeg), jpeg)
    with listening(app) as server, connected(server.effective_port, 1) as (client,):
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        assert client.recv(100).startswith(b"HTTP/1.1 200")


# File descriptors and signals


def test_few_open_files(jpeg: bytes, tmp_path: Path) -> None:
    """With 32, the server used a whole core and wrote a log of 41 MB in 6 s."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE.format(host="127.0.0.1", port=port, seconds=0)]
    log = tmp_path / "log"
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))  # noqa: E731
    with (
        log.open("wb") as file,
        Popen(command, cwd=ROOT, stdout=PIPE, stderr=file, preexec_fn=few) as p,
    ):
        try:
            assert p.stdout
            assert p.stdout.readline()
            with connected(port, 60):
                assert_answered(port, jpeg)
                before = _processor_seconds(p.pid)
                time.sleep(1)
                assert _processor_seconds(p.pid) - before < 0.5
        finally:
            p.terminate()
    assert log.stat().st_size < 1000


def _processor_seconds(process: int) -> float:
    """Return the CPU time of a process in seconds; 0 if unknown."""
    with suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0


def test_too_few_open_files_are_one_sentence(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8, 8))
    with pytest.raises(OSError, match="too few open files are allowed"):
        make_server(app, "127.0.0.1", 0)


def test_no_descriptor_for_a_newcomer(
    app: Flask, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepting failed and was repeated at once, with a traceback in the log each time."""
    failures = iter([OSError(24, "Too many open files")] * 3)
    accept = wasyncore.dispatcher.accept

    def failing(self: Listener) -> object:
        for failure in failures:
            raise failure
        return accept(self)

    with listening(app) as server, connected(server.effective_port, 1) as (idle,):
        eventually(lambda: len(server._connections()) == 1)
        monkeypatch.setattr(wasyncore.dispatcher, "accept", failing)
        assert_answered(server.effective_port, jpeg)
        eventually(lambda: is_closed(idle))


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_accepted_requests_are_answered_at_the_end(jpeg: bytes, number: signal.Signals) -> None:
    """SIGHUP dropped 58 of 60 requests."""
    with started("127.0.0.1", seconds=0.1) as (process, port), ThreadPoolExecutor(30) as pool:
        answers = [pool.submit(ask, port, "POST", CAPTIONS, jpeg) for _ in range(30)]
        eventually(lambda: _accepted(port) >= 30 or all(one.done() for one in answers))
        process.send_signal(number)
        assert {answer.result(60)[0] for answer in answers} == {200}
        assert process.wait(60) == 0


def _accepted(port: int) -> float:
    """Return how many requests are answered, in progress or in the queue."""
    text = ask(port, "GET", "/metrics")[2].decode()
    names = ("showtell_queue_depth ", "showtell_working ", 'showtell_requests_total{endpoint="api')
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(names))


def test_large_answers_arrive_whole_at_the_end(app: Flask) -> None:
    """The part that did not fit into the system's buffers was lost."""
    answer = bytes(12 * 2**20)
    app.add_url_rule("/large", view_func=lambda: answer)
    with listening(app) as server, connected(server.effective_port, 1) as (client,):
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: sum(one.total_outbufs_len for one in server._connections()) > 0)
        server.stop()
        received = 0
        while piece := client.recv(2**20):
            received += len(piece)
    assert received > len(answer)


def test_nohup_is_respected() -> None:
    command = [sys.executable, "-c", SERVE.format(host="127.0.0.1", port=0, seconds=0)]
    ignoring = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    with Popen(command, cwd=ROOT, stdout=PIPE, preexec_fn=ignoring) as process:
        try:
            assert process.stdout
            assert process.stdout.readline()
            process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
        finally:
            process.terminate()


# The environment


@pytest.mark.parametrize("wrong", ["x", "0", "-1", "1e6", "[1]", "true"])
def test_a_limit_that_is_no_number_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server started, and answered all photographs with 500."""
    monkeypatch.setenv("SHOWTELL_MAX_CONTENT_LENGTH", wrong)
    with pytest.raises(SystemExit) as caught:
        create_app(FakeCaptioner())
    told = f"showtell: SHOWTELL_MAX_CONTENT_LENGTH is {wrong!r}; set it to a whole number"
    assert str(caught.value).startswith(told)


def test_a_wrong_limit_ends_the_server_with_one_sentence() -> None:
    env = {**os.environ, "SHOWTELL_MAX_CONTENT_LENGTH": "x"}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("showtell: SHOWTELL_MAX_CONTENT_LENGTH is 'x'")
    assert len(done.stderr.splitlines()) == 1


def test_names_that_look_like_numbers_are_names(
    app: Flask, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SHOWTELL_HOSTS=7 was read as JSON, and all requests were answered with 500."""
    monkeypatch.setenv("SHOWTELL_HOSTS", "7")
    named = create_app(app.extensions["captioner"])
    assert named.test_client().get("/").status_code == 200
    assert named.test_client().get("/", base_url="http://7/").status_code == 200
