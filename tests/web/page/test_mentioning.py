"""Things: where they are, and captions that mention them or a word that a visitor types."""

from playwright.sync_api import Locator, Page, expect

from tests.web.page.browsing import CAPTION, choose, expect_told

DARKNESS = """async () => {
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const dusk = document.getElementById("dusk");
    const { data } = dusk.getContext("2d").getImageData(0, 0, dusk.width, dusk.height);
    return [data[3], data.at(-1)]; // of the first pixel, and of the last
}"""


def thing(page: Page, name: str) -> Locator:
    return page.locator("#things").get_by_role("button", name=name)


def pressed(page: Page) -> list[str]:
    """Return the words that the caption must mention."""
    return page.locator("#things [aria-pressed=true]").evaluate_all(
        "(buttons) => buttons.map((button) => button.dataset.thing)"
    )


def test_things_stand_below_the_caption(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    expect(page.locator("#things button")).to_have_text(["dog 62%", "traffic light 11%"])
    assert pressed(page) == []


def test_pointing_at_a_thing_shows_where_it_is_seen(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    thing(page, "dog").hover()
    expect(page.locator("#reading")).to_have_text(
        "“dog”: detected at the top left with 62% probability."
    )
    left, right = page.evaluate(DARKNESS)
    assert left < 70 < 190 < right
    page.locator("#copy").hover()
    expect(page.locator("#plate")).not_to_have_class("lit")


def test_the_keyboard_shows_it_too(page: Page, jpeg: bytes) -> None:
    """Afterwards, the map of the selected word is shown again."""
    choose(page, jpeg)
    page.locator("#caption button").first.click()
    page.keyboard.press("Tab")
    expect(thing(page, "dog")).to_be_focused()
    expect(page.locator("#reading")).to_contain_text("“dog”: detected at the top left")
    expect(page.locator("#caption .lit")).to_have_count(0)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#word")).to_be_focused()
    expect(page.locator("#reading")).to_contain_text(
        "“an”: attention is strongest at the bottom left"
    )


def test_a_thing_is_mentioned_and_taken_back(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    thing(page, "traffic light").click()
    expect(page.locator("#caption")).to_have_text(f"{CAPTION} light")
    assert pressed(page) == ["traffic light"]
    thing(page, "dog").click()
    expect(page.locator("#caption")).to_have_text(f"{CAPTION} light dog")
    thing(page, "traffic light").click()
    expect(page.locator("#caption")).to_have_text(f"{CAPTION} dog")
    thing(page, "dog").click()
    expect_told(page)
    assert pressed(page) == []


def test_a_word_is_typed_and_taken_back(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    page.get_by_label("Mention a word").fill("Ball")
    page.get_by_role("button", name="Caption again").click()
    expect(page.locator("#caption")).to_have_text(f"{CAPTION} ball")
    expect(page.get_by_label("Mention a word")).to_have_value("")
    expect(thing(page, "ball")).to_have_text("ball")
    thing(page, "ball").click()
    expect_told(page)
    expect(thing(page, "ball")).to_have_count(0)


def test_an_unknown_word_is_told_and_what_was_there_stays(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    thing(page, "dog").click()
    expect(page.locator("#caption")).to_have_text(f"{CAPTION} dog")
    page.get_by_label("Mention a word").fill("zebra")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text(
        "'mention': 'zebra' is not in the model's vocabulary."
    )
    expect(page.locator("#caption")).to_have_text(f"{CAPTION} dog")
    expect(page.get_by_label("Mention a word")).to_have_value("zebra")
    expect(page.get_by_label("Mention a word")).to_be_focused()
    assert pressed(page) == ["dog"]


def test_words_stay_with_their_region_and_go_with_the_photograph(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    thing(page, "dog").click()
    expect(page.locator("#caption")).to_have_text(f"{CAPTION} dog")
    page.get_by_role("button", name="Caption a region").click()
    page.keyboard.press("Enter")
    expect(page.locator("#caption")).to_have_text("front of a flag")
    assert pressed(page) == []
    thing(page, "traffic light").click()
    expect(page.locator("#caption")).to_have_text("front of a flag light")
    page.get_by_role("button", name="Go back").click()
    expect(page.locator("#caption")).to_have_text(f"{CAPTION} dog")
    assert pressed(page) == ["dog"]
    choose(page, jpeg)
    expect_told(page)
    assert pressed(page) == []
