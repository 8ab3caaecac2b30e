"""Input of photographs: chosen, dropped, pasted, from the camera, and samples."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, Route, expect

from showtell.caption import Caption
from showtell.web import create_app
from showtell.web.views import SAMPLES
from tests.web.page.browsing import choose, drop, encode, expect_told, rows, upload
from tests.web.standins import FakeCaptioner, serving

PUT_IN_CLIPBOARD = """async (bytes) => {
    const picture = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    canvas.getContext("2d").drawImage(picture, 0, 0);
    const png = await canvas.convertToBlob();
    await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
}"""


@pytest.fixture
def folder(tmp_path: Path, jpeg: bytes) -> Path:
    """A folder with two photographs, one of them in a subfolder, and other files."""
    album = tmp_path / "album"
    (album / "summer").mkdir(parents=True)
    (album / "b.jpg").write_bytes(jpeg)
    (album / "summer" / "a.jpg").write_bytes(jpeg)
    (album / "Thumbs.db").write_text("no photograph")
    (album / "c.JFIF").write_bytes(jpeg)
    (album / ".hidden").write_text("no photograph")
    return album


def test_a_photograph_can_be_dropped(page: Page, folder: Path) -> None:
    drop(page, folder / "b.jpg")
    expect_told(page)


def test_a_folder_can_be_dropped(page: Page, folder: Path) -> None:
    drop(page, folder)
    expect(rows(page).locator("th span")).to_have_text(
        ["album/b.jpg", "album/c.JFIF", "album/summer/a.jpg"]
    )
    expect(rows(page).locator("textarea:enabled")).to_have_count(3)


def test_what_is_no_file_is_not_taken_for_one(page: Page) -> None:
    dropped = page.evaluate_handle(
        """() => {
            const dropped = new DataTransfer();
            dropped.setData("text/uri-list", "https://example.org/photo.jpg");
            return dropped;
        }"""
    )
    page.dispatch_event("#intake", "drop", {"dataTransfer": dropped})
    expect(page.get_by_role("alert")).to_contain_text("Drop the file itself, not a link to it")


def test_a_photograph_can_be_pasted(visit: Callable[..., Page], app: Flask, jpeg: bytes) -> None:
    with serving(app) as port:
        page = visit(port, permissions=["clipboard-read", "clipboard-write"])
        page.evaluate(PUT_IN_CLIPBOARD, list(jpeg))
        page.keyboard.press("Control+V")
        expect_told(page)


def test_a_picture_can_be_taken(visit: Callable[..., Page], app: Flask) -> None:
    with serving(app) as port:
        page = visit(port, permissions=["camera"])
        page.get_by_role("button", name="camera").click()
        dialog = page.get_by_role("dialog", name="Take a photograph")
        dialog.get_by_role("button", name="Take photograph").click()
        expect(dialog).to_be_hidden()
        expect_told(page)
        assert page.locator("#photo").evaluate("(photo) => photo.width") >= 320


def test_a_camera_that_may_not_be_used(page: Page) -> None:
    page.get_by_role("button", name="camera").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text("Camera access is blocked")
    expect(dialog.get_by_role("button", name="Take photograph")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_visitor_without_a_photograph(page: Page) -> None:
    offered = page.locator("#samples button")
    expect(offered).to_have_count(len(SAMPLES))
    for name, description in SAMPLES.items():
        page.get_by_role("button", name=description).click()
        expect_told(page)
        assert page.locator("#photo").evaluate("(photo) => photo.width") == 480, name
        page.reload()


def test_a_sample_that_comes_late_gives_way(page: Page, jpeg: bytes) -> None:
    """It replaced the visitor's own photograph, which was chosen later."""
    held: list[Route] = []
    page.route("**/samples/*.jpg", lambda route: held.append(route))
    sample = page.locator("#samples button").first
    with page.expect_request("**/samples/*.jpg"):
        sample.click()
    choose(page, encode(jpeg, "JPEG", (300, 100)))
    expect_told(page)
    held[0].continue_()
    page.unroute("**/samples/*.jpg")
    address = sample.get_attribute("data-sample")
    page.evaluate("async (address) => (await fetch(address)).blob()", address)  # ends after it
    assert page.locator("#photo").evaluate("(photo) => photo.width") == 300


