"""A real browser at a real server; no script may fail, no policy be violated."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from flask import Flask
from standins import serving

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera that films a clock
]

expect.set_options(timeout=30_000)  # a busy machine is no failure


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with sync_playwright() as drivers:
        browser = drivers.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open the page of a server: ``visit(port, **options of the browser's context)``."""
    errors: list[str] = []
    requests: list[str] = []
    origins: list[str] = []

    def open_page(port: int, **options: object) -> Page:
        options = {"reduced_motion": "reduce", **options}
        context = stack.enter_context(browser.new_context(**options))  # type: ignore[arg-type]
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.on("request", lambda request: requests.append(request.url))
        origin = f"http://127.0.0.1:{port}/"
        origins.extend((origin, f"blob:{origin}"))
        page.goto(origin)
        return page

    with ExitStack() as stack:
        yield open_page
    assert [error for error in errors if not error.startswith("Failed to load resource")] == []
    assert [url for url in requests if not url.startswith(tuple(origins))] == []


@pytest.fixture
def page(visit: Callable[..., Page], app: Flask) -> Iterator[Page]:
    """The page, opened, before a captioner that always sees the same."""
    with serving(app) as port:
        yield visit(port)
