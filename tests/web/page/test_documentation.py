"""The documentation page of the HTTP API: accessibility and narrow screens."""

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Page

from tests.web.standins import serving


@pytest.fixture
def docs(visit: Callable[..., Page], app: Flask) -> Iterator[Page]:
    with serving(app) as port:
        page = visit(port, viewport={"width": 360, "height": 740})
        page.goto(f"http://127.0.0.1:{port}/docs")
        yield page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(visit: Callable[..., Page], app: Flask, scheme: str) -> None:
    with serving(app) as port:
        page = visit(port, color_scheme=scheme, bypass_csp=True)
        page.goto(f"http://127.0.0.1:{port}/docs")
        found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_nothing_sticks_out_at_any_width(docs: Page) -> None:
    for width in (360, 768, 1440):
        docs.set_viewport_size({"width": width, "height": 740})
        assert docs.evaluate("() => document.documentElement.scrollWidth") == width


def test_long_lines_are_reached_with_the_keyboard(docs: Page) -> None:
    docs.get_by_role("link", name="Errors").focus()
    focused = "() => document.activeElement.tagName"
    while docs.evaluate(focused) != "PRE":
        docs.keyboard.press("Tab")
    docs.keyboard.press("ArrowRight")
    docs.wait_for_function("() => document.activeElement.scrollLeft > 0")


def test_tables_stay_tables_for_screen_readers(docs: Page) -> None:
    """On narrow screens, rows are displayed as blocks, which can remove their roles."""
    tree = docs.context.new_cdp_session(docs).send("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    assert roles.count("table") == docs.locator("table").count() > 0
    assert roles.count("rowheader") == docs.locator("tbody th").count()
    assert roles.count("columnheader") == docs.locator("thead th").count()
