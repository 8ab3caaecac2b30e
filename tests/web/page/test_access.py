"""Accessibility: keyboard, screen readers, screen widths, and the page without JavaScript."""

import json
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from tests.web.page.browsing import CAPTION, choose, expect_told, upload
from tests.web.standins import serving

WIDTHS = (360, 768, 1440)


def show_one(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    expect_told(page)


def show_a_word(page: Page, jpeg: bytes) -> None:
    show_one(page, jpeg)
    page.locator("#caption button").first.click()


def show_the_frame(page: Page, jpeg: bytes) -> None:
    show_one(page, jpeg)
    page.get_by_role("button", name="Caption a region").click()


def show_a_part(page: Page, jpeg: bytes) -> None:
    show_the_frame(page, jpeg)
    page.keyboard.press("Enter")
    expect(page.locator("#whole")).to_be_visible()


def show_a_thing(page: Page, jpeg: bytes) -> None:
    show_one(page, jpeg)
    page.get_by_role("button", name="dog").click()
    expect(page.get_by_role("button", name="dog", pressed=True)).to_be_focused()


def show_many(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg, upload(b"no photograph", "a-name-that-is-long-" * 9 + ".txt"))
    expect(page.get_by_role("status")).to_have_text("1 of 2 captioned, 1 failed.")


def show_the_settings(page: Page, jpeg: bytes) -> None:
    show_one(page, jpeg)
    page.get_by_text("Settings").click()


def show_the_camera(page: Page, jpeg: bytes) -> None:
    page.get_by_role("button", name="camera").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).not_to_be_empty()


def show_the_keys(page: Page, jpeg: bytes) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


def show_a_problem(page: Page, jpeg: bytes) -> None:
    choose(page, b"no photograph")
    expect(page.locator("#problem")).not_to_be_empty()


VIEWS: list[Callable[[Page, bytes], None]] = [
    lambda page, jpeg: None,
    show_one,
    show_a_word,
    show_the_frame,
    show_a_part,
    show_a_thing,
    show_many,
    show_the_settings,
    show_the_camera,
    show_the_keys,
    show_a_problem,
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("show", VIEWS)
def test_axe_finds_nothing(
    visit: Callable[..., Page],
    app: Flask,
    jpeg: bytes,
    show: Callable[[Page, bytes], None],
    scheme: str,
) -> None:
    with serving(app) as port:
        page = visit(port, color_scheme=scheme, bypass_csp=True)
        show(page, jpeg)
        found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("show", VIEWS)
def test_nothing_sticks_out_at_any_width(
    page: Page, jpeg: bytes, show: Callable[[Page, bytes], None]
) -> None:
    """The hidden file field made the page wider than a phone's screen."""
    show(page, jpeg)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("() => document.documentElement.scrollWidth") == width


def test_everything_can_be_reached_by_keyboard(page: Page, jpeg: bytes) -> None:
    show_one(page, jpeg)
    page.locator("h1 a").focus()
    reached = []
    for _ in range(15):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.id"))
    wanted = ["file", "camera-open", "strength", "own-grid", "word", "play", "speed", "copy"]
    assert [name for name in reached if name in wanted] == wanted


def test_less_motion_means_none_unasked(page: Page, jpeg: bytes) -> None:
    """With reduced motion, the whole caption is shown at once, and nothing plays."""
    page.clock.install()
    show_one(page, jpeg)
    page.clock.run_for(1000)
    expect(page.locator("#caption .lit")).to_have_count(0)
    assert page.evaluate("() => document.getAnimations().length") == 0


def test_without_javascript_the_form_answers(browser: Browser, app: Flask, jpeg: bytes) -> None:
    """A strict referrer policy made the page's own form look like that of another site."""
    with serving(app) as port, browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        choose(page, jpeg)
        page.get_by_role("button", name="Caption photograph").click()
        assert json.loads(page.locator("body").inner_text())["caption"] == CAPTION


def test_the_page_is_light(visit: Callable[..., Page], app: Flask) -> None:
    """Uncompressed size of what it loads at the start, without the three samples."""
    with serving(app) as port:
        page = visit(port)
        page.wait_for_load_state("networkidle")
        sizes = page.evaluate(
            "() => [...performance.getEntriesByType('navigation'),"
            " ...performance.getEntriesByType('resource')].map((e) => [e.name, e.decodedBodySize])"
        )
    assert len(sizes) > 15
    assert sum(size for name, size in sizes if "/samples/" not in name) < 100_000, sizes
    assert sum(size for name, size in sizes if "/samples/" in name) < 100_000, sizes
