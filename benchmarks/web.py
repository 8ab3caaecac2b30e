"""How long a visitor waits, and what many at once do to a server.

    python benchmarks/web.py

Starts `showtell serve` with the model that ships, drops photographs on its page in Chromium, then
asks it from many clients at the same time. Needs the dev extra and Chromium.
"""

import base64
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from io import BytesIO

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from skimage import data

SIZES = (500, 375), (4000, 3000)
CLIENTS = 1, 10, 50, 100
DROPS = 15

# From the drop to the frame in which the caption stands on the page, milliseconds.
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
def serving() -> Iterator[int]:
    """Serve at a free port, as a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = "from showtell.cli import main; main()"
    arguments = ["serve", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        [sys.executable, "-c", command, *arguments], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        server.stdout.readline()
        try:
            yield port
        finally:
            server.terminate()


def drop(page: Page, photograph: bytes) -> list[float]:
    """Return the waits for a caption; the first is the visitor's first."""
    text = base64.b64encode(photograph).decode()
    return [page.evaluate(DROP, text) for _ in range(DROPS)]


def ask(port: int, photograph: bytes) -> tuple[int, float]:
    """Return the status and the wait, seconds."""
    start = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/api/v1/captions", photograph)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, time.perf_counter() - start


def main() -> None:
    """Print what was measured."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with serving() as port, sync_playwright() as drivers:
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

        print("clients at once                   answered  busy  median  95th, ms")
        for clients in CLIENTS:
            with ThreadPoolExecutor(clients) as pool:
                answers = list(pool.map(ask, [port] * clients, [jpeg(*SIZES[0])] * clients))
            waits = sorted(1000 * wait for status, wait in answers if status == 200)
            busy = sum(status == 503 for status, _ in answers)
            late = waits[int(0.95 * (len(waits) - 1))]
            print(f"{clients:15}{len(waits):27}{busy:6}{statistics.median(waits):8.0f}{late:10.0f}")


if __name__ == "__main__":
    main()
