"""The page in a real browser: from choosing a photograph to the light on each word."""

import re
import shutil
from collections.abc import Iterator
from io import BytesIO

import pytest
from flask import Flask
from PIL import Image
from standins import WORDS, serving

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser, Page, expect  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=30_000)  # a busy machine is no failure

# How dark the light's canvas is in a corner, 0..255, once the animation has drawn.
DARKNESS = """async ([right, bottom]) => {
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const canvas = document.getElementById("light");
    const at = [right * (canvas.width - 1), bottom * (canvas.height - 1)];
    return canvas.getContext("2d").getImageData(...at, 1, 1).data[3];
}"""
LOWER_LEFT, UPPER_RIGHT = [0, 1], [1, 0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as drivers:
        browser = drivers.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, app: Flask) -> Iterator[Page]:
    """The page, opened; no script may fail, no policy be violated, no request go elsewhere."""
    errors: list[str] = []
    requests: list[str] = []
    with serving(app) as port, browser.new_context(reduced_motion="reduce") as context:
        origin = f"http://127.0.0.1:{port}/"
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(origin)
        yield page
    assert [error for error in errors if not error.startswith("Failed to load resource")] == []
    assert [url for url in requests if not url.startswith((origin, f"blob:{origin}"))] == []


def choose(page: Page, data: bytes, name: str = "photo.jpg") -> None:
    page.set_input_files(
        "#file", {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )


def word(page: Page, text: str) -> "playwright.Locator":
    return page.locator("#caption").get_by_role("button", name=text, exact=True)


def encode(data: bytes, form: str, size: tuple[int, int], **options: object) -> bytes:
    file = BytesIO()
    Image.open(BytesIO(data)).resize(size).save(file, form, **options)
    return file.getvalue()


def test_a_photograph_its_caption_and_a_panel_for_every_word(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    expect(page.locator("#caption")).to_have_text("an astronaut's smile in front of a flag")
    expect(page.locator("#caption button")).to_have_text(WORDS)
    expect(page.locator("#panels li")).to_have_text(WORDS)
    expect(page.locator("#photo")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text(
        "Caption: an astronaut's smile in front of a flag."
    )
    expect(page.get_by_role("img", name="“an”: brightest at the bottom left")).to_be_visible()


def test_the_light_falls_where_the_model_looked(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    first, last = page.locator("#caption button").first, page.locator("#caption button").last
    first.hover()
    assert page.evaluate(DARKNESS, LOWER_LEFT) < 20 < 200 < page.evaluate(DARKNESS, UPPER_RIGHT)
    last.hover()
    assert page.evaluate(DARKNESS, UPPER_RIGHT) < 20 < 200 < page.evaluate(DARKNESS, LOWER_LEFT)
    page.locator("h1").hover()
    assert page.evaluate(DARKNESS, LOWER_LEFT) == page.evaluate(DARKNESS, UPPER_RIGHT) == 0


def test_a_click_holds_the_light_and_another_lets_it_go(page: Page, jpeg: bytes) -> None:
    choose(page, jpeg)
    smile = word(page, "smile")
    smile.click()
    page.locator("h1").hover()
    expect(smile).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#panels .lit")).to_have_text("smile")
    page.locator("#panels li", has_text="flag").click()
    expect(word(page, "flag")).to_have_attribute("aria-pressed", "true")
    expect(smile).to_have_attribute("aria-pressed", "false")
    word(page, "flag").click()
    expect(word(page, "flag")).to_have_attribute("aria-pressed", "false")


def test_the_keyboard_walks_through_the_sentence(page: Page, jpeg: bytes) -> None:
    page.keyboard.press("Tab")
    expect(page.locator("#file")).to_be_focused()
    choose(page, jpeg)
    expect(page.locator("#panels li")).to_have_count(len(WORDS))
    lit = page.locator("#caption .lit")
    page.keyboard.press("Tab")
    expect(lit).to_have_text("an")
    page.keyboard.press("ArrowRight")
    expect(lit).to_have_text("astronaut")
    expect(lit).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    expect(lit).to_have_text("flag")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    expect(lit).to_have_text("an")
    page.keyboard.press("Escape")
    expect(lit).to_have_count(0)


def test_a_file_that_is_no_photograph_is_told_in_words(page: Page, jpeg: bytes) -> None:
    choose(page, b"A photograph of a dog.", "notes.txt")
    expect(page.get_by_role("alert")).to_contain_text("not a photograph that is read here")
    expect(page.locator("#plate")).to_be_hidden()
    choose(page, jpeg)
    expect(page.locator("#panels li")).to_have_count(len(WORDS))
    expect(page.get_by_role("alert")).to_be_empty()


def test_a_file_over_the_limit_is_not_sent(browser: Browser, app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 2**20
    with serving(app) as port, browser.new_page() as page:
        methods: list[str] = []
        page.on("request", lambda request: methods.append(request.method))
        page.goto(f"http://127.0.0.1:{port}/")
        choose(page, bytes(2**20 + 1))
        expect(page.get_by_role("alert")).to_contain_text("larger than 1 MB")
        assert "POST" not in methods


def test_a_server_that_has_gone_is_told_in_words(browser: Browser, app: Flask, jpeg: bytes) -> None:
    with browser.new_page() as page:
        with serving(app) as port:
            page.goto(f"http://127.0.0.1:{port}/")
        choose(page, jpeg)
        expect(page.get_by_role("alert")).to_contain_text("The server does not answer")


def test_a_photograph_that_lies_on_its_side_is_shown_upright(page: Page, jpeg: bytes) -> None:
    """The server turns it by its EXIF orientation; the frame must have the turned one's shape."""
    exif = Image.Exif()
    exif[0x0112] = 6
    choose(page, encode(jpeg, "JPEG", (300, 100), exif=exif))
    expect(page.locator("#plate")).to_have_attribute("style", re.compile(r"--ratio: 0\.333"))


def test_a_format_that_browsers_cannot_show_is_captioned_all_the_same(
    page: Page, jpeg: bytes
) -> None:
    choose(page, encode(jpeg, "TIFF", (64, 64)), "scan.tif")
    expect(page.locator("#panels li")).to_have_count(len(WORDS))
    expect(page.locator("#photo")).to_be_hidden()
    expect(page.locator("#light")).to_be_visible()


def test_a_photograph_can_be_dropped(page: Page, jpeg: bytes) -> None:
    dropped = page.evaluate_handle(
        """(bytes) => {
            const dropped = new DataTransfer();
            dropped.items.add(new File([new Uint8Array(bytes)], "photo.jpg"));
            return dropped;
        }""",
        list(jpeg),
    )
    page.dispatch_event("label", "drop", {"dataTransfer": dropped})
    expect(page.locator("#panels li")).to_have_count(len(WORDS))


def test_nothing_sticks_out_on_a_narrow_screen(page: Page, jpeg: bytes) -> None:
    """The hidden file field made the page wider than a telephone's screen."""
    page.set_viewport_size({"width": 360, "height": 740})
    for _ in range(2):
        assert page.evaluate("() => document.documentElement.scrollWidth") == 360
        choose(page, jpeg)
        expect(page.locator("#panels li")).to_have_count(len(WORDS))
