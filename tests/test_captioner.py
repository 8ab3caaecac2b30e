"""Captions of real photographs by the model that ships."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import showtell
from showtell import image
from showtell.errors import ImageError, RegionError
from showtell.search import Search


@pytest.fixture(scope="module")
def captioner() -> showtell.Captioner:
    return showtell.load()


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photographs") / "astronaut.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


def test_a_caption_and_its_attention(captioner: showtell.Captioner, photograph: Path) -> None:
    caption = captioner.caption(photograph)
    assert caption.text
    assert len(caption.words) >= 3
    assert set(caption.words) <= set(captioner.bundle.vocabulary.words)
    assert caption.attention.shape == (len(caption.words), 9, 9)
    assert caption.attention.dtype == np.float32
    np.testing.assert_allclose(caption.attention.sum(axis=(1, 2)), 1, rtol=1e-5)
    assert 0 < caption.confidence < 1
    for shares in (caption.probabilities, caption.gates, caption.confidences):
        assert shares.shape == (len(caption.words),)
        assert np.all((shares > 0) & (shares <= 1))
    assert caption.model == "showtell-wider-pairs"


def test_the_alternatives_are_the_rest_of_the_beam(captioner: showtell.Captioner) -> None:
    found = captioner.caption(data.astronaut(), beam=4)
    others = found.alternatives
    assert 1 <= len(others) <= 3
    assert len({found.words, *(other.words for other in others)}) == len(others) + 1
    for other in others:
        assert other.attention.shape == (len(other.words), 9, 9)
        assert other.alternatives == ()
    assert captioner.caption(data.astronaut(), beam=1).alternatives == ()


def test_a_part_is_captioned_as_if_nothing_were_around_it(
    captioner: showtell.Captioner, photograph: Path
) -> None:
    region = (130, 30, 330, 300)
    found = captioner.caption(photograph, region=region)
    alone = captioner.caption(Image.open(photograph).crop(region))
    assert (found.text, found.region) == (alone.text, region)
    np.testing.assert_array_equal(found.attention, alone.attention)
    assert found.to_dict()["region"] == [130, 30, 330, 300]
    assert "region" not in alone.to_dict()


def test_a_part_of_each_of_several_photographs(captioner: showtell.Captioner) -> None:
    photographs, region = [data.astronaut(), data.coffee()], (0, 0, 300, 300)
    found = captioner.caption(photographs, region=region)
    parts = captioner.caption([photograph[:300, :300] for photograph in photographs])
    assert [c.text for c in found] == [c.text for c in parts]
    with pytest.raises(RegionError, match="451 x 300 pixels"):
        captioner.caption([data.astronaut(), data.chelsea()], region=(0, 0, 512, 512))


def test_the_proof_of_a_caption(captioner: showtell.Captioner, photograph: Path) -> None:
    found = captioner.caption(photograph, proof=True)
    assert found.proof is not None
    n = len(found.words)
    for falls in (found.proof.attended, found.proof.random):
        assert falls.shape == (n,)
        assert np.all((falls <= found.probabilities) & (falls >= found.probabilities - 1))
    told = found.to_dict()["proof"]
    assert {len(told[name]) for name in ("attended", "random", "seen")} == {n}
    assert all(type(seen) is bool for seen in told["seen"])
    assert "proof" not in captioner.caption(photograph).to_dict()


def test_an_older_bundle_has_no_proof(
    captioner: showtell.Captioner, photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captioner.runtime, "cells_vary", False)
    assert captioner.caption(photograph, proof=True).proof is None


@pytest.mark.parametrize("max_length", [1, 4, 6])
def test_a_shorter_caption_is_a_whole_one(captioner: showtell.Captioner, max_length: int) -> None:
    found = captioner.caption(data.astronaut(), max_length=max_length)
    for caption in (found, *found.alternatives):
        assert 1 <= len(caption.words) <= max_length
        # includes the end-of-sentence token
        assert caption.logprob < np.log(caption.probabilities).sum()


def test_a_caption_told_in_plain_types(captioner: showtell.Captioner) -> None:
    found = captioner.caption(data.astronaut())
    told = found.to_dict("a.jpg", attention=False, alternatives=True)
    assert told["image"] == "a.jpg"
    assert told["grid"] == [9, 9]
    assert "attention" not in told
    assert [other["caption"] for other in told["alternatives"]] == [
        other.text for other in found.alternatives
    ]
    assert "alternatives" not in found.to_dict()


def test_every_form_of_a_photograph_gives_the_same_caption(
    captioner: showtell.Captioner, photograph: Path
) -> None:
    sources = [
        str(photograph),
        photograph,
        photograph.read_bytes(),
        Image.open(photograph),
        data.astronaut(),
    ]
    captions = captioner.caption(sources)
    assert len({caption.text for caption in captions}) == 1


def test_a_list_gives_a_list_in_its_order(captioner: showtell.Captioner) -> None:
    photographs = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    together = captioner.caption(photographs, beam=3)
    alone = [captioner.caption(photograph, beam=3) for photograph in photographs]
    assert [c.text for c in together] == [c.text for c in alone]
    assert len({c.text for c in together}) > 1
    for a, b in zip(together, alone, strict=True):
        assert a.logprob == pytest.approx(b.logprob, abs=1e-3)
    assert captioner.caption([]) == []


def test_a_photograph_that_cannot_be_used_is_an_error(captioner: showtell.Captioner) -> None:
    with pytest.raises(ImageError):
        captioner.caption(b"no photograph")


def test_an_error_is_a_value_in_its_place(captioner: showtell.Captioner) -> None:
    gone = ImageError("it cannot be fetched")
    coffee, text, far, outside, rocket = captioner.caption_each(
        [data.coffee(), b"no photograph", gone, data.coffee()[:9, :9], data.rocket()],
        Search(beam=1, region=(0, 0, 100, 100)),
    )
    assert far is gone
    assert isinstance(text, ImageError)
    assert isinstance(outside, RegionError)
    for photograph, caption in ((data.coffee(), coffee), (data.rocket(), rocket)):
        assert isinstance(caption, showtell.Caption)
        alone = captioner.caption(photograph, beam=1, region=(0, 0, 100, 100))
        assert caption.words == alone.words
        # Matrix products of a batch may be summed in another order.
        np.testing.assert_allclose(caption.confidences, alone.confidences, rtol=1e-5)
        np.testing.assert_allclose(caption.attention, alone.attention, atol=1e-6)


def test_an_error_does_not_keep_its_photograph(captioner: showtell.Captioner) -> None:
    """The frames of the tracebacks of an error and its causes kept the decoded picture."""
    (error,) = captioner.caption_each([b"\xff\xd8\xff" + bytes(99) + b"\xff\xd9"])
    assert isinstance(error, ImageError)
    assert error.__cause__ is not None
    assert error.__traceback__ is error.__cause__.__traceback__ is None


def test_a_photograph_is_read_once(
    captioner: showtell.Captioner, photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """caption_each read photographs twice."""
    opened = []

    def open_upright(source: object, **options: object) -> Image.Image:
        opened.append(source)
        return real(source, **options)  # type: ignore[arg-type]

    real = image.open_upright
    monkeypatch.setattr(image, "open_upright", open_upright)
    captioner.caption_each([photograph.read_bytes()], beam=1)
    captioner.caption(photograph, beam=1)
    assert opened == [photograph.read_bytes()] * 2


def test_options_by_name_override_those_of_a_search(captioner: showtell.Captioner) -> None:
    search = Search(beam=2, max_length=4)
    found = captioner.caption(data.astronaut(), search, beam=1)
    assert found.alternatives == ()
    assert len(found.words) <= 4
    with pytest.raises(TypeError, match="beem"):
        captioner.caption(data.astronaut(), beem=1)


def test_a_beam_of_nothing_is_refused(captioner: showtell.Captioner) -> None:
    with pytest.raises(ValueError, match="beam"):
        captioner.caption(data.astronaut(), beam=0)


def test_the_runtime_needs_nothing_of_the_training_half(photograph: Path) -> None:
    """With the modules of training and evaluation blocked, captions, the page and --help work."""
    program = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "timm", "pycocoevalcap", "lightning_fabric"):
            raise ModuleNotFoundError(name)
        if name.startswith(("showtell.train", "showtell.evaluation")):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
import showtell
from showtell.web import create_app
from showtell.cli import main
captioner = showtell.load()
print(captioner.caption({str(photograph)!r}).text)
assert create_app(captioner).test_client().get("/").status_code == 200
main(["--help"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    caption, _, rest = done.stdout.partition("\n")
    assert len(caption.split()) >= 3
    assert "Caption photographs" in rest
