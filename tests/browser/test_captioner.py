"""For the same pixels, the browser's captions equal Python's."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Error, Page

import showtell
from showtell import image, web
from showtell.bundle import Bundle
from showtell.caption import Caption
from showtell.captioner import Captioner
from showtell.errors import OptionError
from showtell.search import Search

CAPTION = """async ([pixels, beams, maxLength]) => {
    const bytes = Uint8Array.from(atob(pixels), (character) => character.charCodeAt(0));
    const encoded = await captioner.runtime.encode(bytes);
    const found = [];
    for (const beam of beams) found.push(await captioner.decode(encoded, { beam, maxLength }));
    return found;
}"""
ANSWER = """async ([pixels, options]) => {
    const bytes = Uint8Array.from(atob(pixels), (character) => character.charCodeAt(0));
    return captioner.caption(bytes, options);
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
    const read = await Promise.all(
        ["/model/manifest.json", "/model/vocab.json", "/constants.json"].map(json),
    );
    window.captioner = new Captioner(runtime, ...read);
}"""
BEAMS = [1, 3, 5]
# Tolerances: the kernels add in another order.
LOGPROB, ATTENTION = 1e-3, 1e-4


def pictures() -> list[np.ndarray | bytes]:
    """Return photographs of unusual shapes, parts of them, the samples of the page, and noise."""
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photographs")
    names = "astronaut brick camera chelsea coffee coins grass gravel logo moon page rocket text"
    whole = [
        np.asarray(Image.fromarray(getattr(data, name)()).convert("RGB")) for name in names.split()
    ]
    parts = [array[: 40 + 50 * i, 30 * i :] for i, array in enumerate(whole[:3])]
    noise = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    offered = sorted((Path(web.__file__).parent / "static/samples").iterdir())
    return [*whole, *parts, *(path.read_bytes() for path in offered), noise, np.zeros_like(noise)]


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    return showtell.load(threads=1)


def is_quantised(captioner: Captioner) -> bool:
    """Return whether the model is quantised; other kernels round differently."""
    graphs = (captioner.bundle.path / name for name in ("encoder.onnx", "decoder.onnx"))
    operators = (b"QuantizeLinear", b"MatMulInteger")
    return any(name in graph.read_bytes() for graph in graphs for name in operators)


def require_same(told: dict[str, Any], caption: Caption) -> None:
    expected = caption.to_dict()
    assert told["caption"] == expected["caption"]
    assert told["words"] == expected["words"]
    assert told["unsure"] == expected["unsure"]
    assert told["warnings"] == expected["warnings"]
    for name in ("logprob", "confidence", "confidences", "probabilities", "gates"):
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
        encoded = captioner.encode([pixels])
        for beam, told in zip(BEAMS, found, strict=True):
            [expected] = captioner.decode(encoded, beam=beam)
            assert told.keys() == expected.to_dict(alternatives=True).keys()
            agree.append(told["caption"] == expected.text)
            if not is_quantised(captioner):
                require_same(told, expected)
                assert len(told["alternatives"]) == len(expected.alternatives)
    assert len(agree) >= 60
    assert sum(agree) > 0.7 * len(agree)


def require_close(told: Any, expected: Any, name: str) -> None:
    """Check that two captions are equal, with tolerances for numbers."""
    if isinstance(expected, dict):
        assert told.keys() == expected.keys(), name
        for key in expected:
            require_close(told[key], expected[key], f"{name}.{key}")
    elif isinstance(expected, list):
        assert len(told) == len(expected), name
        for i, (one, other) in enumerate(zip(told, expected, strict=True)):
            require_close(one, other, f"{name}[{i}]")
    elif isinstance(expected, float):
        assert told == pytest.approx(expected, abs=LOGPROB), name
    else:
        assert told == expected, name


def test_a_bundle_with_things_word_for_word(
    visit: Callable[..., Page], site_with_things: int, with_things: Bundle, shapes: Path
) -> None:
    """The complete captions, including things, the words mentioned for them, and confidences."""
    captioner = Captioner(with_things, threads=1)
    page = visit(site_with_things)
    page.evaluate(LOAD)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    answers = []
    for photograph in [*sorted(shapes.glob("*.png"))[::6], noise]:
        pixels = image.read(photograph, captioner.bundle.image_size)
        data = base64.b64encode(pixels).decode()
        for beam, words in ((1, []), (5, []), (5, ["Left"]), (3, ["one", "box"])):
            options = {"beam": beam, "maxLength": Search.max_length, "mention": words}
            told = page.evaluate(ANSWER, [data, options])
            expected = captioner.caption(pixels, beam=beam, mention=words, things=True)
            require_close(told, expected.to_dict(alternatives=True), f"{photograph} {words}")
            answers.append(told)
    assert {answer["unsure"] for answer in answers} == {True, False}
    assert any(answer["things"] for answer in answers)


@pytest.mark.parametrize("words", [["zebra"], ["left"] * 5])
def test_words_that_cannot_be_mentioned(
    visit: Callable[..., Page], site_with_things: int, with_things: Bundle, words: list[str]
) -> None:
    """The error messages are the same."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(OptionError) as expected:
        Captioner(with_things, threads=1).caption(pixels, mention=words)
    page = visit(site_with_things)
    page.evaluate(LOAD)
    options = {"beam": 1, "maxLength": Search.max_length, "mention": words}
    with pytest.raises(Error) as told:
        page.evaluate(ANSWER, [base64.b64encode(pixels).decode(), options])
    assert f"{expected.value}." in told.value.message
