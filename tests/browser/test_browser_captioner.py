"""On the same pixels, the browser captions as Python does."""

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

import showtell
from showtell import image
from showtell.captioner import Caption, Captioner
from showtell.search import Search
from showtell.web import samples

CAPTION = """async ([pixels, beams, maxLength]) => {
    const bytes = Uint8Array.from(atob(pixels), (character) => character.charCodeAt(0));
    const state = await captioner.runtime.encode(bytes);
    return Promise.all(beams.map((beam) => captioner.decode(state, { beam, maxLength })));
}"""
LOAD = """async () => {
    const { Captioner } = await import("/captioner.js");
    const { Runtime } = await import("/runtime.js");
    const fetched = async (path) => (await fetch(path)).arrayBuffer();
    const json = async (path) => (await fetch(path)).json();
    const runtime = await Runtime.load(
        await fetched("/ort/onnxruntime.wasm"),
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
    parts = [array[: 40 + 50 * i, 30 * i :] for i, array in enumerate(whole[:3])]
    noise = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    return [*whole, *parts, *map(samples.draw, samples.SAMPLES), noise, np.zeros_like(noise)]


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    return showtell.load(threads=1)


def is_quantised(captioner: Captioner) -> bool:
    """Tell whether weights are whole numbers, which other kernels round otherwise."""
    graphs = (captioner.bundle.path / name for name in ("encoder.onnx", "decoder.onnx"))
    operators = (b"QuantizeLinear", b"MatMulInteger")
    return any(name in graph.read_bytes() for graph in graphs for name in operators)


def require_same(told: dict[str, Any], caption: Caption) -> None:
    expected = caption.to_dict()
    assert told["caption"] == expected["caption"]
    assert told["words"] == expected["words"]
    assert told["confidence"] == pytest.approx(math.exp(told["logprob"] / (len(caption.words) + 1)))
    for name in ("logprob", "probabilities", "gates"):
        assert told[name] == pytest.approx(expected[name], abs=LOGPROB), name
    np.testing.assert_allclose(told["attention"], expected["attention"], atol=ATTENTION)


def test_the_same_captions_on_the_same_pixels(
    visit: Callable[..., Page], site: int, captioner: Captioner
) -> None:
    page = visit(site)
    page.evaluate(LOAD)
    photographs, agree = pictures(), []
    for photograph in photographs:
        pixels = image.read(photograph, captioner.bundle.image_size)
        found = page.evaluate(
            CAPTION, [base64.b64encode(pixels).decode(), BEAMS, Search.max_length]
        )
        state = captioner.encode([pixels]).state
        for beam, told in zip(BEAMS, found, strict=True):
            [expected] = captioner.decode(state, beam=beam)
            assert told.keys() <= expected.to_dict(alternatives=True).keys()
            agree.append(told["caption"] == expected.text)
            if not is_quantised(captioner):
                require_same(told, expected)
                assert len(told["alternatives"]) == len(expected.alternatives)
    assert len(agree) >= 60
    assert sum(agree) > 0.7 * len(agree)
