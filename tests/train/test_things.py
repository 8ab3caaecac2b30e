"""Things, from the classifier to the caption: export, inference, names and mentions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.cli import main
from showtell.data import things
from showtell.errors import OptionError
from showtell.mention import CERTAIN
from showtell.train import checkpoint as checkpoints


@pytest.fixture(scope="module")
def captioner(with_things: Bundle) -> Captioner:
    return Captioner(with_things)


@pytest.fixture(scope="module")
def photographs(shapes: Path) -> list[Path]:
    return sorted(shapes.glob("*.png"))


def run(bundle: Bundle, *arguments: object) -> Result:
    texts = [str(argument) for argument in arguments]
    return CliRunner().invoke(main, ["caption", "--model", str(bundle.path), *texts])


def test_the_graph_gives_the_probabilities_of_the_classifier(
    trained_with_classifier: Path, captioner: Captioner
) -> None:
    """For the whole photograph and each cell, summed over the classes of each thing."""
    encoder = checkpoints.read(trained_with_classifier).build().encoder
    assert encoder.classifier is not None
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    found = captioner.runtime.encode(images, places=True)
    with torch.inference_mode():
        features = encoder(torch.from_numpy(images))  # (B, L, C)
        for values, told in ((features.mean(dim=1), found.things), (features, found.places)):
            classes = encoder.classifier(values).softmax(dim=-1)
            sums = [classes[..., list(thing.classes)].sum(dim=-1) for thing in things.load()]
            np.testing.assert_allclose(told, torch.stack(sums, dim=-1), atol=0.02)


def test_things_are_mapped_when_that_is_asked_for(
    captioner: Captioner, photographs: list[Path]
) -> None:
    plain, mapped = (captioner.caption(photographs[:6], things=asked) for asked in (False, True))
    for one, other in zip(plain, mapped, strict=True):
        assert one.text == other.text
        assert [t.probability for t in one.things] == [t.probability for t in other.things]
        assert all(thing.attention is None for thing in one.things)
        for thing in other.things:
            assert thing.attention is not None
            assert thing.attention.shape == (2, 2)
            assert thing.attention.sum() == pytest.approx(1, abs=1e-5)
    assert any(caption.things for caption in mapped)


def test_a_certain_thing_is_mentioned(captioner: Captioner, photographs: list[Path]) -> None:
    """None of the captions would mention it otherwise."""
    assert captioner.things is not None
    own = dict(zip(captioner.things.names, captioner.things.words, strict=True))
    captions = captioner.caption(photographs)
    certain = [
        c
        for c in captions
        if c.things and c.things[0].probability >= CERTAIN and own[c.things[0].name]
    ]
    assert certain
    assert all(set(own[c.things[0].name]) & set(c.words) for c in certain)
    captioner.things, kept = None, captioner.things
    without = captioner.caption(photographs)
    captioner.things = kept
    assert [c.words for c in without] != [c.words for c in captions]


def test_a_person_asks_for_words(captioner: Captioner, photographs: list[Path]) -> None:
    found = captioner.caption(photographs[0], mention=("left", "one"), region=(0, 0, 40, 50))
    for caption in (found, *found.alternatives):
        assert {"left", "one"} <= set(caption.words)
    with pytest.raises(OptionError, match="'zebra'"):
        captioner.caption(photographs[0], mention="zebra")
    with pytest.raises(OptionError, match="needs at least 2 words"):
        captioner.caption(photographs[0], mention=("left", "one"), max_length=1)


def test_the_command_prints_what_is_seen(with_things: Bundle, photographs: list[Path]) -> None:
    done = run(with_things, *photographs[:2], "--things")
    first, heading, thing, *_ = done.stdout.splitlines()
    assert first.startswith(f"{photographs[0]}\t")
    assert heading.split() == ["thing", "p"]
    assert thing.startswith("    ")
    assert 0.05 <= float(thing.split()[-1]) <= 1
    assert done.stdout.count("    thing") == 2


def test_the_command_mentions(with_things: Bundle, photographs: list[Path]) -> None:
    done = run(with_things, photographs[0], "--mention", "left", "--mention", "one")
    assert {"left", "one"} <= set(done.stdout.split("\t")[1].split())
    done = run(with_things, photographs[0], "--mention", "zebra")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "'zebra' is not in the model's vocabulary" in done.stderr


def test_a_model_without_a_classifier_says_so(exported: Bundle, photographs: list[Path]) -> None:
    done = run(exported, photographs[0], "--things")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "this model has no classifier" in done.stderr
