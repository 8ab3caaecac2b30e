"""Several photographs: a table of captions that can be edited and downloaded."""

import csv
import json
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image
from playwright.sync_api import Page, expect

from showtell.captioner import Caption
from showtell.web import create_app
from tests.web.page.browsing import CAPTION, choose, drop, encode, expect_told, rows, upload
from tests.web.standins import FakeCaptioner, HeldCaptioner, serving

# Number of different values of the channels in a thumbnail.
COLOURS = """(canvas) => {
    const { width, height } = canvas;
    return new Set(canvas.getContext("2d").getImageData(0, 0, width, height).data).size;
}"""
# Mean colours of a thumbnail in two columns and six rows.
PIXELS = """(canvas) => {
    const context = new OffscreenCanvas(2, 6).getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(canvas, 0, 0, 2, 6);
    const { data } = context.getImageData(0, 0, 2, 6);
    return [...data].filter((_, i) => i % 4 < 3);
}"""
OWN = 'She said "smile",\nand he did.'


def captions(page: Page) -> list[str]:
    return [field.input_value() for field in page.get_by_role("textbox").all()]


def choose_three(page: Page, jpeg: bytes) -> None:
    """Choose two photographs and a text file, and wait until all are finished."""
    files = [upload(jpeg, "a.jpg"), upload(b"no photograph", "notes.txt"), upload(jpeg, "=b.jpg")]
    choose(page, *files)
    expect(page.get_by_role("status")).to_have_text("2 of 3 captioned, 1 failed.")


def test_a_row_a_photograph_in_their_order(page: Page, jpeg: bytes) -> None:
    choose_three(page, jpeg)
    expect(rows(page).locator("th span")).to_have_text(["a.jpg", "notes.txt", "=b.jpg"])
    expect(page.get_by_role("heading", name="2 of 3 captioned")).to_be_visible()
    assert captions(page) == [CAPTION, CAPTION]
    expect(rows(page).nth(1)).to_contain_text("not a supported image format")
    expect(rows(page).nth(0).locator("td").last).to_have_text("0.47")
    assert rows(page).locator("canvas").first.evaluate(COLOURS) > 100


def test_the_table_as_csv(page: Page, jpeg: bytes) -> None:
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of a.jpg").fill(OWN)
    with page.expect_download() as coming:
        page.get_by_role("button", name="CSV").click()
    with Path(coming.value.path()).open(encoding="utf-8-sig", newline="") as file:
        first, failed, last = csv.DictReader(file)
    assert coming.value.suggested_filename == "captions.csv"
    assert first == {
        "image": "a.jpg",
        "caption": OWN,
        "edited": "true",
        "confidence": "0.47",
        "unsure": "",
        "warning": "",
        "model": "fake",
        "error": "",
    }
    assert failed["caption"] == ""
    assert "not a supported image format" in failed["error"]
    # with an apostrophe, so that spreadsheets do not read it as a formula
    assert (last["image"], last["caption"], last["edited"]) == ("'=b.jpg", CAPTION, "false")


def test_the_table_as_json(page: Page, jpeg: bytes) -> None:
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of =b.jpg").fill(OWN)
    with page.expect_download() as coming:
        page.get_by_role("button", name="JSON").last.click()
    first, failed, last = json.loads(Path(coming.value.path()).read_text(encoding="utf-8"))
    told = {"confidence": 0.47, "unsure": None, "warning": "", "model": "fake"}
    assert first == {"image": "a.jpg", "caption": CAPTION, "edited": False, **told}
    assert failed.keys() == {"image", "error"}
    assert last == {"image": "=b.jpg", "caption": OWN, "edited": True, **told}


def test_all_captions_are_copied(page: Page, jpeg: bytes) -> None:
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of a.jpg").fill(OWN)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Copied 2 captions.")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    # one line each, with an apostrophe so that spreadsheets do not read the name as a formula
    assert copied == f'a.jpg\tShe said "smile", and he did.\n\'=b.jpg\t{CAPTION}'


def test_the_time_left_is_shown(visit: Callable[..., Page], jpeg: bytes) -> None:
    class Slow(FakeCaptioner):
        def caption(self, *args: object, **options: object) -> Caption:
            time.sleep(0.05)
            return super().caption(*args, **options)  # type: ignore[arg-type]

    with serving(create_app(Slow())) as port:
        page = visit(port)
        choose(page, *[jpeg] * 30)
        expect(page.get_by_text("less than a minute left")).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("less than a minute left")).to_be_hidden()


def test_how_the_time_left_is_said(page: Page) -> None:
    code = "async (known) => (await import('/static/pace.js')).timeLeft(...known)"
    for elapsed, done, waiting, said in (
        (4_000, 4, 1000, ""),
        (5_000, 5, 0, ""),
        (5_000, 5, 59, "less than a minute left"),
        (5_000, 5, 75, "about 1 minute left"),
        (5_000, 5, 150, "about 3 minutes left"),
        (5_000, 5, 7200, "about 2 hours left"),
    ):
        assert page.evaluate(code, [elapsed, done, waiting]) == said


def test_one_of_them_is_looked_at_more_closely(page: Page, jpeg: bytes) -> None:
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of a.jpg").fill(OWN)
    page.get_by_role("button", name="=b.jpg").click()
    expect_told(page)
    page.get_by_role("button", name="All photographs").click()
    assert captions(page) == [OWN, CAPTION]
    page.get_by_role("button", name="notes.txt").click()
    expect(page.get_by_role("alert")).to_contain_text("not a supported image format")
    assert captions(page) == [OWN, CAPTION]


