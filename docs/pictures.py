"""Makes the pictures of the README and of the quick start: ``make pictures``.

docs/example.png is a figure of a caption, docs/page.webp the page with a word selected. Run it
again when another model ships or the page changes. Requires Chromium.
"""

import shutil
import threading
from io import BytesIO
from pathlib import Path

import waitress
from PIL import Image
from playwright.sync_api import sync_playwright

from showtell.attention import figure
from showtell.captioner import load
from showtell.web import create_app

DOCS = Path(__file__).parent
PHOTOGRAPH = DOCS / "gallery" / "cat.jpg"
WORD = 1  # index of the word that is selected on the page
SIZE = {"width": 1200, "height": 800}


def main() -> None:
    """Write both pictures."""
    captioner = load()
    with Image.open(PHOTOGRAPH) as photograph:
        drawn = figure(photograph.convert("RGB"), captioner.caption(PHOTOGRAPH))
    drawn.save(DOCS / "example.png", optimize=True)
    server = waitress.create_server(create_app(captioner), host="127.0.0.1", port=0)
    threading.Thread(target=server.run, daemon=True).start()
    shot = photographed(f"http://127.0.0.1:{server.effective_port}")
    shot.save(DOCS / "page.webp", quality=80, method=6)


def photographed(address: str) -> Image.Image:
    """Return a screenshot of the page at an address, with the caption of a photograph."""
    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
        page.goto(address)
        page.set_input_files("#file", PHOTOGRAPH)
        page.locator('body[data-state="told"]').wait_for()
        page.locator("#caption button").nth(WORD).click()
        shot = page.screenshot()
        browser.close()
    return Image.open(BytesIO(shot))


if __name__ == "__main__":
    main()
