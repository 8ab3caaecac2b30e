"""Errors between the page and its server, and two tabs."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from showtell.web import create_app
from showtell.web.batcher import Batcher
from tests.web.page.browsing import choose, expect_told
from tests.web.standins import WORDS, HeldCaptioner, serving


def test_a_failed_assertion_of_a_script_fails_the_test(
    visiting: Callable[[], AbstractContextManager[Callable[..., Page]]], app: Flask
) -> None:
    with serving(app) as port, pytest.raises(AssertionError, match="it is so"), visiting() as visit:
        visit(port).evaluate("() => console.assert(false, 'it is so')")


def test_a_server_that_has_gone_is_told_in_words(
    visit: Callable[..., Page], app: Flask, jpeg: bytes
) -> None:
    with serving(app) as port:
        page = visit(port)
    choose(page, jpeg)
    expect(page.get_by_role("alert")).to_contain_text("The server is not responding")
    with serving(app, port):
        choose(page, jpeg)
        expect_told(page)


def test_a_server_that_stops_while_it_looks(visit: Callable[..., Page], jpeg: bytes) -> None:
    captioner = HeldCaptioner()
    with serving(create_app(captioner)) as port:
        page = visit(port)
        choose(page, jpeg)
        expect(page.locator("#looking")).to_be_visible()
        expect(page.locator("#photo")).to_be_visible()
    captioner.let_go.set()  # after the server has stopped
    expect(page.locator("body")).to_have_attribute("data-state", "empty")
    expect(page.get_by_role("alert")).to_contain_text("The server is not responding")


def test_a_busy_server_is_asked_again(visit: Callable[..., Page], jpeg: bytes) -> None:
    captioner = HeldCaptioner()
    app = create_app(captioner)
    app.extensions["batcher"] = Batcher(captioner, workers=1, waiting=0)
    with serving(app) as port:
        first, second = visit(port), visit(port)
        choose(first, jpeg)
        expect(first.locator("#looking")).to_be_visible()
        with second.expect_response(lambda response: response.status == 503):
            choose(second, jpeg)
        captioner.let_go.set()
        expect_told(first)
        expect_told(second)


def test_two_tabs_do_not_mix(visit: Callable[..., Page], jpeg: bytes, app: Flask) -> None:
    with serving(app) as port:
        first, second = visit(port), visit(port)
        second.get_by_text("Settings").click()
        second.get_by_label("Maximum length").fill("4")
        choose(first, jpeg)
        choose(second, jpeg)
        expect_told(first)
        expect_told(second, WORDS[:4])
        choose(first, jpeg, jpeg)
        expect(first.locator("tr textarea:enabled")).to_have_count(2)
        expect_told(second, WORDS[:4])


def test_of_two_photographs_in_haste_the_last_is_told(
    visit: Callable[..., Page], jpeg: bytes
) -> None:
    """The response for the first must not replace that for the second, in either order."""
    captioner = HeldCaptioner()
    with serving(create_app(captioner)) as port:
        page = visit(port)
        choose(page, jpeg)
        with page.expect_event("requestfailed", lambda request: request.method == "POST"):
            choose(page, b"no photograph")  # without waiting for the first response
        captioner.let_go.set()
        expect(page.get_by_role("alert")).to_contain_text("not a supported image format")
        expect(page.locator("body")).to_have_attribute("data-state", "empty")
