"""On the same pixels, the browser captions as Python does."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

import showtell
from showtell import image
from showtell.captioner import Caption, Captioner
from showtell.web import samples

CAPTION = """async ([pixels, beams]) => {
    const bytes = Uint8Array.from(atob(pixels), (character) => character.charCodeAt(0));
    return Promise.all(beams.map((beam) => captioner.caption(bytes, { beam: beam ?? undefined })));
}"""
LOAD = """async () => {
    const { Captioner } = await import("/captioner.js");
    const { Runtime } = await import("/runtime.js");
    const fetched = async (path) => (await fetch(path)).arrayBuffer();
    const json = async (path) => (await fetch(path)).json();
    const runtime = await Runtime.load(
        await fetched("/ort/ort-wasm-simd-threaded.wasm"),
        await fetched("/model/encoder.onnx"),
        await fetched("/model/decoder.onnx"),
    );
    const [manifest, words] = [await json("/model/manifest.json"), await json("/model/vocab.json")];
    window.captioner = new Captioner(runtime, manifest, words);
}"""
BEAMS = [1, 3, 5]
# What the two may differ by, as their kernels add in another order.
LOGPROB, ATTENTION = 1e-3, 1e-4


def pictures() -> list[np.ndarray | bytes]:
    """Return photographs of odd shapes, parts of them, drawings, and noise."""
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photographs")
    names = "astronaut brick camera chelsea coffee coins grass gravel logo moon page rocket text"
    whole = [
        np.asarray(Image.fromarray(getattr(data, name)()).convert("RGB")) for name in names.split()
    ]
    parts = [array[: 40 + 50 * i, 30 * i :] for i, array in enumerate(whole[:5])]
    noise = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    return [*whole, *parts, *map(samples.draw, samples.SAMPLES), noise, np.zeros_like(noise)]


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    return showtell.load()


def require_same(told: dict[str, Any], caption: Caption) -> None:
    expected = caption.to_dict()
    assert told["caption"] == expected["caption"]
    assert told["words"] == expected["words"]
    for name in ("logprob", "confidence", "probabilities", "gates"):
        assert told[name] == pytest.approx(expected[name], abs=LOGPROB), name
    np.testing.assert_allclose(told["attention"], expected["attention"], atol=ATTENTION)


def test_the_same_captions_on_the_same_pixels(
    visit: Callable[..., Page], site: int, captioner: Captioner
) -> None:
    page: Page = visit(site)
    page.evaluate(LOAD)
    photographs = pictures()
    assert len(photographs) >= 20
    for photograph in photographs:
        pixels = image.read(photograph, captioner.bundle.image_size)
        found = page.evaluate(CAPTION, [base64.b64encode(pixels).decode(), BEAMS])
        for beam, told in zip(BEAMS, found, strict=True):
            expected = captioner.caption(pixels, beam=beam)
            require_same(told, expected)
            assert told.keys() == expected.to_dict(alternatives=True).keys()
            assert len(told["alternatives"]) == len(expected.alternatives)


def test_what_is_not_asked_for_is_as_in_python(
    visit: Callable[..., Page], site: int, captioner: Captioner
) -> None:
    """The beam and the longest caption."""
    page: Page = visit(site)
    page.evaluate(LOAD)
    pixels = image.read(samples.draw("dog"), captioner.bundle.image_size)
    [told] = page.evaluate(CAPTION, [base64.b64encode(pixels).decode(), [None]])
    require_same(told, captioner.caption(pixels))
