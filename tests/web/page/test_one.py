"""One photograph: its caption, and the attention maps."""

import re
from collections.abc import Callable
from io import BytesIO

import pytest
from flask import Flask
from PIL import Image
from playwright.sync_api import Page, expect

from showtell.web import create_app
from tests.web.page.browsing import CAPTION, choose, encode, expect_told, upload, word
from tests.web.standins import WORDS, FakeCaptioner, HeldCaptioner, serving

# Darkness of a corner of the photograph, 0..255, after the animation.
DARKNESS = """async ([right, bottom]) => {
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const canvas = document.getElementById("dusk");
    const at = [right * (canvas.width - 1), bottom * (canvas.height - 1)];
    return canvas.getContext("2d").getImageData(...at, 1, 1).data[3];
}"""
LOWER_LEFT, UPPER_RIGHT = [0, 1], [1, 0]
# Records each highlighted word in `seen`.
WATCH = """() => {
    window.seen = [];
    const note = () => {
        const lit = document.querySelector("#caption .lit")?.textContent;
        if (lit && lit !== seen.at(-1)) seen.push(lit);
    };
    const watched = { subtree: true, attributeFilter: ["class"] };
    new MutationObserver(note).observe(document.getElementById("caption"), watched);
}"""
COLOURS = """(canvas) => {
    const { width, height } = canvas;
    return new Set(canvas.getContext("2d").getImageData(0, 0, width, height).data).size;
}"""
LONG = 6000  # milliseconds of the page's clock, enough to play a caption
OPACITY = "(id) => Number(getComputedStyle(document.getElementById(id)).opacity)"


