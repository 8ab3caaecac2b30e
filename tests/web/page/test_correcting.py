"""Correcting captions, on servers that save corrections."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from showtell.data import load
from showtell.web import create_app
from tests.web.page.browsing import CAPTION, choose, expect_told, upload
from tests.web.standins import FakeCaptioner, serving

OWN = "Eileen & her “flag”"


@pytest.fixture
def album(tmp_path: Path) -> Path:
    return tmp_path / "album"


@pytest.fixture
def keeping(visit: Callable[..., Page], album: Path) -> Iterator[Page]:
    """The page of a server that saves corrections."""
    with serving(create_app(FakeCaptioner(), album)) as port:
        yield visit(port)


def kept(album: Path) -> list[str]:
    splits = load(album).splits.values()
    return sorted(caption for split in splits for p in split for caption in p.captions)


def test_the_caption_of_one_photograph(keeping: Page, jpeg: bytes, album: Path) -> None:
    choose(keeping, jpeg)
    expect_told(keeping)
    field = keeping.get_by_label("Correct this caption")
    expect(field).to_have_value(CAPTION)
    field.fill(OWN)
    keeping.get_by_role("button", name="Save correction").click()
    expect(keeping.get_by_role("status")).to_have_text(f"Saved: {OWN}.")
    expect(keeping.get_by_role("button", name="Saved")).to_be_visible()
    assert kept(album) == [OWN]


def test_an_alternative_that_is_right(keeping: Page, jpeg: bytes, album: Path) -> None:
    """Text that the visitor has entered is kept when another caption is selected."""
    choose(keeping, jpeg)
    field = keeping.get_by_label("Correct this caption")
    better = CAPTION.removesuffix(" flag")
    keeping.get_by_role("radio").nth(1).check()
    expect(field).to_have_value(better)
    keeping.get_by_role("button", name="Save correction").click()
    expect(keeping.get_by_role("status")).to_have_text(f"Saved: {better}.")
    assert kept(album) == [better]
    field.fill(OWN)
    keeping.get_by_role("radio").nth(2).check()
    expect(field).to_have_value(OWN)
    choose(keeping, jpeg)
    expect(field).to_have_value(CAPTION)


def test_a_caption_without_words_is_refused(keeping: Page, jpeg: bytes) -> None:
    choose(keeping, jpeg)
    keeping.get_by_label("Correct this caption").fill("...")
    keeping.get_by_role("button", name="Save correction").click()
    expect(keeping.get_by_role("alert")).to_contain_text("the caption must have at least one word")
    expect_told(keeping)


def test_the_edited_captions_of_the_table(keeping: Page, jpeg: bytes, album: Path) -> None:
    choose(keeping, upload(jpeg, "a.jpg"), upload(jpeg + b"\0", "b.jpg"), upload(jpeg, "c.jpg"))
    expect(keeping.get_by_role("status")).to_have_text("3 of 3 captioned.")
    button = keeping.get_by_role("button", name="Save edited captions")
    expect(button).to_be_hidden()
    keeping.get_by_role("textbox", name="Caption of a.jpg").fill(OWN)
    keeping.get_by_role("textbox", name="Caption of b.jpg").fill("...")
    button.click()
    expect(keeping.get_by_role("status")).to_have_text("1 of 2 edited captions saved.")
    expect(keeping.locator("#rows tr").nth(1)).to_contain_text(
        "the caption must have at least one word"
    )
    keeping.get_by_role("textbox", name="Caption of b.jpg").fill("Eileen")
    button.click()
    expect(keeping.get_by_role("status")).to_have_text("1 of 1 edited captions saved.")
    expect(button).to_be_hidden()
    assert kept(album) == ["Eileen", OWN]


def test_without_the_option_it_is_not_offered(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    expect_told(page)
    expect(page.get_by_label("Correct this caption")).to_be_hidden()
    choose(page, upload(jpeg, "a.jpg"), upload(jpeg, "b.jpg"))
    expect(page.get_by_role("status")).to_contain_text("2 of 2 captioned")
    page.get_by_role("textbox", name="Caption of a.jpg").fill(OWN)
    expect(page.get_by_role("button", name="Save edited captions")).to_be_hidden()