def test_back_leads_to_the_row_and_so_does_the_browsers(page: Page, jpeg: bytes) -> None:
    """The browser's back button left the page, and the table was lost."""
    choose_three(page, jpeg)
    row = page.get_by_role("button", name="=b.jpg")
    for go_back in (page.go_back, page.get_by_role("button", name="All photographs").click):
        row.click()
        expect_told(page)
        go_back()
        expect(row).to_be_focused()
        assert captions(page) == [CAPTION, CAPTION]


def test_a_thumbnail_is_upright(page: Page, jpeg: bytes) -> None:
    """Photographs of phones lay on their side in the table."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encode(jpeg, "JPEG", (300, 100), exif=exif)
    choose(page, turned, jpeg)
    expect(page.get_by_role("status")).to_have_text("2 of 2 captioned.")
    shown = rows(page).locator("canvas").first.evaluate(PIXELS)
    with Image.open(BytesIO(turned)) as picture:
        expected = picture.transpose(Image.Transpose.ROTATE_270).resize(
            (2, 6), Image.Resampling.BOX
        )
    assert shown == pytest.approx(list(expected.tobytes()), abs=30)


def test_new_settings_caption_again_what_nobody_edited(
    page: Page, captioner: FakeCaptioner, jpeg: bytes
) -> None:
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of a.jpg").fill(OWN)
    page.get_by_text("Settings").click()
    page.get_by_label("Maximum length").fill("2")
    page.get_by_label("Maximum length").press("Enter")
    page.get_by_role("button", name="Caption again").click()
    expect(page.get_by_role("textbox", name="Caption of =b.jpg")).to_have_value("an astronaut")
    assert captions(page) == [OWN, "an astronaut"]


def test_what_is_written_while_it_captions_again_stays(
    visit: Callable[..., Page], jpeg: bytes
) -> None:
    """The new caption replaced the text that the visitor had entered meanwhile."""
    captioner = HeldCaptioner()
    captioner.let_go.set()
    with serving(create_app(captioner)) as port:
        page = visit(port)
        choose(page, upload(jpeg, "a.jpg"), upload(jpeg, "b.jpg"), upload(jpeg, "c.jpg"))
        expect(page.get_by_role("status")).to_have_text("3 of 3 captioned.")
        captioner.let_go.clear()
        page.get_by_text("Settings").click()
        page.get_by_label("Maximum length").fill("2")
        page.get_by_label("Maximum length").press("Enter")
        page.get_by_role("button", name="Caption again").click()
        for name in ("a.jpg", "c.jpg"):  # one is in progress, the other is not
            page.get_by_role("textbox", name=f"Caption of {name}").fill(OWN)
        captioner.let_go.set()
        expect(page.get_by_role("textbox", name="Caption of b.jpg")).to_have_value("an astronaut")
        expect(page.get_by_role("button", name="Stop")).to_be_hidden()
        assert captions(page) == [OWN, "an astronaut", OWN]


def test_captions_stay_when_asking_again_fails(
    visit: Callable[..., Page], app: Flask, jpeg: bytes
) -> None:
    """A row showed the error instead of its earlier caption."""
    with serving(app) as port:
        page = visit(port)
        choose_three(page, jpeg)
    page.get_by_text("Settings").click()
    page.get_by_label("Maximum length").fill("2")
    page.get_by_label("Maximum length").press("Enter")
    page.get_by_role("button", name="Caption again").click()
    expect(rows(page).first).to_contain_text("The server is not responding")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert captions(page) == [CAPTION, CAPTION]
    expect(page.get_by_role("heading", name="2 of 3 captioned, 1 failed")).to_be_visible()


def test_one_more_joins_the_table(page: Page, jpeg: bytes, tmp_path: Path) -> None:
    """A photograph that was added to a table replaced the table."""
    choose_three(page, jpeg)
    page.get_by_role("textbox", name="Caption of a.jpg").fill(OWN)
    page.get_by_role("button", name="a.jpg").click()
    expect_told(page)
    (tmp_path / "c.jpg").write_bytes(jpeg)
    drop(page, tmp_path / "c.jpg")
    expect(rows(page)).to_have_count(4)
    expect(page.get_by_role("status")).to_have_text("3 of 4 captioned, 1 failed.")
    assert captions(page) == [OWN, CAPTION, CAPTION]


def test_stopping_and_going_on(visit: Callable[..., Page], jpeg: bytes) -> None:
    captioner = HeldCaptioner()
    with serving(create_app(captioner)) as port:
        page = visit(port)
        choose(page, *(upload(jpeg, f"{i}.jpg") for i in range(5)))
        page.get_by_role("button", name="Stop").click()
        captioner.let_go.set()
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("status")).to_have_text("5 of 5 captioned.")
        assert captions(page) == [CAPTION] * 5
        expect(page.get_by_role("button", name="Resume")).to_be_hidden()


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
    expect(rows(page).nth(3)).to_contain_text("The server is not responding")
    assert captions(page) == [CAPTION, CAPTION]
    with serving(app, port):
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("status")).to_have_text("3 of 4 captioned, 1 failed.")
    assert captions(page) == [CAPTION] * 3
