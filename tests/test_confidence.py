"""Confidences of words, and detection of photographs that are out of distribution."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from showtell.bundle import COMPONENTS, SHIPPED, Bundle
from showtell.captioner import Captioner
from showtell.confidence import OUT_OF_DISTRIBUTION, ConfidenceModel, features, visual_mean
from showtell.data import load
from showtell.errors import BundleError

# A mean of ones, and one component, the first axis.
MODEL = ConfidenceModel(
    visual=np.array([1.0, 0, 0, 0, 0]),
    function=np.array([0.0, 0, 0, 0, 2]),
    components=np.array([[1, 1, 1], [1, 0, 0]], np.float16),
    ood_limit=4.0,
)


def test_what_components_explain_is_in_distribution() -> None:
    """The score is the part of the mean annotation that the components do not explain."""
    photographs = np.array([[[9, 1, 1], [-5, 1, 1]], [[7, 2, 4], [7, 4, 2]]], np.float32)
    np.testing.assert_allclose(MODEL.ood_score(photographs), [0, 8], atol=1e-5)


def test_words_of_each_kind_have_weights_of_their_own() -> None:
    said = MODEL.confidences(
        ("a", "dog"), np.array([0.5, 0.25], np.float32), np.zeros(2, np.float32), -2.0
    )
    # only log p for visual words; nothing for function words
    np.testing.assert_allclose(said, [1 / (1 + np.exp(-2)), 0.25 / 1.25])


def test_what_is_seen_counts_as_far_as_there_are_weights() -> None:
    """Bundles from before the detector have weights for three numbers of what is seen, or none."""
    seen = np.array([[0, 0, 0.5, 2], [1, -1, 0.5, -3]])
    said = ("a", "dog"), np.array([0.5, 0.25], np.float32), np.zeros(2, np.float32), -2.0
    for n, expected in ((5, [0, 0]), (8, [0.5, 0.5]), (9, [2.5, -2.5])):
        weights = np.r_[np.zeros(7), 1, 1][:n]
        model = replace(MODEL, visual=weights, function=weights)
        np.testing.assert_allclose(
            model.confidences(*said, seen), 1 / (1 + np.exp(-np.array(expected)))
        )


def test_features_of_certain_words_are_finite() -> None:
    told = features(np.array([0.0, 1.0], np.float32), np.array([0.1, 0.9]), -6.0)
    assert np.isfinite(told).all()
    np.testing.assert_allclose(told[:, 2:], [[0.1, -2, 1, 0, 0, 0, 0], [0.9, -2, 1, 0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("words", "mean"), [(("a", "dog", "runs"), 0.3), (("in", "the"), 0.5), ((), 0.0)]
)
def test_of_a_caption_the_visual_words_count(words: tuple[str, ...], mean: float) -> None:
    assert visual_mean(words, np.array([0.8, 0.2, 0.4])[: len(words)]) == pytest.approx(mean)


def bundle_with(folder: Path, found: ConfidenceModel) -> Bundle:
    for name, content in found.files().items():
        (folder / name).write_bytes(content)
    return Bundle(folder, {"doubt": found.entry()}, Bundle.load().vocabulary)


@pytest.mark.parametrize("n", [5, 8, 9])
def test_a_bundle_keeps_it(tmp_path: Path, n: int) -> None:
    model = replace(MODEL, visual=np.arange(n, dtype=float), function=np.ones(n))
    read = ConfidenceModel.read(bundle_with(tmp_path, model), 3)
    assert read is not None
    for name in ("visual", "function", "components", "ood_limit"):
        np.testing.assert_array_equal(getattr(read, name), getattr(model, name))


@pytest.mark.parametrize(
    "changes",
    [
        {"visual": np.ones(4)},
        {"function": np.full(5, np.nan)},
        {"components": np.ones((2, 4), np.float16)},
        {"components": np.ones(3, np.float16)},
        {"components": np.ones((2, 3), np.float64)},
    ],
)
def test_one_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, np.ndarray]) -> None:
    with pytest.raises(BundleError, match="does not match"):
        ConfidenceModel.read(bundle_with(tmp_path, replace(MODEL, **changes)), 3)


def test_one_that_is_broken_is_refused(tmp_path: Path) -> None:
    """Pickles are refused, and no memory is allocated for missing data."""
    bundle = bundle_with(tmp_path, MODEL)
    with pytest.raises(BundleError, match="cannot be read"):
        ConfidenceModel.read(replace(bundle, manifest={"doubt": {"limit": 1.0}}), 3)
    np.save(tmp_path / COMPONENTS, np.array([{}]), allow_pickle=True)
    with pytest.raises(BundleError, match="cannot be read"):
        ConfidenceModel.read(bundle, 3)
    large = BytesIO()
    np.lib.format.write_array_header_1_0(
        large, {"descr": "<f2", "fortran_order": False, "shape": (10**9, 3)}
    )
    (tmp_path / COMPONENTS).write_bytes(large.getvalue())
    with pytest.raises(BundleError, match="cannot be read"):
        ConfidenceModel.read(bundle, 3)
    (tmp_path / COMPONENTS).unlink()
    with pytest.raises(BundleError, match=r"familiar\.npy: missing"):
        ConfidenceModel.read(bundle, 3)


# With the model that ships


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    return Captioner(Bundle.load(), threads=1)


def page_of_text() -> np.ndarray:
    page = Image.new("RGB", (420, 560), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(16)
    for y in range(30, 530, 24):
        draw.text((30, y), "what is written here is no picture of anything", "black", font)
    return np.asarray(page)


def drawing() -> np.ndarray:
    page = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(page)
    draw.line([(80, 350), (80, 200), (200, 100), (320, 200), (320, 350), (80, 350)], "black", 4)
    draw.ellipse((180, 220, 220, 260), outline="black", width=3)
    return np.asarray(page)


STRANGERS = {
    "text": page_of_text,
    "drawing": drawing,
    "noise": lambda: np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8),
    "grey": lambda: np.full((300, 400, 3), 128, np.uint8),
    "phantom": lambda: (255 * data.shepp_logan_phantom()).astype(np.uint8),
    "page": data.page,
    "handwriting": data.text,
    "coins": data.coins,
    "moon": data.moon,
    "cell": data.cell,
    "bricks": data.brick,
}


def test_pictures_of_other_kinds_are_strange(captioner: Captioner) -> None:
    """Noise had a confident caption: a boy in a red shirt."""
    pictures = [draw() for draw in STRANGERS.values()]
    pictures = [p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in pictures]
    found = dict(zip(STRANGERS, captioner.caption(pictures, beam=2), strict=True))
    sure = [name for name, caption in found.items() if caption.unsure is False]
    assert len(sure) <= 1, sure
    for name in found.keys() - sure:
        assert found[name].warnings == (OUT_OF_DISTRIBUTION,)
        assert found[name].to_dict()["unsure"] is True
        assert all(other.unsure for other in found[name].alternatives)


def test_photographs_like_those_of_the_training_are_not(captioner: Captioner, shared: Path) -> None:
    photographs = load(shared / "flickr8k").split("test")[::40]
    found = captioner.caption([p.path for p in photographs], beam=2)
    assert sum(OUT_OF_DISTRIBUTION in caption.warnings for caption in found) <= 2
    assert sum(caption.unsure for caption in found) <= len(found) / 3
    for caption in found:
        assert 0 < caption.confidence < 1
        assert caption.confidences.shape == (len(caption.words),)
        assert caption.confidence == pytest.approx(
            visual_mean(caption.words, caption.confidences), abs=1e-6
        )


def test_the_detector_speaks_for_what_is_there(captioner: Captioner) -> None:
    """What it says of a word does not depend on the words around it."""
    encoded = captioner.encode([data.coffee(), data.chelsea()])
    found = captioner.evidence(encoded, 1, ("a", "cat", "surfboard"))
    assert found.shape == (3, 4)
    _, cat, surfboard = found[:, 3]
    assert cat > 1 > 0 > surfboard
    assert captioner.evidence(encoded, 1, ("cat",))[0, 3] == cat
    assert captioner.evidence(encoded, 0, ("cat",))[0, 3] < cat
    blind = encoded._replace(state=encoded.state._replace(evidence=None), things=None)
    assert not captioner.evidence(blind, 1, ("a", "cat")).any()


def test_a_warning_of_the_file_comes_first(captioner: Captioner) -> None:
    """One of the two warnings replaced the other."""
    file = BytesIO()
    noise = Image.fromarray(STRANGERS["noise"]())
    noise.save(file, "GIF", save_all=True, append_images=[noise.rotate(180)])
    first, second = captioner.caption(file.getvalue(), beam=1).warnings
    assert first != OUT_OF_DISTRIBUTION
    assert second == OUT_OF_DISTRIBUTION


def test_an_older_bundle_has_no_confidence_model() -> None:
    """Without one, the confidence is the geometric mean of the probabilities."""
    bundle = Bundle.load()
    manifest = {name: value for name, value in bundle.manifest.items() if name != "doubt"}
    found = Captioner(replace(bundle, manifest=manifest), threads=1).caption(page_of_text(), beam=2)
    assert found.unsure is None
    assert found.warnings == ()
    assert found.confidence == pytest.approx(np.exp(found.logprob / (len(found.words) + 1)))
    np.testing.assert_array_equal(found.confidences, found.probabilities)


def test_components_are_small() -> None:
    assert (SHIPPED / COMPONENTS).stat().st_size < 200_000
