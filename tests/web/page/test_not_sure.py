"""The page marks captions of low confidence, and shows the confidence of the others."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from showtell.caption import Caption
from showtell.confidence import OUT_OF_DISTRIBUTION
from showtell.web import create_app
from tests.web.page.browsing import CAPTION, choose, expect_told, rows, upload, word
from tests.web.standins import FakeCaptioner, serving


class Doubting(FakeCaptioner):
    """Is unsure of all photographs, or of none, or has no confidence model."""

    def __init__(self, unsure: bool | None) -> None:
        super().__init__()
        self.unsure = unsure

    def caption(self, *args: Any, **kwargs: Any) -> Caption:
        """Return the other captioner's caption, with `unsure` set."""
        warnings = (OUT_OF_DISTRIBUTION,) if self.unsure else ()
        found = super().caption(*args, **kwargs)
        others = tuple(replace(other, unsure=self.unsure) for other in found.alternatives)
        return replace(found, unsure=self.unsure, warnings=warnings, alternatives=others)


COLOUR = "(id) => getComputedStyle(document.getElementById(id)).color"


def test_a_strange_photograph_gets_a_guess(visit: Callable[..., Page], jpeg: bytes) -> None:
    """The caption is shown, but marked as low confidence."""
    with serving(create_app(Doubting(True))) as port:
        page = visit(port)
        choose(page, jpeg)
        expect_told(page)
        expect(page.get_by_text("Low confidence", exact=True)).to_be_visible()
        expect(page.locator("#warnings")).to_have_text(f"Note: {OUT_OF_DISTRIBUTION}.")
        expect(page.locator("#sure")).to_be_hidden()
        expect(page.get_by_role("status")).to_have_text(f"Low confidence: {CAPTION}.")
        assert page.evaluate(COLOUR, "caption") != page.evaluate(COLOUR, "take")
        word(page, "smile").hover()
        expect(page.locator("#reading")).not_to_contain_text("confidence")


def test_of_others_it_says_how_much_is_likely_right(
    visit: Callable[..., Page], jpeg: bytes
) -> None:
    with serving(create_app(Doubting(False))) as port:
        page = visit(port)
        expect(page.get_by_text("Low confidence", exact=True)).to_be_hidden()
        choose(page, jpeg)
        expect(page.locator("#sure")).to_contain_text("Confidence 47%")
        expect(page.get_by_text("Low confidence", exact=True)).to_be_hidden()
        assert page.evaluate(COLOUR, "caption") == page.evaluate(COLOUR, "take")
        word(page, "an").hover()
        expect(page.locator("#reading")).to_contain_text("gate β 0.20, confidence 0.80")


def test_a_model_that_cannot_tell_promises_nothing(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    expect_told(page)
    expect(page.locator("#sure")).to_be_hidden()
    expect(page.get_by_text("Low confidence", exact=True)).to_be_hidden()


@pytest.mark.parametrize(("unsure", "told"), [(True, "low"), (False, "0.47")])
def test_the_table_tells_it_of_each(
    visit: Callable[..., Page], jpeg: bytes, unsure: bool, told: str
) -> None:
    with serving(create_app(Doubting(unsure))) as port:
        page = visit(port)
        choose(page, upload(jpeg, "a.jpg"), upload(jpeg, "b.jpg"))
        for i in range(2):
            expect(rows(page).nth(i).locator("td").last).to_have_text(told)
