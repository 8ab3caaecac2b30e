"""Several photographs: a table of captions that can be edited, and taken away as one file."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

from browsing import CAPTION, choose, drop, expect_told, rows, upload
from flask import Flask
from playwright.sync_api import Page, expect
from standins import FakeCaptioner, HeldCaptioner, serving

from showtell.web import create_app

# How many values of red, green and blue a thumbnail shows.
COLOURS = """(canvas) => {
    const { width, height } = canvas;
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(canvas, 0, 0);
    return new Set(context.getImageData(0, 0, width, height).data).size;
}"""
OWN = 'She said "smile",\nand he did.'


def captions(page: Page) -> list[str]:
    return [field.input_value() for field in page.get_by_role("textbox").all()]


def choose_three(page: Page, jpeg: bytes) -> None:
    """Choose two photographs and a text, and wait until all is said."""
    files = [upload(jpeg, "a.jpg"), upload(b"no photograph", "notes.txt"), upload(jpeg, "=b.jpg")]
    choose(page, *files)
    expect(page.get_by_role("status")).to_have_text("2 of 3 photographs captioned.")


def test_a_row_a_photograph_in_their_order(page: Page, jpeg: bytes) -> None:
    choose_three(page, jpeg)
    expect(rows(page).locator("th span")).to_have_text(["a.jpg", "notes.txt", "=b.jpg"])
    expect(page.get_by_role("heading", name="2 of 3 photographs")).to_be_visible()
    assert captions(page) == [CAPTION, CAPTION]
    expect(rows(page).nth(1)).to_contain_text("not a photograph that is read here")
    expect(rows(page).nth(0).locator("td").last).to_have_text("0.47")
    assert rows(page).locator("canvas").first.evaluate(COLOURS) > 100


def test_the_table_as_csv(page: Page, jpeg: bytes) -> None:
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of a.jpg").fill(OWN)
    with page.expect_download() as coming:
        page.get_by_role("button", name="CSV").click()
    with Path(coming.value.path()).open(encoding="utf-8", newline="") as file:
        first, failed, last = csv.DictReader(file)
    assert coming.value.suggested_filename == "captions.csv"
    assert first == {
        "image": "a.jpg",
        "caption": OWN,
        "edited": "true",
        "confidence": "0.47",
        "model": "fake",
        "error": "",
    }
    assert failed["caption"] == ""
    assert "not a photograph" in failed["error"]
    assert (last["image"], last["caption"], last["edited"]) == ("=b.jpg", CAPTION, "false")


def test_the_table_as_json(page: Page, jpeg: bytes) -> None:
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of =b.jpg").fill(OWN)
    with page.expect_download() as coming:
        page.get_by_role("button", name="JSON").last.click()
    first, failed, last = json.loads(Path(coming.value.path()).read_text(encoding="utf-8"))
    told = {"confidence": 0.47, "model": "fake"}
    assert first == {"image": "a.jpg", "caption": CAPTION, "edited": False, **told}
    assert failed.keys() == {"image", "error"}
    assert last == {"image": "=b.jpg", "caption": OWN, "edited": True, **told}


def test_one_of_them_is_looked_at_more_closely(page: Page, jpeg: bytes) -> None:
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of a.jpg").fill(OWN)
    page.get_by_role("button", name="=b.jpg").click()
    expect_told(page)
    page.get_by_role("button", name="All photographs").click()
    assert captions(page) == [OWN, CAPTION]
    page.get_by_role("button", name="notes.txt").click()
    expect(page.get_by_role("alert")).to_contain_text("not a photograph that is read here")
    assert captions(page) == [OWN, CAPTION]


def test_one_more_joins_the_table(page: Page, jpeg: bytes, tmp_path: Path) -> None:
    """A photograph that came while there was a table took the table's place."""
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of a.jpg").fill(OWN)
    page.get_by_role("button", name="a.jpg").click()
    expect_told(page)
    (tmp_path / "c.jpg").write_bytes(jpeg)
    drop(page, tmp_path / "c.jpg")
    expect(rows(page)).to_have_count(4)
    expect(page.get_by_role("status")).to_have_text("3 of 4 photographs captioned.")
    assert captions(page) == [OWN, CAPTION, CAPTION]


def test_stopping_and_going_on(visit: Callable[..., Page], jpeg: bytes) -> None:
    captioner = HeldCaptioner()
    with serving(create_app(captioner)) as port:
        page = visit(port)
        choose(page, *(upload(jpeg, f"{i}.jpg") for i in range(5)))
        page.get_by_role("button", name="Stop").click()
        captioner.let_go.set()
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("status")).to_have_text("5 of 5 photographs captioned.")
        assert captions(page) == [CAPTION] * 5
        expect(page.get_by_role("button", name="Go on")).to_be_hidden()


def test_starting_over_does_not_lose_what_was_written(page: Page, jpeg: bytes) -> None:
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of a.jpg").fill(OWN)
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Start over").click()
    assert captions(page) == [OWN, CAPTION]
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#samples")).to_be_visible()
    expect(rows(page)).to_have_count(0)
    choose(page, jpeg)
    expect_told(page)


def test_leaving_the_page_does_not_lose_what_was_written(page: Page, jpeg: bytes) -> None:
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of a.jpg").press_sequentially("!")
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == ["beforeunload"]
    page.reload()


def test_a_server_that_stops_half_way_costs_nothing_that_was_done(
    visit: Callable[..., Page], app: Flask, jpeg: bytes, captioner: FakeCaptioner
) -> None:
    with serving(app) as port:
        page = visit(port)
        choose_three(page, jpeg)
    choose(page, upload(jpeg, "late.jpg"))
    expect(rows(page).nth(3)).to_contain_text("The server does not answer")
    assert captions(page) == [CAPTION, CAPTION]
    with serving(app, port):
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("status")).to_have_text("3 of 4 photographs captioned.")
    assert captions(page) == [CAPTION] * 3
