"""Self-critical training: samples, rewards, the loss and learning."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.data import load
from showtell.errors import RecipeError
from showtell.search import Search
from showtell.train import checkpoint as checkpoints
from showtell.train import recipe as recipes
from showtell.train.checkpoint import Checkpoint
from showtell.train.data import TrainingCaptions
from showtell.train.engine import train
from showtell.train.export import export
from showtell.train.features import read_images
from showtell.train.model import Seen
from showtell.train.plot import read_log
from showtell.train.reinforce import Reward, SelfCritical, draw, word_losses
from showtell.train.start import network_of
from showtell.train.validate import caption
from showtell.vocab import END, PAD, START, UNK, tokenize


@pytest.fixture(scope="module")
def references(shapes: Path) -> list[list[list[str]]]:
    return [[tokenize(c) for c in p.captions] for p in load(shapes).split("train")]


@pytest.fixture
def checkpoint(trained: Path) -> Checkpoint:
    return checkpoints.read(trained)


@pytest.fixture
def features(shapes: Path, checkpoint: Checkpoint) -> torch.Tensor:
    """The features of the train split."""
    with torch.no_grad():
        return checkpoint.build().encoder(read_images(load(shapes).split("train"), 64))


@pytest.fixture
def self_critical(shapes: Path, checkpoint: Checkpoint) -> Callable[..., SelfCritical]:
    def make(network: torch.nn.Module, **changes: float) -> SelfCritical:
        recipe, vocabulary = checkpoint.recipe, checkpoint.vocabulary
        photographs = load(shapes).split("train")
        captions = TrainingCaptions.prepare(photographs, vocabulary, 25)
        phase = replace(recipe.selfcritical, photos=8, **changes)
        return SelfCritical(recipe, phase, network, captions, photographs, vocabulary)

    return make


def test_rewards_are_the_library_s(references: list[list[list[str]]]) -> None:
    """Computed for the whole split, since document frequencies depend on it."""
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    said = ["a red ball <end>", "there is a", "blue box on grey <end>", "<end>"]
    captions = [said[i % 4] for i in range(len(references))]
    scorer = CiderScorer()
    for spoken, own in zip(captions, references, strict=True):
        scorer += (spoken, [" ".join([*words, "<end>"]) for words in own])
    _, expected = scorer.compute_score()

    reward = Reward(references)
    photos = np.arange(len(references))
    np.testing.assert_allclose(reward(photos, captions), expected, atol=1e-9)
    some = np.array([7, 3, 3])
    mine = reward(some, [captions[i] for i in some])
    np.testing.assert_allclose(mine, expected[some], atol=1e-9)
    many = reward(photos.repeat(3), [c for c in captions for _ in range(3)])
    np.testing.assert_allclose(many, expected.repeat(3), atol=1e-9)


def test_a_caption_that_breaks_off_is_worth_less(references: list[list[list[str]]]) -> None:
    """When the reward ignored END, captions learned to end with "a" and "with"."""
    reward = Reward(references)
    whole, cut, open_end = reward(
        np.zeros(3, int), ["there is a red ball <end>", "there is a red ball", "a red ball a <end>"]
    )
    assert whole > cut
    assert whole > open_end


def test_drawn_captions_say_only_words(checkpoint: Checkpoint, features: torch.Tensor) -> None:
    decoder = checkpoint.build().decoder
    with torch.no_grad():
        decoder.L_o.bias[[PAD, START, UNK]] += 9  # so that errors are visible
        decoder.L_o.bias[END] -= 3
    torch.manual_seed(1)
    drawn = draw(decoder, Seen(features), 4)
    assert drawn.shape == (32, 4, 1 + Search.max_length)
    lengths = []
    for ids in drawn.flatten(0, 1).tolist():
        assert ids[0] == START
        said = ids[1 : ids.index(END) + 1] if END in ids else ids[1:]
        assert not {PAD, START, UNK} & set(said)
        assert set(ids[1 + len(said) :]) <= {PAD}
        lengths.append(len(said))
    assert min(lengths) < Search.max_length, "some end"
    assert any(END not in ids for ids in drawn.flatten(0, 1).tolist()), "some are cut off"
    torch.manual_seed(1)
    assert draw(decoder, Seen(features), 4).equal(drawn)


def test_captions_are_drawn_as_often_as_they_are_likely(
    checkpoint: Checkpoint, features: torch.Tensor
) -> None:
    """For the first words of 2,000 captions of one photograph, and for the loss."""
    network = checkpoint.build()
    torch.manual_seed(0)
    first = draw(network.decoder, Seen(features[:1]), 2000)[0, :, 1]
    words, counts = first.unique(return_counts=True)
    ids = torch.stack([torch.full_like(words, START), words], dim=1)
    with torch.no_grad():
        nll, _, _ = word_losses(network, features[:1], torch.zeros_like(words), ids)
    likely = (-nll).softmax(dim=0)
    torch.testing.assert_close(counts / 2000, likely, atol=0.035, rtol=0)


def test_the_loss_is_what_the_paper_says(
    checkpoint: Checkpoint,
    features: torch.Tensor,
    self_critical: Callable[..., SelfCritical],
    references: list[list[list[str]]],
) -> None:
    """Compared with a computation for each caption, with the decoder's steps."""
    network, photos = checkpoint.build(), np.array([5, 0, 9])
    objective = self_critical(network, captions=3, doubly_stochastic=0.0)
    torch.manual_seed(3)
    measured = objective.measure(
        network, features[photos], SimpleNamespace(photos=photos, by_captions=1.0)
    )
    torch.manual_seed(3)
    drawn = draw(network.decoder, Seen(features[photos]), 3)

    words, reward = checkpoint.vocabulary.words, Reward(references)
    total, said, worth = 0.0, 0, []
    for photo, captions in zip(photos, drawn.tolist(), strict=True):
        texts = [" ".join(words[i] for i in ids[1:] if i != PAD) for ids in captions]
        rewards = reward(np.full(3, photo), texts)
        worth.extend(rewards)
        for j, ids in enumerate(captions):
            logprob, length = log_probability(network.decoder, features[photo : photo + 1], ids)
            baseline = np.delete(rewards, j).mean()
            total -= (rewards[j] - baseline) * logprob
            said += length
    assert float(measured["loss"].detach()) == pytest.approx(total / said, abs=1e-5)
    assert float(measured["reward"]) == pytest.approx(np.mean(worth), abs=1e-5)