def test_a_photograph_its_caption_and_a_panel_for_every_word(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    expect(page.locator("#caption")).to_have_text(CAPTION)
    expect_told(page)
    expect(page.locator("#photo")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text(f"Caption: {CAPTION}.")
    expect(page.locator("#panels small").first).to_have_text("p 0.90, β 0.20")
    expect(
        page.get_by_role(
            "img",
            name="“an”: attention is strongest at the bottom left. Probability 0.90, gate β 0.20",
        )
    ).to_be_visible()


def test_the_light_falls_where_the_model_looked(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    first, last = page.locator("#caption button").first, page.locator("#caption button").last
    first.hover()
    assert page.evaluate(DARKNESS, LOWER_LEFT) < 70 < 200 < page.evaluate(DARKNESS, UPPER_RIGHT)
    expect(page.locator("#reading")).to_contain_text(
        "“an”: attention is strongest at the bottom left"
    )
    last.hover()
    assert page.evaluate(DARKNESS, UPPER_RIGHT) < 70 < 200 < page.evaluate(DARKNESS, LOWER_LEFT)
    assert page.evaluate(OPACITY, "dusk") == 1
    page.locator("h1").hover()
    expect(page.locator("#reading")).to_contain_text("Hover over a word to see")
    assert page.evaluate(OPACITY, "dusk") == page.evaluate(OPACITY, "grey") == 0


def test_a_place_tells_which_words_looked_there(
    page: Page, captioner: FakeCaptioner, jpeg: bytes
) -> None:
    share = captioner.caption(jpeg).attention[0, 6, 0]
    choose(page, jpeg)
    expect_told(page)
    plate = page.locator("#plate")
    box = plate.bounding_box()
    assert box
    plate.hover(position={"x": 9, "y": box["height"] - 9})
    expect(page.locator("#reading")).to_have_text(
        f"“an” attends here most: {100 * share:.0f}% of its attention."
    )
    thick = "(word) => parseFloat(getComputedStyle(word).textDecorationThickness)"
    assert word(page, "an").evaluate(thick) > 6 > 2 > word(page, "flag").evaluate(thick)
    plate.hover(position={"x": box["width"] - 9, "y": 9})
    expect(page.locator("#reading")).to_contain_text("“flag” attends here most")
    page.locator("h1").hover()
    expect(page.locator("#reading")).to_contain_text("Hover over a word to see")
    assert word(page, "an").evaluate(thick) < 2


def test_a_click_holds_the_light_and_another_lets_it_go(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    smile = word(page, "smile")
    smile.click()
    page.locator("h1").hover()
    expect(smile).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#panels .lit span")).to_have_text("smile")
    page.locator("#panels li", has_text="flag").click()
    expect(word(page, "flag")).to_have_attribute("aria-pressed", "true")
    expect(smile).to_have_attribute("aria-pressed", "false")
    word(page, "flag").click()
    expect(word(page, "flag")).to_have_attribute("aria-pressed", "false")


def test_a_finger_holds_a_word(visit: Callable[..., Page], app: Flask, jpeg: bytes) -> None:
    with serving(app) as port:
        page = visit(port, has_touch=True, viewport={"width": 360, "height": 740})
        choose(page, jpeg)
        word(page, "smile").tap()
        expect(page.locator("#reading")).to_contain_text("“smile”")


def test_the_keyboard_walks_through_the_sentence(page: Page, jpeg: bytes) -> None:
    for _ in range(2):  # the first is the link of the name
        page.keyboard.press("Tab")
    expect(page.locator("#file")).to_be_focused()
    choose(page, jpeg)
    expect_told(page)
    lit = page.locator("#caption .lit")
    page.locator("#point").focus()
    page.keyboard.press("Tab")
    expect(lit).to_have_text("an")
    page.keyboard.press("ArrowRight")
    expect(lit).to_have_text("astronaut")
    expect(lit).to_be_focused()
    expect(lit).to_have_accessible_description(
        re.compile("“astronaut”: attention is strongest at the")
    )
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    expect(lit).to_have_text("flag")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    expect(lit).to_have_text("an")
    page.keyboard.press("Escape")
    expect(lit).to_have_count(0)


def test_the_caption_writes_itself(visit: Callable[..., Page], app: Flask, jpeg: bytes) -> None:
    """The caption is faint at first; then its words are highlighted one by one, with their maps."""
    with serving(app) as port:
        page = visit(port, reduced_motion="no-preference")
        page.evaluate(WATCH)
        choose(page, jpeg)
        expect(page.locator("body")).to_have_attribute("data-playing", "writing")
        expect(page.locator("#caption")).to_have_text(CAPTION)
        last = page.locator("#caption button").last
        expect(last).to_have_css("opacity", "0.22")
        page.locator("#speed").select_option("4×")
        expect(page.locator("body")).not_to_have_attribute("data-playing", re.compile(""))
        expect(last).to_have_css("opacity", "1")
        assert page.evaluate("() => seen") == list(WORDS)


def test_playing_and_pausing(page: Page, jpeg: bytes) -> None:
    page.clock.install()
    choose(page, jpeg)
    page.evaluate(WATCH)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()
    lit = page.locator("#caption .lit")
    paused = lit.text_content() or ""
    page.clock.run_for(LONG)
    expect(lit).to_have_text(paused)
    page.locator("#speed").select_option("4×")
    page.get_by_role("button", name="Play").click()
    expect(lit).to_have_count(0)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert page.evaluate("() => seen") == list(WORDS)


def test_choosing_a_word_stops_the_play(page: Page, jpeg: bytes) -> None:
    page.clock.install()
    choose(page, jpeg)
    page.get_by_role("button", name="Play").click()
    word(page, "flag").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.clock.run_for(LONG)
    expect(page.locator("#caption .lit")).to_have_text("flag")


@pytest.mark.parametrize(("strength", "dusk", "heat"), [(0, 0, 0), (0.5, 1, 0), (1, 1, 1)])
def test_the_slider_goes_from_photograph_to_heat_map(
    page: Page, jpeg: bytes, strength: float, dusk: float, heat: float
) -> None:
    choose(page, jpeg)
    word(page, "an").click()
    page.get_by_role("slider", name="Blend of photograph and attention map").fill(str(strength))
    assert page.evaluate(OPACITY, "dusk") == dusk
    assert page.evaluate(OPACITY, "heat") == heat


def test_the_maps_can_be_seen_on_the_models_own_grid(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    word(page, "an").click()
    size = "(canvas) => [canvas.width, canvas.height]"
    assert page.locator("#heat").evaluate(size) == [56, 56]
    page.get_by_role("checkbox", name="Raw grid").check()
    expect(word(page, "an")).to_have_attribute("aria-pressed", "true")
    page.evaluate(DARKNESS, LOWER_LEFT)  # waits until the animation has finished
    assert page.locator("#heat").evaluate(size) == [7, 7]
    assert page.evaluate(DARKNESS, LOWER_LEFT) < 70 < 200 < page.evaluate(DARKNESS, UPPER_RIGHT)


def test_another_sentence_of_the_beam(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    others = page.get_by_role("radio")
    expect(others).to_have_count(3)
    page.get_by_label("an astronaut's smile in front of a", exact=True).check()
    expect_told(page, WORDS[:-1])
    page.get_by_label(CAPTION, exact=True).check()
    expect_told(page)


def test_a_setting_asks_again(page: Page, captioner: FakeCaptioner, jpeg: bytes) -> None:
    choose(page, jpeg)
    expect_told(page)
    page.get_by_text("Settings").click()
    longest, beam = page.get_by_label("Maximum length"), page.get_by_label("Beam size")
    longest.fill("4")
    longest.press("Enter")
    expect_told(page, WORDS[:4])
    beam.fill("1")
    beam.press("Tab")
    expect(page.get_by_role("radio")).to_have_count(1)
    beam.fill("99")  # invalid, so there is no request
    longest.fill("3")
    longest.press("Enter")
    expect_told(page, WORDS[:3])
    assert captioner.beams == [5, 5, 1, 5]


def test_a_photograph_that_lies_on_its_side_is_shown_upright(page: Page, jpeg: bytes) -> None:
    """The server applies the EXIF orientation; the page must show the same shape."""
    exif = Image.Exif()
    exif[0x0112] = 6
    choose(page, encode(jpeg, "JPEG", (300, 100), exif=exif))
    expect(page.locator("#plate")).to_have_attribute("style", re.compile(r"--ratio: 0\.333"))


def test_a_format_that_browsers_cannot_show_is_shown_all_the_same(page: Page, jpeg: bytes) -> None:
    """The photograph was missing; now the server sends a preview."""
    choose(page, upload(encode(jpeg, "TIFF", (3000, 2000)), "scan.tif"))
    expect_told(page)
    expect(page.locator("#plate")).to_have_attribute("style", re.compile(r"--ratio: 1\.(5|499)"))
    assert page.locator("#photo").evaluate(COLOURS) > 100


def test_an_animation_shows_the_frame_that_the_model_saw(page: Page) -> None:
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue")]
    file = BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=40, loop=0)
    choose(page, upload(file.getvalue(), "moving.gif"))
    expect_told(page)
    assert page.locator("#photo").evaluate(
        "(photo) => [...photo.getContext('2d').getImageData(9, 9, 1, 1).data]"
    ) == [255, 0, 0, 255]


def test_the_old_light_does_not_fall_on_a_new_photograph(
    visit: Callable[..., Page], jpeg: bytes
) -> None:
    """With the pointer on a selected word, its map was shown over the new photograph."""
    captioner = HeldCaptioner()
    captioner.let_go.set()
    with serving(create_app(captioner)) as port:
        page = visit(port)
        choose(page, jpeg)
        word(page, "smile").click()
        captioner.let_go.clear()
        choose(page, jpeg)
        expect(page.locator("#looking")).to_be_visible()
        page.locator("h1").hover()
        expect(page.locator("#plate")).to_be_visible()
        expect(page.locator("#plate")).not_to_have_class(re.compile("lit"))
        captioner.let_go.set()
        expect_told(page)


def test_what_is_said_of_a_map_is_what_is_seen(page: Page, jpeg: bytes) -> None:
    """After upsampling, several weak cells can be brighter than a strong one."""
    choose(page, jpeg)
    expect_told(page)
    said = page.evaluate(
        """async () => {
            const { lightOf, whereabouts } = await import("/static/attention.js");
            const map = new Array(49).fill(0);
            map[12] = 0.3; // alone at the top right
            for (const i of [35, 36, 42, 43]) map[i] = 0.25; // together at the bottom left
            return [false, true].map((own) => whereabouts(lightOf(map, [7, 7], own)));
        }"""
    )
    assert said == ["bottom left", "top right"]


def test_a_newcomer_that_is_refused_does_not_cost_what_was_told(
    visit: Callable[..., Page], app: Flask, jpeg: bytes
) -> None:
    with serving(app) as port:
        page = visit(port)
        choose(page, jpeg)
        expect_told(page)
        choose(page, upload(b"no photograph", "notes.txt"))
        expect(page.get_by_role("alert")).to_contain_text("not a supported image format")
        expect_told(page)
        expect(page.locator("#plate")).to_be_visible()
    page.get_by_text("Settings").click()
    page.get_by_label("Beam size").fill("2")
    page.get_by_label("Beam size").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The server is not responding")
    expect_told(page)


def test_settings_close_by_escape_and_elsewhere(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    word(page, "smile").click()
    page.get_by_text("Settings").click()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Beam size")).to_be_hidden()
    expect(word(page, "smile")).to_have_attribute("aria-pressed", "true")
    page.get_by_text("Settings").click()
    page.locator("#plate").click()
    expect(page.get_by_label("Beam size")).to_be_hidden()


def test_nothing_jumps_when_the_pointer_comes_to_a_word(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    expect_told(page)
    for width in (360, 600, 768, 1000, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        tops = []
        for place in ("#take", "#caption button:first-child", "h1"):
            page.locator(place).hover()
            tops.append(page.locator("#play").evaluate("(e) => e.offsetTop"))
        assert len(set(tops)) == 1, width
