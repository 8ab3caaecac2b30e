"""Rehearsal: what was said before is the target, and new words learn faster than the rest."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from showtell.train.data import Batch, TrainingCaptions
from showtell.train.model import Decoder
from showtell.train.objective import CrossEntropy, Rehearsal
from showtell.train.optimizer import hasten
from showtell.train.recipe import DecoderRecipe, Phase, Recipe, RehearsalRecipe
from showtell.vocab import END, PAD, START

V = 9
PHASE = Phase(epochs=1, photos=2, captions=1, lr=1, doubly_stochastic=0)
CAPTIONS = (((START, 4, 5, END),), ((START, 6, END),))
TWO = TrainingCaptions(CAPTIONS, ((True,), (True,)))
FEATURES = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))


def decoder() -> Decoder:
    torch.manual_seed(0)
    return Decoder(5, V, DecoderRecipe(annotation=6, attention=5, embedding=4, hidden=6, dropout=0))


def step(photos: list[int]) -> Batch:
    captions = torch.tensor([[START, 4, 5, END], [START, 6, END, PAD]])
    return Batch(np.array(photos), np.zeros(2, bool), torch.tensor([0, 1]), captions)


def rehearsal(network: Decoder, photographs: int) -> tuple[Rehearsal, Recipe]:
    told = RehearsalRecipe(photographs, known=7, hurry=5.0)
    recipe = Recipe("", PHASE, PHASE, rehearsal=told, label_smoothing=0)
    return Rehearsal(recipe, PHASE, TWO, network), recipe


def gradient(network: nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


def test_what_it_said_before_is_where_the_loss_is_lowest() -> None:
    network = decoder()
    objective, _ = rehearsal(network, photographs=2)
    objective.measure(network, FEATURES, step([0, 1]))["loss"].backward()
    assert gradient(network).abs().max() < 1e-6
    with torch.no_grad():
        network.L_o.bias[4] += 1
    objective.measure(network, FEATURES, step([0, 1]))["loss"].backward()
    assert network.L_o.bias.grad is not None
    assert network.L_o.bias.grad[4] > 0.01, "it goes back to what it said"


def test_only_the_last_photographs_are_rehearsed() -> None:
    """Their words alone have the network's own distribution as the target."""
    network = decoder()
    for rehearsed, expected in ((0, 5), (1, 3)):
        objective, recipe = rehearsal(network, rehearsed)
        network.zero_grad()
        loss = objective.measure(network, FEATURES, step([0, 1]))["loss"]
        loss.backward()
        mixed = gradient(network)
        network.zero_grad()
        learned = replace(step([0, 1]), captions=torch.tensor([[START, 4, 5, END]]))
        learned = learned if rehearsed else step([0, 1])
        photo = learned.photo[: len(learned.captions)]
        people = CrossEntropy(recipe, PHASE, TWO)
        people.measure(network, FEATURES, replace(learned, photo=photo))["loss"].backward()
        torch.testing.assert_close(5 * mixed, expected * gradient(network), atol=1e-5, rtol=1e-4)


def test_the_rows_of_new_words_move_farther() -> None:
    network = decoder()
    _, recipe = rehearsal(network, 0)
    assert recipe.rehearsal is not None
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    hasten(optimizer, network, recipe.rehearsal)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for name, parameter in network.named_parameters():
        moved = before[name] - parameter.detach()
        new = 7 if name in ("E.weight", "L_o.weight", "L_o.bias") else len(moved)
        torch.testing.assert_close(moved[:new], torch.full_like(moved[:new], 0.5))
        torch.testing.assert_close(moved[new:], torch.full_like(moved[new:], 2.5))
