"""The page without a server, in a real browser: from the visitor's file to the light on it."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

import showtell
from showtell.web import samples

TOLD = "#caption button"


@pytest.fixture
def png() -> bytes:
    """A drawing in the size of the model, so that every reader sees the same pixels."""
    file = BytesIO()
    Image.open(BytesIO(samples.draw("surfer"))).resize((224, 224)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def page(visit: Callable[..., Page], site: int) -> Page:
    """The page, with its model."""
    page = visit(site)
    expect(page.get_by_role("status")).to_have_text("The model is here.")
    return page


def choose(page: Page, *files: bytes, name: str = "photo.png") -> None:
    uploads = [{"name": name, "mimeType": "", "buffer": file} for file in files]
    page.set_input_files("#file", uploads)  # type: ignore[arg-type]


def test_a_photograph_is_captioned_as_python_does(page: Page, png: bytes) -> None:
    choose(page, png)
    caption = showtell.load().caption(png)
    expect(page.locator(TOLD)).to_have_text(list(caption.words))
    expect(page.get_by_role("status")).to_have_text(f"Caption: {caption.text}.")
    expect(page.locator("#panels li")).to_have_count(len(caption.words))
    expect(page.locator("#took")).to_contain_text(f"a confidence of {caption.confidence:.2f}")
    expect(page.get_by_role("radio")).to_have_count(1 + len(caption.alternatives))
    page.locator(TOLD).first.click()
    expect(page.locator("#plate")).to_have_class("lit")
    assert Axe().run(page).violations_count == 0


def test_without_a_network_once_the_model_is_here(page: Page, png: bytes) -> None:
    """Nothing is asked for any more: a file, a table of two, and a sample of the page's own."""
    asked = []
    page.context.set_offline(True)
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#samples button").first.click()
    expect(page.locator(TOLD)).not_to_have_count(0)
    choose(page, png, png)
    expect(page.get_by_role("status")).to_have_text("2 of 2 captioned.")
    with page.expect_download() as download:
        page.locator("#many-head").get_by_role("button", name="JSON").click()
    rows = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert [row["caption"] for row in rows] == [showtell.load().caption(png).text] * 2
    assert [url for url in asked if not url.startswith("blob:")] == []


def test_how_far_the_model_came(visit: Callable[..., Page], site: int) -> None:
    page = visit(site)
    progress = page.get_by_role("progressbar", name="The model, as far as it came")
    expect(progress).to_be_hidden()
    assert page.locator("#loading progress").evaluate("(bar) => bar.value === bar.max")


def test_the_settings_are_heard(page: Page, png: bytes) -> None:
    choose(page, png)
    expect(page.locator(TOLD)).not_to_have_count(0)
    page.get_by_text("Settings").click()
    page.get_by_label("Longest caption").fill("3")
    page.get_by_label("Longest caption").press("Enter")
    caption = showtell.load().caption(png, max_length=3)
    expect(page.locator(TOLD)).to_have_text(list(caption.words))


def test_what_the_browser_cannot_read_is_told_in_words(page: Page, png: bytes) -> None:
    choose(page, b"no photograph", name="notes.txt")
    expect(page.get_by_role("alert")).to_contain_text("Your browser cannot read this as a picture.")
    choose(page, png[:300])
    expect(page.get_by_role("alert")).to_contain_text("damaged")
    choose(page, b"")
    expect(page.get_by_role("alert")).to_have_text("This file is empty.")
    choose(page, png)
    expect(page.locator(TOLD)).not_to_have_count(0)
    expect(page.get_by_role("alert")).to_be_empty()


def test_a_model_that_does_not_come_is_told_in_words(
    visit: Callable[..., Page], site: int, built: Path, png: bytes
) -> None:
    (built / "model" / "decoder.onnx").rename(built / "model" / "away")
    try:
        page = visit(site)
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("The model could not be loaded: model/decoder.onnx")
        expect(page.locator("#loading")).to_be_hidden()
        choose(page, png)
        expect(alert).to_contain_text("The model could not be loaded")
    finally:
        (built / "model" / "away").rename(built / "model" / "decoder.onnx")
