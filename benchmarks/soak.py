"""What many clients, good and bad, do to the server.

    python benchmarks/soak.py --seconds 300 --clients 100

Starts `showtell serve` with the model that ships and sends it photographs and all kinds of other
data: damaged and hostile files, wrong requests, uploads that stop in the middle. No answer may have
status 500, the process must live and not grow, and a stop must let accepted requests finish. Prints
the answers, the waits, and the server's memory; the exit status is 1 if any of that was not so.
"""

import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from io import BytesIO
from pathlib import Path
from threading import Event

import click
import numpy as np
from measured import Tables, json_option, show
from PIL import Image

CAPTIONS = "/api/v1/captions"
GROWTH = 100  # maximum growth of the server's memory in MB after the first tenth of the time
CUT = "cut"


@dataclass
class Report:
    """The results.

    Attributes
    ----------
    answers : number of responses by status; 0 if the connection was closed.
    waits : seconds until each caption.
    memory : memory of the server in MB, once per second.
    status : exit status of the server.
    unanswered : number of accepted requests that the server did not answer when it was stopped.
    """

    answers: Counter = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    status: int = -1
    unanswered: int = 0

    def faults(self) -> list[str]:
        """Return one line per requirement that is not met."""
        early = max(self.memory[: max(1, len(self.memory) // 10)], default=0)
        late = self.memory[-1] if self.memory else 0
        wrong = {
            f"{self.answers[500]} answers were 500": self.answers[500],
            f"{self.answers[0]} connections broke": self.answers[0],
            "no caption came": not self.waits,
            f"memory grew from {early:.0f} to {late:.0f} MB": late > early + GROWTH,
            f"the server ended with status {self.status}": self.status != 0,
            f"{self.unanswered} accepted requests were not answered": self.unanswered,
        }
        return [told for told, is_so in wrong.items() if is_so]

    def tables(self) -> Tables:
        """Return the answers, and the waits and the memory."""
        waits = sorted(1000 * wait for wait in self.waits) or [0.0]
        median, late, last = (waits[int(part * (len(waits) - 1))] for part in (0.5, 0.95, 1))
        answers = [
            {"status": str(status or "broken"), "answers": n}
            for status, n in sorted(self.answers.items())
        ]
        row = {"median wait, ms": median, "95th percentile, ms": late, "slowest, ms": last}
        if self.memory:
            row |= {"memory at first, MB": self.memory[0], "at most, MB": max(self.memory)}
        return {"answers": answers, "soak": [row]}


def uploads() -> list[tuple[str, bytes]]:
    """Return queries and bodies, half of them valid."""
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize((640, 480))
    good = []
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        file = BytesIO()
        picture.save(file, form)
        good.append(file.getvalue())
    bad = [
        ("", b""),
        ("", b"no photograph"),
        ("", good[0][: len(good[0]) // 2]),
        ("", good[1][:200] + bytes(100) + good[1][300:]),
        ("", b"P6 100000 100000 255\n"),
        ("", b"\xff\xd8" + b"\xff" * 1_000_000),
        ("?beam=0", good[0]),
        ("?unknown=1", good[0]),
        (CUT, good[0]),
    ]
    return [("?attention=false", file) for file in good] + bad


def soak(clients: int, seconds: float, seed: int = 0) -> Report:
    """Start the server, send requests, stop it, and return the results."""
    report, stop, kinds = Report(), Event(), uploads()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ["-m", "showtell", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (
        subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE) as server,
        ThreadPoolExecutor(clients) as pool,
    ):
        assert server.stdout
        server.stdout.readline()
        for client in range(clients):
            pool.submit(_send, port, random.Random(f"{seed} {client}"), kinds, report, stop)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            report.memory += _memory(server.pid)
            time.sleep(min(1, seconds / 10))
        stop.set()
        pool.shutdown()
        report.unanswered = _stop_gracefully(server, port, kinds[0][1])
        report.status = server.wait(60)
    return report


def _send(
    port: int, rng: random.Random, kinds: list[tuple[str, bytes]], report: Report, stop: Event
) -> None:
    while not stop.is_set():
        query, body = rng.choice(kinds)
        if query == CUT:
            _send_half(port, body)
            continue
        start = time.perf_counter()
        status = _ask(port, query, body)
        report.answers[status] += 1
        if status == 200:
            report.waits.append(time.perf_counter() - start)
        if status == 503:
            time.sleep(rng.uniform(0.5, 1.5))  # about Retry-After


def _ask(port: int, query: str, body: bytes) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", CAPTIONS + query, body)
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def _send_half(port: int, body: bytes) -> None:
    head = f"POST {CAPTIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])


def _stop_gracefully(server: subprocess.Popen, port: int, body: bytes) -> int:
    """Send two photographs, stop the server meanwhile, and return how many got no response."""
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(_ask, port, "?beam=20", body) for _ in range(2)]
        while _working(port) == 0 and not all(one.done() for one in asked):
            time.sleep(0.001)
        server.send_signal(signal.SIGTERM)
        return sum(one.result() != 200 for one in asked)


def _working(port: int) -> int:
    """Return how many requests are in progress or in the queue."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = re.findall(r"^showtell_(?:working|queue_depth) (\d+)", text, re.MULTILINE)
    return int(sum(map(int, found)) >= 2)


def _memory(process: int) -> list[float]:
    """Return the memory of a process in MB, if the system reports it."""
    with suppress(OSError):
        told = Path(f"/proc/{process}/status").read_text()
        return [int(kilobytes) / 1024 for kilobytes in re.findall(r"VmRSS:\s+(\d+) kB", told)]
    return []


@click.command()
@click.option("--seconds", default=300.0, show_default=True)
@click.option("--clients", default=100, show_default=True)
@json_option
def main(seconds: float, clients: int, out: Path | None) -> None:
    """Soak, and print what was seen."""
    report = soak(clients, seconds)
    show(report.tables(), out)
    if report.faults():
        raise SystemExit("\n".join(report.faults()))


if __name__ == "__main__":
    main()
