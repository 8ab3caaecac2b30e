"""Selecting a region of the photograph, and which words come from the photograph."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from tests.web.page.browsing import CAPTION, choose, encode, expect_told, upload, word
from tests.web.standins import WORDS, serving

OF_A_PART = WORDS[5:]


def show(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    expect_told(page)


def place(page: Page, x: float, y: float) -> dict[str, float]:
    """Return the position on the page of a point of the plate, x and y from 0 to 1."""
    box = page.locator("#plate").bounding_box()
    assert box
    return {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}


def draw(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(**place(page, *start))
    page.mouse.down()
    page.mouse.move(**place(page, *end), steps=4)
    page.mouse.up()


def region_after(page: Page, act: Callable[[], None]) -> list[int]:
    """Return the region that `act` requests from the server, and wait for its caption."""
    with page.expect_response(re.compile("/captions")) as answer:
        act()
    region = answer.value.json()["region"]
    expect_told(page, OF_A_PART)
    return region


def test_a_frame_has_its_part_told_beside_the_whole(page: Page, jpeg: bytes) -> None:
    show(page, jpeg)
    expect(page.locator("#whole")).to_be_hidden()
    region = region_after(page, lambda: draw(page, (0.75, 0.5), (0.25, 0.1)))
    assert region == pytest.approx([128, 51, 384, 256], abs=2)
    expect(page.locator("#whole q")).to_have_text(CAPTION)
    ratio = "(canvas) => canvas.width / canvas.height"
    assert page.locator("#photo").evaluate(ratio) == pytest.approx(256 / 205, abs=0.02)


@pytest.mark.parametrize("key", [None, "Escape"])
def test_the_whole_photograph_comes_back(page: Page, jpeg: bytes, key: str | None) -> None:
    show(page, jpeg)
    region_after(page, lambda: draw(page, (0.1, 0.1), (0.4, 0.9)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    if key:
        page.keyboard.press(key)
    else:
        page.get_by_role("button", name="Go back").click()
    expect_told(page)
    expect(page.locator("#whole")).to_be_hidden()
    assert page.locator("#photo").evaluate("(c) => [c.width, c.height]") == [512, 512]
    assert not any("/api/" in url for url in asked), "what is known is not asked for again"


def test_a_frame_may_be_drawn_over_the_edge(page: Page, jpeg: bytes) -> None:
    show(page, jpeg)
    region = region_after(page, lambda: draw(page, (0.5, 0.5), (1.2, -0.2)))
    assert region == pytest.approx([256, 0, 512, 256], abs=2)


def test_a_part_of_a_part(page: Page, jpeg: bytes) -> None:
    show(page, jpeg)
    region_after(page, lambda: draw(page, (0.5, 0.5), (1, 1)))
    region = region_after(page, lambda: draw(page, (0.5, 0), (1, 0.5)))
    assert region == pytest.approx([384, 256, 512, 384], abs=2)
    expect(page.locator("#whole q")).to_have_text(CAPTION)


def test_the_keys_move_the_frame_and_size_it(page: Page, jpeg: bytes) -> None:
    show(page, jpeg)
    page.get_by_role("button", name="Caption a region").press("Enter")
    frame = page.get_by_role("application", name="Region to caption")
    expect(frame).to_be_focused()
    expect(page.get_by_text("Drag on the photograph to select a region.")).to_be_visible()
    for key in ("ArrowRight", "Shift+ArrowUp", *["ArrowUp"] * 9):
        page.keyboard.press(key)
    expect(page.get_by_role("status")).to_have_text("Region: 30 to 80% across, 0 to 45% down.")
    region = region_after(page, lambda: page.keyboard.press("Enter"))
    assert region == pytest.approx([154, 0, 410, 230], abs=2)


def test_escape_puts_the_frame_away(page: Page, jpeg: bytes) -> None:
    show(page, jpeg)
    button = page.get_by_role("button", name="Caption a region")
    button.click()
    page.keyboard.press("Escape")
    expect(page.locator("#frame")).to_be_hidden()
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-pressed", "false")


def test_another_photograph_has_no_frame_yet(page: Page, jpeg: bytes) -> None:
    show(page, jpeg)
    page.get_by_role("button", name="Caption a region").click()
    with page.expect_response(re.compile("/captions")):
        choose(page, jpeg)
    expect(page.locator("#frame")).to_be_hidden()
    expect(page.locator("#point")).to_have_attribute("aria-pressed", "false")


def test_a_finger_draws_the_frame(visit: Callable[..., Page], app: Flask, jpeg: bytes) -> None:
    """Before the button is pressed, it scrolls as usual."""
    with serving(app) as port:
        page = visit(port, has_touch=True, viewport={"width": 360, "height": 740})
        show(page, jpeg)
        assert page.locator("#plate").evaluate("(e) => getComputedStyle(e).touchAction") == "auto"
        page.get_by_role("button", name="Caption a region").tap()
        devtools = page.context.new_cdp_session(page)

        def swipe() -> None:
            for kind, *at in (("Start", 0.2, 0.2), ("Move", 0.5, 0.5), ("Move", 0.8, 0.6)):
                points = [place(page, *at)]
                event = {"type": f"touch{kind}", "touchPoints": points}
                devtools.send("Input.dispatchTouchEvent", event)
            devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

        assert region_after(page, swipe) == pytest.approx([102, 102, 410, 307], abs=3)


def test_a_refusal_leaves_the_whole_photograph(page: Page, jpeg: bytes) -> None:
    """A frame of less than a pixel is empty."""
    choose(page, upload(encode(jpeg, "PNG", (9, 9)), "tiny.png"))
    expect_told(page)
    draw(page, (0.5, 0.5), (0.53, 0.9))
    expect(page.get_by_role("alert").first).to_contain_text("is empty")
    expect_told(page)
    expect(page.locator("#whole")).to_be_hidden()


def test_what_the_browser_cannot_read_has_no_parts(page: Page, jpeg: bytes) -> None:
    choose(page, upload(encode(jpeg, "TIFF", (300, 200)), "scan.tif"))
    expect_told(page)
    draw(page, (0.2, 0.2), (0.6, 0.9))
    expect(page.get_by_role("alert").first).to_contain_text("This browser cannot read")
    expect_told(page)


def test_words_that_were_merely_said_are_marked(page: Page, jpeg: bytes) -> None:
    show(page, jpeg)
    expect(page.locator("#caption .unseen")).to_have_text(WORDS[::2])
    expect(page.locator("#panels .unseen > span")).to_have_text(WORDS[::2])
    word(page, "an").hover()
    expect(page.locator("#reading")).to_contain_text(
        "With the attended cells masked, the probability is 0.99; with random cells, 0.90. "
        "The word comes from the language model."
    )
    word(page, "astronaut").hover()
    expect(page.locator("#reading")).to_contain_text(
        "With the attended cells masked, the probability is 0.32; with random cells, 0.70. "
        "The word comes from the photograph."
    )


def test_of_another_sentence_nothing_is_proved(page: Page, jpeg: bytes) -> None:
    show(page, jpeg)
    page.get_by_role("radio").nth(1).check()
    expect_told(page, WORDS[:-1])
    expect(page.locator(".unseen")).to_have_count(0)
    word(page, "an").hover()
    expect(page.locator("#reading")).not_to_contain_text("masked")


def test_the_figure_of_a_part_is_taken_away(page: Page, jpeg: bytes) -> None:
    show(page, jpeg)
    region = region_after(page, lambda: draw(page, (0.1, 0.1), (0.9, 0.4)))
    with page.expect_download(), page.expect_request(re.compile("/figures")) as drawn:
        page.get_by_role("button", name="Figure").click()
    (told,) = parse_qs(urlsplit(drawn.value.url).query)["region"]
    assert told == ",".join(map(str, region))