@torch.no_grad()
def log_probability(decoder: torch.nn.Module, features: torch.Tensor, ids: list[int]) -> tuple:
    """Return the log-probability of a caption when sampling, and its length."""
    state = decoder.start(Seen(features))
    state = state._replace(h=state.h.unsqueeze(1), c=state.c.unsqueeze(1))
    total, said = 0.0, [i for i in ids[1:] if i != PAD]
    for last, word in zip(ids, said, strict=False):
        logprobs, _, _, state = decoder.step(state, torch.tensor([[last]]))
        probabilities = logprobs[0, 0].exp()
        probabilities[[PAD, START, UNK]] = 0
        total += float((probabilities[word] / probabilities.sum()).log())
    return total, len(said)


def test_a_single_caption_has_no_baseline(
    checkpoint: Checkpoint, self_critical: Callable[..., SelfCritical]
) -> None:
    with pytest.raises(RecipeError, match="must be 2 or more"):
        self_critical(checkpoint.build(), captions=1)


def test_a_network_is_surer_of_itself_while_it_is_trained(
    recipe_file: Path, exported: Bundle
) -> None:
    """With a learning rate of 0, a phase only applies the temperature, once, and undoes it."""
    changes = alone(exported, "selfcritical.lr=0", "selfcritical.temperature=0.5")
    run = train(recipes.read(recipe_file, [*changes, "selfcritical.epochs=2"]), say=lambda _: None)
    last, kept = checkpoints.read(run / "last.json"), checkpoints.read(run)
    for name, tensor in network_of(exported, kept.build()).items():
        torch.testing.assert_close(last.network[name], (2 if ".L_o." in name else 1) * tensor)
        torch.testing.assert_close(kept.network[name], tensor)


