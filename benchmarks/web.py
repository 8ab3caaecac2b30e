"""Measures the waiting times of the page, and the throughput of a server under load.

    python benchmarks/web.py                    # `showtell serve`: the page, then the load test
    python benchmarks/web.py --server gunicorn  # load test of another server: gunicorn or ray

Starts a server with the model that ships, and drops photographs on its page in Chromium. Then an
increasing number of clients send photographs, each the next one when it has received a caption.
Requires the dev extra and Chromium; Ray Serve requires `pip install 'ray[serve]'`.
"""

import argparse
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

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from skimage import data

SIZES = (500, 375), (4000, 3000)
CLIENTS = 1, 8, 64, 256
SECONDS = 10  # duration of the test for each number of clients
DROPS = 15

SERVE = "from showtell.cli import main; main()"
SERVERS = {
    "showtell": ["-c", SERVE, "serve", "--host", "127.0.0.1", "--port", "{port}"],
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


def show_page(port: int) -> None:
    """Print the waiting times on the page."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as drivers:
        browser = drivers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        print("from the drop to the caption, ms      first  median  slowest")
        for size in SIZES:
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            waits = drop(page, jpeg(*size))
            told = (waits[0], statistics.median(waits), max(waits))
            print(f"{size[0]:>6} x {size[1]:<6}" + " " * 20 + "".join(f"{w:8.0f}" for w in told))
            page.close()
        browser.close()


def show_load(port: int) -> None:
    """Print the results of an increasing number of clients."""
    print("clients  captions a second  sent away  broken  median  95th, ms")
    for clients in CLIENTS:
        start = time.perf_counter()
        answers = load(port, clients)
        seconds = time.perf_counter() - start
        counts = Counter(status for status, _ in answers)
        waits = sorted(1000 * wait for status, wait in answers if status == 200) or [0.0]
        median, late = statistics.median(waits), waits[int(0.95 * (len(waits) - 1))]
        broken = len(answers) - counts[200] - counts[503]
        told = f"{clients:7}{counts[200] / seconds:19.1f}{counts[503]:11}{broken:8}"
        print(f"{told}{median:8.0f}{late:10.0f}", flush=True)


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--server", choices=SERVERS, default="showtell")
    name = parser.parse_args().server
    with serving(name) as port:
        if name == "showtell":
            show_page(port)
        show_load(port)


if __name__ == "__main__":
    main()