def test_an_empty_file(page: Page) -> None:
    choose(page, b"")
    expect(page.get_by_role("alert")).to_have_text("This file is empty.")


def test_a_folder_without_photographs(page: Page, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("no photograph")
    drop(page, tmp_path / "letters")
    expect(page.get_by_role("alert")).to_contain_text("This folder contains no photographs")


def test_the_same_file_can_be_chosen_again(page: Page, jpeg: bytes) -> None:
    for _ in range(2):
        choose(page, jpeg)
        expect_told(page)
        expect(page.locator("#file")).to_have_value("")


def test_a_file_that_is_no_photograph_is_told_in_words(page: Page, jpeg: bytes) -> None:
    choose(page, upload(b"A photograph of a dog.", "notes.txt"))
    expect(page.get_by_role("alert")).to_contain_text("not a supported image format")
    expect(page.locator("#plate")).to_be_hidden()
    choose(page, jpeg)
    expect_told(page)
    expect(page.locator("#problem")).to_be_empty()


def test_a_file_over_the_limit_is_not_sent(visit: Callable[..., Page], app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 2**20
    with serving(app) as port:
        page = visit(port)
        methods: list[str] = []
        page.on("request", lambda request: methods.append(request.method))
        choose(page, bytes(2**20 + 1))
        expect(page.get_by_role("alert")).to_contain_text("larger than 1 MB, the upload limit")
        assert "POST" not in methods


def test_a_picture_with_too_many_pixels(page: Page) -> None:
    choose(page, upload(b"P6 100000 100000 255\n", "bomb.ppm"))
    expect(page.get_by_role("alert")).to_contain_text("100000 x 100000 pixels")


def test_odd_files_are_captioned_or_told_in_words(page: Page, jpeg: bytes) -> None:
    """The page shows what the server can read, and the server's error messages."""
    for form, options in (("TIFF", {}), ("BMP", {}), ("GIF", {})):
        choose(page, encode(jpeg, form, (64, 48), **options))
        expect_told(page)
    for file, reason in (
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a supported image format"),
        (b"%PDF-1.7", "not a supported image format"),
        (jpeg[: len(jpeg) // 2], "damaged or incomplete"),
        (jpeg[: len(jpeg) // 2] + bytes(len(jpeg) // 2), "damaged or incomplete"),
    ):
        choose(page, file)
        expect(page.get_by_role("alert")).to_contain_text(reason)


class Warns(FakeCaptioner):
    def caption(self, *args: object, **kwargs: object) -> Caption:
        found = super().caption(*args, **kwargs)  # type: ignore[arg-type]
        return replace(found, warnings=("it has several frames",))


def test_a_warning_stands_below_the_caption(visit: Callable[..., Page], jpeg: bytes) -> None:
    with serving(create_app(Warns())) as port:
        page = visit(port)
        expect(page.locator("#warnings")).to_be_hidden()
        choose(page, jpeg)
        expect(page.locator("#warnings")).to_have_text("Note: it has several frames.")
        choose(page, b"no photograph")
        expect(page.get_by_role("alert")).to_contain_text("not a supported image format")


def test_a_warning_stands_in_the_table(visit: Callable[..., Page], jpeg: bytes) -> None:
    with serving(create_app(Warns())) as port:
        page = visit(port)
        choose(page, upload(jpeg, "a.jpg"), upload(b"no photograph", "b.jpg"))
        expect(rows(page).nth(0).locator("p")).to_have_text("Note: it has several frames.")
        expect(rows(page).nth(1).locator("p")).to_contain_text("not a supported image format")
        expect(rows(page).nth(1).locator("p")).to_have_class("wrong")
