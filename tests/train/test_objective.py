"""Hard attention: its gradient, compared with enumeration, and the other terms of the loss."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from showtell.train import recipe as recipes
from showtell.train.data import Batch, TrainingCaptions
from showtell.train.model import Decoder, Seen, doubly_stochastic_penalty
from showtell.train.objective import CrossEntropy, HardAttention
from showtell.train.recipe import DecoderRecipe, HardAttentionRecipe, Phase, Recipe
from showtell.vocab import END, PAD, START

C, V, L = 5, 7, 3
NONE = TrainingCaptions((), ())
PHASE = Phase(epochs=1, photos=1, captions=1, lr=1, doubly_stochastic=0)
SHORT, LONG = [START, 5, END, PAD], [START, 4, 6, END]


@pytest.fixture
def decoder() -> Decoder:
    torch.manual_seed(0)
    sizes = DecoderRecipe(annotation=6, attention=5, embedding=4, hidden=6, dropout=0)
    decoder = Decoder(C, V, sizes)
    with torch.no_grad():  # so that the location matters
        for name, parameter in decoder.named_parameters():
            parameter.mul_(1 if "annotate" in name else 3)
    return decoder


@pytest.fixture
def features() -> Tensor:
    return torch.randn(2, L, C, generator=torch.Generator().manual_seed(1))


def recipe(**hard: float) -> Recipe:
    none = HardAttentionRecipe(reward=0, entropy=0, expected=0)
    return Recipe("", PHASE, PHASE, hard=replace(none, **hard), label_smoothing=0)


def batch(*captions: list[int], photo: list[int]) -> Batch:
    return whole(torch.tensor(photo), torch.tensor(captions))


def gradient(network: torch.nn.Module, loss: Tensor) -> Tensor:
    parameters = list(network.parameters())
    found = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
    pairs = zip(parameters, found, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in pairs])


class Replay:
    """Attends to given locations, and records their log-probabilities."""

    def __init__(self, places: tuple[int, ...]) -> None:
        self.places, self.likely = iter(places), torch.ones(())

    def __call__(self, alpha: Tensor) -> Tensor:
        place = next(self.places)
        self.likely = self.likely * alpha[0, place]
        return F.one_hot(torch.tensor([place]), L).float()


def whole(photo: Tensor, captions: Tensor) -> Batch:
    """Return a step with these captions."""
    photos = np.arange(int(photo.max()) + 1)
    return Batch(photos, np.zeros(len(photos), bool), photo, captions)


def bound(decoder: Decoder, features: Tensor, caption: list[int]) -> Tensor:
    """Equation 10: the expected log-likelihood over all locations."""
    words, total = len(caption) - 1, torch.zeros(())
    for places in product(range(L), repeat=words):
        look = Replay(places)
        logits, targets, _ = decoder(
            Seen(features), torch.tensor([0]), torch.tensor([caption]), look
        )
        total = total - look.likely * F.cross_entropy(logits, targets, reduction="sum")
    return total


@pytest.mark.parametrize("baseline", [0.0, -1.5])
@pytest.mark.parametrize("caption", [[START, END], [START, 4, END]])
def test_the_gradient_is_right_on_average(
    decoder: Decoder, features: Tensor, caption: list[int], baseline: float
) -> None:
    """This holds for any baseline, which only reduces the variance."""
    one, words, n = features[:1], len(caption) - 1, 40_000
    many = batch(*[caption] * n, photo=[0] * n)
    torch.manual_seed(0)
    estimate = HardAttention(recipe(reward=1), PHASE, NONE, baseline).measure(
        decoder, Seen(one), many
    )
    blind = HardAttention(recipe(reward=0), PHASE, NONE).measure(decoder, Seen(one), many)
    exact = -bound(decoder, one, caption) / words
    everything, where = decoder, torch.nn.ModuleList([decoder.attention.v, decoder.attention.W])
    for part, tolerance in ((everything, 0.04), (where, 0.2)):
        expected = gradient(part, exact)
        assert distance(gradient(part, estimate["loss"]), expected) < tolerance
    # The first word's location affects v and W only through the reward.
    assert distance(gradient(where, blind["loss"]), gradient(where, exact)) > 0.9


def distance(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def test_a_caption_is_rewarded_as_a_whole(decoder: Decoder, features: Tensor) -> None:
    """For captions of two lengths: Σ (log p(y|s) - b T) Σ log p(s), per word."""
    both, b = batch(LONG, SHORT, photo=[1, 0]), -1.2
    torch.manual_seed(3)
    measured = HardAttention(recipe(reward=0.7), PHASE, NONE, b).measure(
        decoder, Seen(features), both
    )
    torch.manual_seed(3)
    torch.rand(2)
    alphas: list[Tensor] = []
    places: list[Tensor] = []

    def look(alpha: Tensor) -> Tensor:
        alphas.append(alpha)
        places.append(torch.multinomial(alpha, 1)[:, 0])
        return F.one_hot(places[-1], L).float()

    logits, targets, _ = decoder(Seen(features), both.photo, both.captions, look)
    logp = logits.log_softmax(1)[torch.arange(5), targets]
    total = logp.sum()
    for row, words in ((0, [0, 2, 4]), (1, [1, 3])):
        reward = float(logp[words].detach().sum()) - b * len(words)
        likely = sum(alphas[t][row, places[t][row]].log() for t in range(len(words)))
        total = total + 0.7 * reward * likely
    torch.testing.assert_close(measured["loss"], -total / 5)
    torch.testing.assert_close(
        gradient(decoder, measured["loss"]), gradient(decoder, -total / 5), rtol=1e-4, atol=1e-6
    )


def test_the_baseline_is_a_moving_average(decoder: Decoder, features: Tensor) -> None:
    objective, both = HardAttention(recipe(), PHASE, NONE), batch(LONG, SHORT, photo=[1, 0])
    expected = 0.0
    for seed in range(3):
        torch.manual_seed(seed)
        measured = objective.measure(decoder, Seen(features), both)
        expected = 0.9 * expected - 0.1 * float(measured["loss"].detach())
        assert float(measured["baseline"]) == pytest.approx(expected)


def test_entropy_is_rewarded(decoder: Decoder, features: Tensor) -> None:
    one = batch([START, END], photo=[0])
    torch.manual_seed(0)
    without = HardAttention(recipe(), PHASE, NONE).measure(decoder, Seen(features[:1]), one)
    torch.manual_seed(0)
    with_it = HardAttention(recipe(entropy=0.5), PHASE, NONE).measure(
        decoder, Seen(features[:1]), one
    )
    state = decoder.start(Seen(features[:1]))
    _, alpha, _ = decoder.attention(state.annotations, state.projected, state.h)
    entropy = -(alpha * alpha.log()).sum()
    assert 0.1 < entropy.item() < math.log(L)
    torch.testing.assert_close(with_it["loss"], without["loss"] - 0.5 * entropy)


def test_nothing_is_drawn_where_alpha_is_expected(decoder: Decoder, features: Tensor) -> None:
    """This is soft attention; it is used for about half of the photographs."""
    both = batch(LONG, SHORT, photo=[1, 0])
    phase = replace(PHASE, doubly_stochastic=0.3)
    soft = CrossEntropy(recipe(), phase, NONE).measure(decoder, Seen(features), both)
    always = HardAttention(recipe(expected=1, reward=1), phase, NONE)
    hard = always.measure(decoder, Seen(features), both)
    torch.testing.assert_close(hard["loss"], soft["loss"])
    torch.testing.assert_close(gradient(decoder, hard["loss"]), gradient(decoder, soft["loss"]))

    n, seen = 400, []
    captions, photo = torch.tensor([[START, END]] * 2 * n), torch.arange(n).repeat(2)

    def model(inputs: Tensor, photo: Tensor, captions: Tensor, look: object) -> tuple:
        alpha = torch.full((2 * n, L), 1 / L, requires_grad=True)
        seen.append(look(alpha))
        return alpha, captions[:, 1], alpha

    HardAttention(recipe(expected=0.5), PHASE, NONE).measure(
        model, torch.zeros(n, L, C), whole(photo, captions)
    )
    drawn = (seen[0] == 1).any(dim=1)
    assert drawn[:n].equal(drawn[n:]), "all captions of a photograph alike"
    assert 0.4 < float(drawn.float().mean()) < 0.6


def test_a_location_that_cannot_be_leaves_the_gradient_finite(
    decoder: Decoder, features: Tensor
) -> None:
    with torch.no_grad():
        decoder.attention.v.weight.mul_(1e4)
    objective = HardAttention(recipe(reward=1, entropy=0.002), PHASE, NONE)
    loss = objective.measure(decoder, Seen(features), batch(LONG, SHORT, photo=[1, 0]))["loss"]
    assert gradient(decoder, loss).isfinite().all()


def test_the_penalty_is_that_of_alpha(decoder: Decoder, features: Tensor) -> None:
    """It is not that of the sampled locations, which have no gradient."""
    phase = replace(PHASE, doubly_stochastic=0.3)
    both = batch(LONG, SHORT, photo=[1, 0])
    losses = []
    for own in (PHASE, phase):
        torch.manual_seed(5)
        losses.append(
            HardAttention(recipe(), own, NONE).measure(decoder, Seen(features), both)["loss"]
        )
    torch.manual_seed(5)
    torch.rand(2)
    _, _, coverage = decoder(Seen(features), both.photo, both.captions, lambda alpha: F.one_hot(
        torch.multinomial(alpha, 1)[:, 0], L).float())  # fmt: skip
    penalty = doubly_stochastic_penalty(coverage)
    torch.testing.assert_close(losses[1] - losses[0], 0.3 * penalty)


def test_a_recipe_turns_it_on() -> None:
    assert recipes.from_dict(recipe(reward=0.5).to_dict()).hard == HardAttentionRecipe(0.5, 0, 0)
