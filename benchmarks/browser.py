"""The wait of a visitor of the page without a server, and how many captions are Python's.

    python benchmarks/browser.py

Builds the page with the model that ships, serves it with `python -m http.server`, and drops
photographs on it in Chromium. Requires the dev extra, Chromium and npm.
"""

import base64
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import click
import numpy as np
from measured import Tables, json_option, show
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from skimage import data
from web import SIZES, chromium, wait

import showtell
from showtell.browser import build
from showtell.bundle import Bundle
from showtell.image import open_upright
from showtell.search import Search

PHOTOGRAPHS = ["astronaut", "brick", "camera", "chelsea", "coffee", "coins", "gravel", "rocket"]
PARTS = 9  # parts of each photograph

# Captions a file, given in base64, as the page does when it is dropped.
CAPTION = """async ({ text, options }) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const { caption } = await import("/api.js");
    return (await caption(new Blob([bytes]), options)).caption;
}"""


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Serve a folder on a free port, in a separate process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, "--directory", folder], **quiet) as server:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.05)
        try:
            yield port
        finally:
            server.terminate()


def load(page: Page, port: int) -> float:
    """Open the page; return the milliseconds until it can caption."""
    start = time.perf_counter()
    page.goto(f"http://127.0.0.1:{port}/")
    expect(page.get_by_role("status")).to_have_text("Model loaded.", timeout=60_000)
    return 1000 * (time.perf_counter() - start)


def photographs() -> Iterator[bytes]:
    """Return random parts of photographs as JPEGs, of any shape and up to four times as large."""
    rng = np.random.default_rng(0)
    for name in PHOTOGRAPHS:
        whole = Image.fromarray(getattr(data, name)()).convert("RGB")
        for _ in range(PARTS):
            width, height = (round(side * rng.uniform(0.5, 1)) for side in whole.size)
            left, top = (
                rng.integers(whole.width - width + 1),
                rng.integers(whole.height - height + 1),
            )
            part = whole.crop((left, top, left + width, top + height))
            scale = rng.uniform(1, 4)
            file = BytesIO()
            part.resize((round(scale * width), round(scale * height))).save(
                file, "JPEG", quality=90
            )
            yield file.getvalue()


def agreement(page: Page) -> tuple[int, int, int]:
    """Count the captions that equal Python's.

    Returns the number of photographs, the number of equal captions of the page, and that of Python
    itself if it decodes JPEGs at full size.
    """
    files = list(photographs())
    captioner = showtell.load()
    expected = captioner.caption(files)
    in_full = captioner.caption([np.asarray(open_upright(file)) for file in files])
    options = {"beam": Search.beam, "max_length": Search.max_length}
    texts = [base64.b64encode(file).decode() for file in files]
    captions = [page.evaluate(CAPTION, {"text": text, "options": options}) for text in texts]
    same = sum(caption == e.text for caption, e in zip(captions, expected, strict=True))
    control = sum(c.text == e.text for c, e in zip(in_full, expected, strict=True))
    return len(files), same, control


def measure(page: Page, port: int, size: int) -> Tables:
    """Return the tables of the page in a folder of `size` bytes."""
    first, second = load(page, port), load(page, port)
    rows = [wait(page, *size) for size in SIZES]
    n, same, control = agreement(page)
    start = {"the folder, MB": size / 1e6, "first load, ms": first, "second load, ms": second}
    counts = {"photographs": n, "the page": same, "Python, every JPEG decoded in full": control}
    return {"static-start": [start], "static-page": rows, "static-same": [counts]}


@click.command()
@json_option
def main(out: Path | None) -> None:
    """Print what was measured."""
    if not (chromium() and shutil.which("npm")):
        print("browser.py: needs Chromium and npm; the page is left out", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "page")
        size = build(folder, Bundle.load())
        with serving(folder) as port, sync_playwright() as drivers:
            browser = drivers.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            show(measure(browser.new_page(), port, size), out)
            browser.close()


if __name__ == "__main__":
    main()
