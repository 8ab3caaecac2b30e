"""The static page in a real browser: from the visitor's file to the attention maps."""

import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from showtell import web

TOLD = "#caption button"


@pytest.fixture
def png() -> bytes:
    """A photograph of the model's size, so that no resizing is needed."""
    file = BytesIO()
    photograph = Path(web.__file__).parent / "static/samples/astronaut.jpg"
    Image.open(photograph).resize((224, 224)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def page(visit: Callable[..., Page], site: int) -> Page:
    """The page, with the model loaded."""
    page = visit(site)
    expect(page.get_by_role("status")).to_have_text("Model loaded.")
    return page


def choose(page: Page, *files: bytes, name: str = "photo.png") -> None:
    uploads = [{"name": name, "mimeType": "", "buffer": file} for file in files]
    page.set_input_files("#file", uploads)  # type: ignore[arg-type]


def caption_of(page: Page) -> str:
    """Return the caption when it is complete."""
    expect(page.locator("body")).to_have_attribute("data-state", "told")
    told = re.fullmatch(
        r"(?:Caption|Low confidence): (.*)\.", page.get_by_role("status").inner_text()
    )
    assert told
    return told[1]


def test_a_photograph_its_caption_and_the_light_of_each_word(page: Page, png: bytes) -> None:
    expect(page.locator("#loading")).to_be_hidden()
    assert page.locator("#loading progress").evaluate("(bar) => bar.value === bar.max")
    choose(page, png)
    words = caption_of(page).split()
    assert len(words) > 3
    expect(page.locator(TOLD)).to_have_text(words)
    expect(page.locator("#panels li > span")).to_have_text(words)
    expect(page.locator("#took")).to_have_text(
        re.compile(r"Captioned in \d+\.\d\d s on this device\.")
    )
    assert page.get_by_role("radio").count() > 1
    page.locator(TOLD).first.click()
    expect(page.locator("#plate")).to_have_class("lit")
    assert Axe().run(page).violations_count == 0


def test_it_mentions_what_is_asked_for(page: Page, png: bytes) -> None:
    choose(page, png)
    first = caption_of(page)
    page.get_by_label("Mention a word").fill("xylophone")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(
        "'xylophone' is not in the model's vocabulary"
    )
    assert caption_of(page) == first
    page.get_by_label("Mention a word").fill("umbrella")
    page.keyboard.press("Enter")
    asked = page.locator("#things").get_by_role("button", name="umbrella", pressed=True)
    expect(asked).to_be_visible()
    assert "umbrella" in caption_of(page).split()
    asked.click()
    expect(page.locator("#things").get_by_role("button", name="umbrella")).to_have_count(0)
    assert caption_of(page) == first


def test_words_in_grey_are_not_explained_where_none_come(page: Page) -> None:
    expect(page.locator("#legend")).not_to_contain_text("grey")


def test_the_settings_are_heard(page: Page, png: bytes) -> None:
    page.get_by_text("Settings").click()
    page.get_by_label("Maximum length").fill("3")
    page.get_by_label("Beam size").fill("1")
    choose(page, png)
    assert len(caption_of(page).split()) <= 3
    expect(page.get_by_role("radio")).to_have_count(1)


def test_without_a_network_once_the_model_is_here(page: Page, png: bytes) -> None:
    """There are no more requests: for a sample, a file, and a table of two."""
    asked = []
    page.context.set_offline(True)
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#samples button").first.click()
    caption_of(page)
    choose(page, png)
    expect(page.locator("#photo")).to_have_js_property("width", 224)
    caption = caption_of(page)
    choose(page, png, png)
    expect(page.get_by_role("status")).to_have_text("2 of 2 captioned.")
    with page.expect_download() as download:
        page.locator("#many-head").get_by_role("button", name="JSON").click()
    rows = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert [row["caption"] for row in rows] == [caption] * 2
    assert [url for url in asked if not url.startswith("blob:")] == []


def test_what_the_browser_cannot_read_is_told_in_words(page: Page, png: bytes) -> None:
    choose(page, b"no photograph", name="notes.txt")
    expect(page.get_by_role("alert")).to_contain_text(
        "Your browser cannot read this file as a photograph."
    )
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
