"""The network, compared with the paper's equations, and training compared with decoding."""

import pytest
import torch
import torch.nn.functional as F

from showtell.train.model import Decoder, Seen, doubly_stochastic_penalty
from showtell.train.recipe import DecoderRecipe
from showtell.vocab import END, PAD, START

C, V, L = 10, 12, 6


@pytest.fixture
def decoder() -> Decoder:
    torch.manual_seed(0)
    sizes = DecoderRecipe(annotation=8, attention=7, embedding=6, hidden=9, dropout=0.5)
    return Decoder(C, V, sizes).eval()


@pytest.fixture
def features() -> torch.Tensor:
    return torch.rand(2, L, C, generator=torch.Generator().manual_seed(1))


CAPTIONS = torch.tensor(
    [
        [START, 4, 5, 6, 7, END],
        [START, 8, 9, 10, END, PAD],
        [START, 11, END, PAD, PAD, PAD],
    ]
)
PHOTO = torch.tensor([1, 0, 1])


def test_the_first_step_is_the_paper_s_equations(decoder: Decoder, features: torch.Tensor) -> None:
    a = decoder.annotate(features)[0]  # (L, D)
    mean = a.mean(0)
    h, c = torch.tanh(decoder.init_h(mean)), torch.tanh(decoder.init_c(mean))
    attention = decoder.attention
    energies = [
        attention.v.weight[0] @ torch.tanh(attention.U(a_i) + attention.W.weight @ h) for a_i in a
    ]
    alpha = torch.stack(energies).exp() / torch.stack(energies).exp().sum()
    beta = torch.sigmoid(attention.gate(h))
    z = beta * sum(weight * a_i for weight, a_i in zip(alpha, a, strict=True))
    Ey = decoder.E.weight[START]
    gates = decoder.lstm.weight_ih @ torch.cat([Ey, z]) + decoder.lstm.bias_ih
    gates = gates + decoder.lstm.weight_hh @ h + decoder.lstm.bias_hh
    i, f, g, o = gates.chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    deep = torch.tanh(Ey + decoder.L_h(h) + decoder.L_z(z))
    expected = F.log_softmax(decoder.L_o(deep), dim=-1)

    state = decoder.start(Seen(features))
    state = state._replace(h=state.h.unsqueeze(1), c=state.c.unsqueeze(1))
    logprobs, alphas, betas, after = decoder.step(state, torch.full((2, 1), START))
    torch.testing.assert_close(logprobs[0, 0], expected)
    torch.testing.assert_close(alphas[0, 0], alpha)
    torch.testing.assert_close(betas[0], beta)
    torch.testing.assert_close(after.h[0, 0], h)


def test_training_and_decoding_give_the_same_probabilities(
    decoder: Decoder, features: torch.Tensor
) -> None:
    logits, targets, coverage = decoder(Seen(features), PHOTO, CAPTIONS)
    trained = F.log_softmax(logits, dim=-1).gather(1, targets[:, None])[:, 0]

    state = decoder.start(Seen(features[PHOTO]))
    state = state._replace(h=state.h.unsqueeze(1), c=state.c.unsqueeze(1))
    stepped, looked = [], torch.zeros(3, L)
    for t in range(CAPTIONS.shape[1] - 1):
        logprobs, alphas, _, state = decoder.step(state, CAPTIONS[:, t : t + 1])
        going = CAPTIONS[:, t + 1] != PAD
        stepped.append(logprobs[:, 0].gather(1, CAPTIONS[:, t + 1 : t + 2])[going, 0])
        looked[going] += alphas[going, 0]
    torch.testing.assert_close(trained, torch.cat(stepped))
    torch.testing.assert_close(coverage, looked)
    assert targets.tolist() == [4, 8, 11, 5, 9, END, 6, 10, 7, END, END]


def test_hypotheses_of_a_photograph_do_not_touch_each_other(
    decoder: Decoder, features: torch.Tensor
) -> None:
    start = decoder.start(Seen(features))
    words = torch.tensor([[4, 5, 6], [7, 8, 9]])
    three = start._replace(h=start.h[:, None].repeat(1, 3, 1), c=start.c[:, None].repeat(1, 3, 1))
    together = decoder.step(three, words)[0]
    for k in range(3):
        one = start._replace(h=start.h.unsqueeze(1), c=start.c.unsqueeze(1))
        alone = decoder.step(one, words[:, k : k + 1])[0]
        torch.testing.assert_close(together[:, k], alone[:, 0])


def test_every_weight_learns(decoder: Decoder, features: torch.Tensor) -> None:
    logits, targets, coverage = decoder.train()(Seen(features), PHOTO, CAPTIONS)
    (F.cross_entropy(logits, targets) + doubly_stochastic_penalty(coverage)).backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_penalty_is_zero_when_everything_was_looked_at_once() -> None:
    assert doubly_stochastic_penalty(torch.ones(2, L)) == 0
    assert doubly_stochastic_penalty(torch.zeros(2, L)) == 1
    assert doubly_stochastic_penalty(torch.tensor([[2.0, 0.0]])) == 1
