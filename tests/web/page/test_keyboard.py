"""Keyboard: the list of shortcuts, and undoing edits of the table."""

from playwright.sync_api import Locator, Page, expect

from tests.web.page.browsing import CAPTION, choose, expect_told, upload

OWN = "A woman smiles."


def box(page: Page, name: str) -> Locator:
    return page.get_by_role("textbox", name=f"Caption of {name}")


def choose_two(page: Page, jpeg: bytes) -> None:
    choose(page, upload(jpeg, "a.jpg"), upload(jpeg, "b.jpg"))
    expect(page.get_by_role("status")).to_have_text("2 of 2 captioned.")


def edit(page: Page, name: str, text: str) -> None:
    """Type a caption, and leave its field."""
    box(page, name).select_text()
    page.keyboard.type(text)
    page.get_by_role("button", name="CSV").focus()


def test_a_question_mark_lists_the_keys(page: Page) -> None:
    keys = page.get_by_role("dialog", name="Keyboard")
    page.keyboard.press("?")
    expect(keys).to_contain_text("Undo the last edit")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.get_by_role("button", name="Keyboard").click()
    keys.get_by_role("button", name="Close").click()
    expect(keys).to_be_hidden()


def test_a_question_mark_can_be_written(page: Page, jpeg: bytes) -> None:
    choose_two(page, jpeg)
    box(page, "a.jpg").select_text()
    page.keyboard.type("Who?")
    expect(box(page, "a.jpg")).to_have_value("Who?")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_esc_closes_the_keys_and_nothing_else(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    expect_told(page)
    held = page.locator("#caption button").first
    held.click()
    expect(held).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(held).to_have_attribute("aria-pressed", "true")


def test_ctrl_z_takes_edits_back_one_by_one(page: Page, jpeg: bytes) -> None:
    choose_two(page, jpeg)
    edit(page, "a.jpg", OWN)
    edit(page, "b.jpg", "One.")
    edit(page, "b.jpg", "Two.")
    for a, b in ((OWN, "One."), (OWN, CAPTION), (CAPTION, CAPTION)):
        page.keyboard.press("Control+z")
        expect(box(page, "a.jpg")).to_have_value(a)
        expect(box(page, "b.jpg")).to_have_value(b)
    expect(box(page, "a.jpg")).to_be_focused()


def test_what_is_taken_back_is_no_edit(page: Page, jpeg: bytes) -> None:
    """So it is captioned again with new settings."""
    choose_two(page, jpeg)
    edit(page, "a.jpg", OWN)
    page.keyboard.press("Control+z")
    page.get_by_text("Settings").click()
    page.get_by_label("Maximum length").fill("2")
    page.get_by_label("Maximum length").press("Enter")
    page.get_by_role("button", name="Caption again").click()
    expect(box(page, "a.jpg")).to_have_value("an astronaut")


def test_within_a_caption_the_browser_undoes(page: Page, jpeg: bytes) -> None:
    choose_two(page, jpeg)
    edit(page, "a.jpg", OWN)
    box(page, "b.jpg").select_text()
    page.keyboard.type("Two.")
    page.keyboard.press("Control+z")
    expect(box(page, "a.jpg")).to_have_value(OWN)


def test_a_table_that_is_gone_is_not_edited(page: Page, jpeg: bytes) -> None:
    choose_two(page, jpeg)
    edit(page, "a.jpg", OWN)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Start over").click()
    choose_two(page, jpeg)
    page.get_by_role("button", name="CSV").focus()
    page.keyboard.press("Control+z")
    expect(box(page, "a.jpg")).to_have_value(CAPTION)
