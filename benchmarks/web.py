"""The wait of a visitor of the page, and the load that servers bear.

    python benchmarks/web.py                    # all servers
    python benchmarks/web.py --server gunicorn  # one of showtell, gunicorn, ray

Starts each server with the model that ships and lets a growing number of clients send photographs,
each the next one as soon as it has its caption. On `showtell serve`, photographs are dropped on the
page in Chromium first. Needs the dev extra; without Chromium the page is left out.
"""

import base64
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from io import BytesIO
from pathlib import Path

import click
from measured import Row, Tables, json_option, show
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from skimage import data

SIZES = (500, 375), (4000, 3000)
CLIENTS = 1, 8, 64, 256
SECONDS = 10  # duration of the test for each number of clients
DROPS = 15

SERVERS = {
    "showtell": ["-m", "showtell", "serve", "--host", "127.0.0.1", "--port", "{port}"],
    "gunicorn": ["-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "{cores}", "app:app"],
    "ray": ["-m", "showtell.cluster.serve", "{port}"],
}

# Milliseconds from the drop to the frame in which the caption is on the page.
DROP = """async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "photo.jpg"));
    const caption = document.getElementById("caption");
    const start = performance.now();
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer }));
    return new Promise((stands) => {
        const look = () => {
            const told = document.body.dataset.state === "told" && caption.textContent;
            if (told) stands(performance.now() - start);
            else requestAnimationFrame(look);
        };
        setTimeout(() => requestAnimationFrame(look)); // when the last one's caption is gone
    });
}"""


def jpeg(width: int, height: int) -> bytes:
    file = BytesIO()
    Image.fromarray(data.astronaut()).resize((width, height)).save(file, "JPEG", quality=90)
    return file.getvalue()


@contextmanager
def serving(name: str) -> Iterator[int]:
    """Start a server on a free port, in a separate process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [word.format(port=port, cores=os.cpu_count()) for word in SERVERS[name]]
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL) as server:
        try:
            while ask(port, jpeg(*SIZES[0]))[0] != 200:
                if server.poll() is not None:
                    raise SystemExit(f"the server {name} ended with status {server.returncode}")
                time.sleep(0.1)
            yield port
        finally:
            server.terminate()


def drop(page: Page, photograph: bytes) -> list[float]:
    """Drop photographs on the page, and return the waiting times for the captions."""
    text = base64.b64encode(photograph).decode()
    return [page.evaluate(DROP, text) for _ in range(DROPS)]


def ask(port: int, photograph: bytes) -> tuple[int, float]:
    """Request a caption; return its status (0 without a response) and the seconds it took."""
    start = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/api/v1/captions", photograph)
        response = connection.getresponse()
        response.read()
        return response.status, time.perf_counter() - start
    except (OSError, HTTPException):
        return 0, time.perf_counter() - start
    finally:
        connection.close()


def load(port: int, clients: int, seconds: float = SECONDS) -> list[tuple[int, float]]:
    """Let clients send one photograph after another; a rejected client tries again later."""
    photograph, end = jpeg(*SIZES[0]), time.monotonic() + seconds

    def client(_: int) -> list[tuple[int, float]]:
        answers = []
        while time.monotonic() < end:
            answers.append(ask(port, photograph))
            if answers[-1][0] != 200:
                time.sleep(1)  # Retry-After
        return answers

    with ThreadPoolExecutor(clients) as pool:
        return [answer for answers in pool.map(client, range(clients)) for answer in answers]


def chromium() -> str | None:
    """Return the path of Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def wait(page: Page, width: int, height: int) -> Row:
    """Return how long captions of photographs take that are dropped on an open page."""
    taken = drop(page, jpeg(width, height))
    return {
        "pixels": f"{width} x {height}",
        "first, ms": taken[0],
        "median, ms": statistics.median(taken),
        "slowest, ms": max(taken),
    }


def measure_page(port: int) -> list[Row]:
    """Return how long a visitor of the page waits for a caption."""
    with sync_playwright() as drivers:
        browser = drivers.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        rows = []
        for size in SIZES:
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            rows.append(wait(page, *size))
            page.close()
        browser.close()
    return rows


def measure_load(name: str, port: int) -> list[Row]:
    """Return what a growing number of clients get from a server."""
    rows = []
    for clients in CLIENTS:
        start = time.perf_counter()
        answers = load(port, clients)
        seconds = time.perf_counter() - start
        counts = Counter(status for status, _ in answers)
        taken = sorted(1000 * wait for status, wait in answers if status == 200) or [0.0]
        row: Row = {
            "server": name,
            "clients": clients,
            "captions a second": counts[200] / seconds,
            "sent away": counts[503],
            "broken": len(answers) - counts[200] - counts[503],
            "median, ms": statistics.median(taken),
            "95th percentile, ms": taken[int(0.95 * (len(taken) - 1))],
        }
        rows.append(row)
    return rows


@click.command()
@click.option(
    "--server", "names", multiple=True, type=click.Choice(list(SERVERS)), default=list(SERVERS)
)
@json_option
def main(names: tuple[str, ...], out: Path | None) -> None:
    """Print what was measured."""
    tables: Tables = {"servers": []}
    for name in names:
        with serving(name) as port:
            if name == "showtell" and chromium():
                tables["page"] = measure_page(port)
            elif name == "showtell":
                print("web.py: there is no Chromium; the page is left out", file=sys.stderr)
            tables["servers"] += measure_load(name, port)
    show(tables, out)


if __name__ == "__main__":
    main()