def test_what_is_kept_lies_on_the_way_from_the_start(recipe_file: Path, exported: Bundle) -> None:
    changes = alone(exported, "selfcritical.lr=0.01", "selfcritical.temperature=0.5")
    run = train(recipes.read(recipe_file, [*changes, "selfcritical.mix=0.25"]), say=lambda _: None)
    last, kept = checkpoints.read(run / "last.json"), checkpoints.read(run)
    for name, start in network_of(exported, kept.build()).items():
        end = last.network[name] / (2 if ".L_o." in name else 1)
        torch.testing.assert_close(kept.network[name], start + (end - start) / 4)
    assert not kept.network["decoder.init_h.weight"].equal(last.network["decoder.init_h.weight"])


def alone(start: Bundle, *changes: str) -> list[str]:
    """Only the self-critical phase."""
    epochs = ["frozen.epochs=0", "finetune.epochs=0", "selfcritical.epochs=1"]
    return [f"start={start.path}", *epochs, "selfcritical.photos=2", *changes]


def test_rewards_rise(recipe_file: Path, exported: Bundle) -> None:
    changes = ["epochs=25", "patience=25", "photos=8", "lr=0.003"]
    changes = [f"selfcritical.{change}" for change in changes]
    run = train(recipes.read(recipe_file, alone(exported, *changes)), say=lambda _: None)
    rewards = [r["reward"] for r in read_log(run) if "reward" in r]
    assert len(rewards) == 25 * 4 // 25
    assert rewards[-1] > rewards[0] + 0.5, rewards
    best = checkpoints.read(run)
    start = checkpoints.read(run / "last.json").start
    assert start == exported.manifest["training"]
    assert best.progress["best"] == max(r["cider"] for r in read_log(run) if "cider" in r)


def test_photographs_can_be_read_anew(recipe_file: Path, exported: Bundle) -> None:
    changes = alone(exported, "selfcritical.encoder_lr=1e-4", "selfcritical.photos=16")
    run = train(recipes.read(recipe_file, changes), say=lambda _: None)
    after = checkpoints.read(run / "last.json")
    before = network_of(exported, after.build())
    assert all(not before[name].equal(after.network[name]) for name in before), "the CNN learns too"
    kept = {path.name.partition("-")[0] for path in Path(after.recipe.cache).iterdir()}
    assert kept == {"photographs"}, "no features are kept"


def test_a_run_starts_from_the_bundle_s_captions(
    recipe_file: Path, exported: Bundle, shapes: Path, tmp_path: Path
) -> None:
    """With a learning rate of 0, nothing changes; `min_count` has no effect on the vocabulary."""
    changes = alone(exported, "selfcritical.lr=0", "min_count=50")
    run = train(recipes.read(recipe_file, changes), say=lambda _: None)
    found = checkpoints.read(run)
    assert found.vocabulary == exported.vocabulary
    photographs = load(shapes).split("test")
    network = found.build()
    with torch.inference_mode():
        seen = network.encoder(read_images(photographs, 64))
        ours = caption(network, iter([seen]), found.vocabulary, 3)
    theirs = Captioner(exported).caption([p.path for p in photographs], beam=3)
    assert ours == [c.words for c in theirs]

    card = (export(run, tmp_path / "model", lambda _: None).path / "README.md").read_text()
    told = " ".join(card.split())
    assert "trained alone for up to 8 epochs" in told, "how the bundle was trained comes first"
    assert "then the decoder alone was rewarded for up to 1 epochs" in told
    assert str(exported.path.parent) not in card
