"""The page's address contains the settings."""

from collections.abc import Callable

from flask import Flask
from playwright.sync_api import Page, expect

from tests.web.page.browsing import choose, expect_told
from tests.web.standins import WORDS, FakeCaptioner, serving


def set_length(page: Page, words: str) -> None:
    page.get_by_text("Settings").click()
    page.get_by_label("Maximum length").fill(words)
    page.get_by_label("Maximum length").press("Enter")


def test_the_address_holds_what_is_not_the_default(page: Page, jpeg: bytes) -> None:
    set_length(page, "2")
    assert page.url.endswith("/?max_length=2")
    page.reload()
    expect(page.get_by_label("Maximum length")).to_have_value("2")
    choose(page, jpeg)
    expect_told(page, WORDS[:2])
    set_length(page, "20")
    assert page.url.endswith("/")


def test_an_address_that_asks_for_nonsense_gets_the_defaults(page: Page) -> None:
    for query in ("?beam=0", "?beam=many&max_length=9999", "?beam=", "?other=3"):
        page.goto(page.url.partition("?")[0] + query)
        expect(page.locator("#beam")).to_have_value("5")
        expect(page.locator("#max_length")).to_have_value("20")


def test_a_link_is_followed(page: Page, captioner: FakeCaptioner, jpeg: bytes) -> None:
    page.goto(f"{page.url}?beam=2&max_length=3")
    choose(page, jpeg)
    expect_told(page, WORDS[:3])
    assert captioner.beams[-1] == 2


def test_the_way_back_keeps_the_settings(
    visit: Callable[..., Page], app: Flask, jpeg: bytes
) -> None:
    """Settings that are changed for one photograph of a table also apply to the table."""
    with serving(app) as port:
        page = visit(port)
        choose(page, jpeg, jpeg)
        expect(page.get_by_role("status")).to_have_text("2 of 2 captioned.")
        page.locator("#rows button").first.click()
        expect_told(page)
        set_length(page, "2")
        expect_told(page, WORDS[:2])
        page.go_back()
        page.wait_for_url("**/?max_length=2")
