"""Batches, augmentation and cached features."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from showtell.data import load
from showtell.train.data import TrainingCaptions, augment, caption_of_words, rows_by_step
from showtell.train.encoder import Encoder
from showtell.train.features import Features, Joined, Pixels, extractor, read_images
from showtell.train.recipe import EncoderRecipe, Phase
from showtell.vocab import PAD, Vocabulary, tokenize


@pytest.fixture
def captions(shapes: Path) -> tuple[TrainingCaptions, Vocabulary]:
    photographs = load(shapes).split("train")
    words = [tokenize(c) for p in photographs for c in p.captions]
    vocabulary = Vocabulary.build(words, 2)
    return TrainingCaptions.prepare(photographs, vocabulary, 6), vocabulary


def test_words_of_a_batch_lie_step_by_step() -> None:
    captions = torch.tensor([[1, 5, 6, 2], [1, 7, 2, PAD], [1, 2, PAD, PAD]])
    assert rows_by_step(captions) == [3, 2, 1]
    assert caption_of_words(captions).tolist() == [0, 1, 2, 0, 1, 0]


@pytest.mark.parametrize(("photos", "together"), [(8, 1), (4, 5), (7, 2)])
def test_an_epoch_holds_every_caption_once(
    captions: tuple[TrainingCaptions, Vocabulary], photos: int, together: int
) -> None:
    prepared, _ = captions
    phase = Phase(epochs=1, photos=photos, captions=together, lr=1)
    seen = []
    for batch in prepared.batches(phase, True, [1]):
        lengths = (batch.captions != PAD).sum(1).tolist()
        assert lengths == sorted(lengths, reverse=True)
        assert len(batch.photos) <= photos
        for row, ids in zip(batch.photo, batch.captions, strict=True):
            seen.append((batch.photos[row], tuple(i for i in ids.tolist() if i != PAD)))
    expected = [(i, ids) for i, own in enumerate(prepared.captions) for ids in own]
    assert sorted(seen) == sorted(expected)


def test_a_step_can_hold_captions_of_one_length(
    captions: tuple[TrainingCaptions, Vocabulary],
) -> None:
    prepared, _ = captions
    phase = Phase(epochs=1, photos=24, captions=1, lr=1, same_length=True)
    batches = prepared.batches(phase, False, [1])
    lengths = [set((batch.captions != PAD).sum(1).tolist()) for batch in batches]
    assert all(len(own) == 1 for own in lengths)
    assert sum(len(batch.captions) for batch in batches) == 32 * 5
    in_turn = [next(iter(own)) for own in lengths]
    assert in_turn != sorted(in_turn), "lengths come in any order"
    assert len({photo for batch in batches for photo in batch.photos}) == 32
    again = prepared.batches(phase, False, [1])
    assert all((a.photos == b.photos).all() for a, b in zip(batches, again, strict=True))


def test_processes_share_a_step(captions: tuple[TrainingCaptions, Vocabulary]) -> None:
    prepared, _ = captions
    phase = Phase(epochs=1, photos=7, captions=3, lr=1)
    for whole in prepared.batches(phase, True, [1]):
        parts = [whole.share(rank, 3) for rank in range(3)]
        said = [
            (int(part.photos[row]), tuple(i for i in ids.tolist() if i != PAD))
            for part in parts
            if part.by_captions
            for row, ids in zip(part.photo, part.captions, strict=True)
        ]
        photo, ids = whole.photos[whole.photo], whole.captions.tolist()
        rows = zip(photo.tolist(), ids, strict=True)
        assert sorted(said) == sorted((p, tuple(i for i in own if i != PAD)) for p, own in rows)
        assert sum(part.by_words for part in parts) == pytest.approx(3)
        assert sum(part.by_captions for part in parts) == pytest.approx(3)
        for part in parts:
            lengths = (part.captions != PAD).sum(1).tolist()
            assert lengths == sorted(lengths, reverse=True)
            assert lengths[0] == part.captions.shape[1]
    assert not whole.share(1, 3).by_words, "the last has one photograph"


def test_captions_are_cut(captions: tuple[TrainingCaptions, Vocabulary]) -> None:
    prepared, vocabulary = captions
    assert max(len(ids) for own in prepared.captions for ids in own) == 6 + 2
    assert vocabulary.decode(prepared.captions[0][3])[:3] == ("one", "red", "ball")


def test_a_caption_that_names_a_side_is_never_mirrored(
    captions: tuple[TrainingCaptions, Vocabulary],
) -> None:
    prepared, vocabulary = captions
    phase = Phase(epochs=1, photos=8, captions=1, lr=1)
    flipped = {True: 0, False: 0}
    for batch in prepared.batches(phase, True, [1]):
        for row, ids in zip(batch.photo, batch.captions, strict=True):
            sided = "to" in vocabulary.decode(ids.tolist())
            flipped[sided] += int(batch.mirrored[row])
    assert flipped[True] == 0
    assert 45 < flipped[False] < 83, "half of 128"
    assert not any(b.mirrored.any() for b in prepared.batches(phase, False, [1]))


def test_batches_depend_on_the_seed_alone(captions: tuple[TrainingCaptions, Vocabulary]) -> None:
    prepared, _ = captions
    phase = Phase(epochs=1, photos=8, captions=1, lr=1)
    first, again, other = (prepared.batches(phase, True, [1, s]) for s in (0, 0, 1))
    assert all((a.photos == b.photos).all() for a, b in zip(first, again, strict=True))
    assert any((a.photos != b.photos).any() for a, b in zip(first, other, strict=True))


def test_an_epoch_holds_copies_of_what_counts_more(shapes: Path) -> None:
    photographs = load(shapes).split("train")[:3]
    words = Vocabulary.build([tokenize(c) for p in photographs for c in p.captions], 1)
    captions = TrainingCaptions.prepare(photographs, words, 20, copies=[1, 3, 2])
    phase = Phase(epochs=1, photos=4, captions=5, lr=0.1)
    batches = captions.batches(phase, mirror=False, seed=[1])
    drawn = np.concatenate([batch.photos for batch in batches])
    assert sorted(drawn.tolist()) == [0, 1, 1, 1, 2, 2]


def test_augmentation_mirrors_and_crops() -> None:
    ramp = torch.arange(64, dtype=torch.uint8).view(1, 1, 64, 1).expand(2, 64, 64, 3).contiguous()
    rng = np.random.default_rng(0)
    whole = augment(ramp, np.array([False, True]), 64, rng)
    assert torch.equal(whole[0], ramp[0])
    assert torch.equal(whole[1], ramp[1].flip(1))
    cropped = augment(ramp, np.array([False, False]), 32, rng)
    for image in cropped:
        assert 31 <= int(image.max() - image.min()) < 63, "a part of the ramp, 32 pixels or more"
        assert (image[0, 1:, 0].int() >= image[0, :-1, 0].int()).all()


@pytest.fixture
def encoder(weights: Path) -> Encoder:
    return Encoder(EncoderRecipe("test_resnet", str(weights), size=64))


def test_features_are_the_encoder_s(shapes: Path, encoder: Encoder, tmp_path: Path) -> None:
    photographs = load(shapes).split("train")
    told: list[str] = []
    features = Features(tmp_path, encoder, photographs, True, told.append)
    images = read_images(photographs[:3], 64)
    with torch.inference_mode():
        expected = encoder(torch.stack([images[2], images[0].flip(1)]))
    found = features.read(np.array([2, 0]), np.array([False, True]))
    torch.testing.assert_close(found.float(), expected, rtol=2e-3, atol=2e-3)
    assert "0.00 GB" in told[0], "the size is told before the work"

    Features(tmp_path, encoder, photographs, True, told.append)
    assert len(told) == 1, "computed once"


def test_features_of_onnx_runtime_are_pytorch_s(shapes: Path, encoder: Encoder) -> None:
    """At a batch size that was not traced, with differences far below those of half precision."""
    images = read_images(load(shapes).split("train")[:5], 64)
    with torch.inference_mode():
        expected = encoder(images)
    torch.testing.assert_close(extractor(encoder)(images), expected, rtol=1e-4, atol=1e-4)


def test_several_caches_are_read_as_one(shapes: Path, encoder: Encoder, tmp_path: Path) -> None:
    photographs = load(shapes).split("train")
    whole = Features(tmp_path, encoder, photographs, True, lambda _: None)
    parts = (photographs[:5], photographs[5:6], photographs[6:])
    joined = Joined([Features(tmp_path, encoder, p, True, lambda _: None) for p in parts])
    some, mirrored = np.array([31, 0, 5, 6, 4, 0]), np.array([1, 0, 1, 0, 1, 1], bool)
    assert joined.read(some, mirrored).equal(whole.read(some, mirrored))
    assert joined.read(some[:1]).equal(whole.read(some[:1]))


def test_photographs_are_kept_as_they_are_read(shapes: Path, tmp_path: Path) -> None:
    photographs = load(shapes).split("train")
    told: list[str] = []
    pixels = Pixels(tmp_path, photographs, 64, told.append)
    assert pixels.read(np.array([5, 2])).equal(read_images([photographs[5], photographs[2]], 64))
    assert told[0].startswith("caching photographs: 0.00 GB")

    Pixels(tmp_path, photographs, 64, told.append)
    assert len(told) == 1, "decoded once"
    Pixels(tmp_path, photographs, 32, told.append)
    Pixels(tmp_path, photographs[1:], 64, told.append)
    assert len(told) == 3, "another size, or others, are others"


def test_another_encoder_preprocessing_or_photograph_makes_another_cache(
    shapes: Path, weights: Path, encoder: Encoder, tmp_path: Path
) -> None:
    photographs = load(shapes).split("dev")
    recipe = EncoderRecipe("test_resnet", str(weights), size=64)
    changed = Encoder(recipe)
    with torch.no_grad():
        next(changed.parameters()).add_(0.01)
    others = [
        (encoder, photographs),
        (changed, photographs),
        (Encoder(replace(recipe, mean=[0.3] * 3)), photographs),
        (Encoder(replace(recipe, size=96)), photographs),
        (encoder, photographs[1:]),
    ]
    for network, some in others:
        Features(tmp_path, network, some, False, lambda _: None)
    assert len(list(tmp_path.glob("*.npy"))) == len(others)


def test_a_killed_computation_leaves_no_cache_that_looks_whole(
    shapes: Path, weights: Path, encoder: Encoder, tmp_path: Path
) -> None:
    program = f"""
import pathlib
from showtell.data import load
from showtell.train import features
from showtell.train.encoder import Encoder
from showtell.train.recipe import EncoderRecipe
read = features.read_images
def slow(photographs, size):
    import time
    time.sleep(1)
    return read(photographs, size)
features.read_images = slow
encoder = Encoder(EncoderRecipe("test_resnet", {str(weights)!r}, size=64))
photographs = load({str(shapes)!r}).split("train")
features.Features(pathlib.Path({str(tmp_path)!r}), encoder, photographs, True, print)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob("*.npy"))
    photographs = load(shapes).split("train")
    features = Features(tmp_path, encoder, photographs, True, lambda _: None)
    assert features.read(np.array([31])).abs().sum() > 0
    assert not list(tmp_path.glob("*.part")), "what the killed one left is cleared away"
