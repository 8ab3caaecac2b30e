"""Actions of a visitor of the page."""

from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.web.standins import WORDS

CAPTION = "an astronaut's smile in front of a flag"


def upload(data: bytes, name: str = "photo.jpg") -> dict[str, object]:
    """Return a file in Playwright's format, without a type, which the bytes show."""
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def choose(page: Page, *files: dict[str, object] | bytes) -> None:
    """Choose photographs in the file field."""
    uploads = [upload(file) if isinstance(file, bytes) else file for file in files]
    page.set_input_files("#file", uploads)  # type: ignore[arg-type]


def drop(page: Page, *paths: Path) -> None:
    """Drop files and folders on the page, as a file manager does."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": 100, "y": 100, "data": data}
        devtools.send("Input.dispatchDragEvent", event)


def expect_told(page: Page, words: tuple[str, ...] = WORDS) -> None:
    expect(page.locator("#caption button")).to_have_text(words)
    expect(page.locator("#panels li > span")).to_have_text(words)


def word(page: Page, text: str) -> Locator:
    return page.locator("#caption").get_by_role("button", name=text, exact=True)


def rows(page: Page) -> Locator:
    return page.locator("#rows tr")


def encode(data: bytes, form: str, size: tuple[int, int], **options: object) -> bytes:
    """Return a photograph in another format and size."""
    file = BytesIO()
    Image.open(BytesIO(data)).resize(size).save(file, form, **options)
    return file.getvalue()
