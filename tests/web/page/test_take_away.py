"""Copying and downloading: the files equal those of the command line."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image
from playwright.sync_api import Page, expect

from showtell import attention, image
from tests.web.page.browsing import CAPTION, choose, expect_told, upload
from tests.web.standins import FakeCaptioner, serving

NAME = "my holiday.2026.jpg"


@pytest.fixture
def told(visit: Callable[..., Page], app: Flask, jpeg: bytes) -> Iterator[Page]:
    with serving(app) as port:
        page = visit(port, permissions=["clipboard-read", "clipboard-write"])
        choose(page, upload(jpeg, NAME))
        expect_told(page)
        yield page


def download(page: Page, button: str) -> tuple[str, bytes]:
    """Press a button, and return the name and the content of the download."""
    with page.expect_download() as coming:
        page.get_by_role("button", name=button).click()
    return coming.value.suggested_filename, Path(coming.value.path()).read_bytes()


def test_the_caption_can_be_copied(told: Page) -> None:
    told.locator("#copy").click()
    expect(told.locator("#copy")).to_have_text("Copied")
    assert told.evaluate("() => navigator.clipboard.readText()") == CAPTION


def test_a_clipboard_that_refuses_is_not_the_only_way(told: Page) -> None:
    told.evaluate("() => (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))")
    told.locator("#copy").click()
    expect(told.locator("#copy")).to_have_text("Copied")
    assert told.evaluate("() => navigator.clipboard.readText()") == CAPTION


def test_the_json_is_that_of_the_command_line(
    told: Page, captioner: FakeCaptioner, jpeg: bytes
) -> None:
    name, data = download(told, "JSON")
    assert name == "my holiday.2026.json"
    assert json.loads(data) == captioner.caption(jpeg, proof=True, things=True).to_dict(NAME)


def test_the_figure_is_that_of_the_command_line(
    told: Page, captioner: FakeCaptioner, jpeg: bytes
) -> None:
    name, data = download(told, "Figure")
    assert name == "my holiday.2026.png"
    drawn = attention.figure(image.open_upright(jpeg), captioner.caption(jpeg))
    with Image.open(BytesIO(data)) as figure:
        assert figure.format == "PNG"
        assert figure.tobytes() == drawn.tobytes()


def test_the_animation_is_that_of_the_command_line(
    told: Page, captioner: FakeCaptioner, jpeg: bytes
) -> None:
    name, data = download(told, "Animation")
    assert name == "my holiday.2026.gif"
    assert data == attention.animation(image.open_upright(jpeg), captioner.caption(jpeg))


def test_what_is_taken_away_is_the_sentence_that_was_chosen(
    told: Page, captioner: FakeCaptioner, jpeg: bytes
) -> None:
    other = captioner.caption(jpeg).alternatives[1]
    told.get_by_label(other.text, exact=True).check()
    _, data = download(told, "JSON")
    things = captioner.caption(jpeg, things=True).to_dict()["things"]
    assert json.loads(data) == other.to_dict(NAME) | {"things": things}
    _, data = download(told, "Animation")
    assert data == attention.animation(image.open_upright(jpeg), other)


def test_a_drawing_that_cannot_be_had_is_told_and_the_caption_stays(
    told: Page, captioner: FakeCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captioner, "caption", None)
    told.get_by_role("button", name="Figure").click()
    expect(told.get_by_role("alert")).to_contain_text("internal error")
    expect_told(told)
