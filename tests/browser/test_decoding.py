"""The beam search in JavaScript returns the same hypotheses as Python's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Error, Page

from showtell.decoding import Step, beam_search
from showtell.vocab import END

# Runs test cases with a model that looks up its outputs in tables.
SEARCH = """async ([{ next, logprobs, alphas, betas }, cases]) => {
    const { beamSearch } = await import("/decoding.js");
    const model = {
        async step(state, words) {
            state = state.map((from, i) => next[from][words[i]]);
            const said = [logprobs, alphas, betas].map((t) => state.flatMap((s) => t[s]));
            return { logprobs: said[0], alphas: said[1], betas: said[2], state };
        },
        select: (state, beams) => beams.map((beam) => state[beam]),
    };
    const found = await Promise.all(cases.map((options) => beamSearch(model, [0], options)));
    return found.map((hypotheses) => hypotheses.map(({ total, group, ...told }) => told));
}"""


class Walk:
    """A step model whose states are nodes of a graph and whose words are edges."""

    def __init__(self, seed: int, V: int, *, ending: float = 1, ties: bool = False) -> None:
        rng = np.random.default_rng(seed)
        S, L = 50, 5
        logits = rng.normal(size=(S, V)) * 2
        logits[:, END] += ending
        logprobs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        self.next = rng.integers(0, S, (S, V))
        self.logprobs = (np.round(4 * logprobs) / 4 if ties else logprobs).astype(np.float32)
        self.alphas = rng.dirichlet(np.ones(L), S).astype(np.float32)
        self.betas = rng.random(S, np.float32)

    def step(self, state: np.ndarray, words: np.ndarray) -> tuple[Step, np.ndarray]:
        """Follow the edges `words` (B, k)."""
        state = self.next[state, words]
        return Step(self.logprobs[state], self.alphas[state], self.betas[state]), state

    def select(self, state: np.ndarray, photos: np.ndarray, beams: np.ndarray) -> np.ndarray:
        """Return the nodes of the selected hypotheses."""
        return state[photos[:, None], beams]

    def tables(self) -> dict[str, Any]:
        """Return the tables as lists."""
        return {name: table.tolist() for name, table in vars(self).items()}


def case(
    beam: int, max_length: int = 20, power: float = 0.7, mention: Sequence[Sequence[int]] = ()
) -> dict[str, Any]:
    return {"beam": beam, "maxLength": max_length, "lengthPower": power, "mention": mention}


MENTIONS = [
    case(beam, mention=mention)
    for beam in (1, 4)
    for mention in ([[7]], [[7, 8], [9]], [[7, 8], [8, 9]], [[4], [5], [6], [7]])
]
WIDTHS = [case(beam) for beam in (1, 2, 3, 5, 12)]
CASES = [
    *((Walk(seed, V=40), WIDTHS) for seed in range(4)),
    *((Walk(seed, V=40, ties=True), WIDTHS) for seed in range(4)),
    (Walk(0, V=40, ending=-9), [case(4, max_length=6), case(5, max_length=1)]),  # must end
    (Walk(0, V=40, ending=3), [case(4, power=0), case(4, power=1)]),
    *((Walk(seed, V=40, ties=ties), MENTIONS) for seed in range(2) for ties in (False, True)),
    (Walk(0, V=40), [case(3, max_length=2, mention=[[7], [9]])]),  # exactly as many words as needed
    (Walk(0, V=6), [case(9, max_length=3)]),  # fewer than 2 k candidates
]


def search(model: Walk, options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the hypotheses of Python's search."""
    [found] = beam_search(
        model,
        np.zeros((1, 1), int),
        1,
        beam=options["beam"],
        max_length=options["maxLength"],
        length_power=options["lengthPower"],
        mention=[options["mention"]],
    )
    lists = [(h, h.logprobs.tolist(), h.alphas.tolist(), h.betas.tolist()) for h in found]
    return [
        {"words": list(h.words), "logprobs": logprobs, "alphas": alphas, "betas": betas}
        for h, logprobs, alphas, betas in lists
    ]


def test_every_hypothesis_is_pythons(scripts: Page) -> None:
    """Words, log-probabilities, maps and gates of all hypotheses, in the same order."""
    lengths = set()
    for model, cases in CASES:
        expected = [search(model, options) for options in cases]
        assert scripts.evaluate(SEARCH, [model.tables(), cases]) == expected
        lengths |= {len(h["words"]) for found in expected for h in found}
    assert len(lengths) > 5, "the cases are too much alike"


@pytest.mark.parametrize("mention", [[[]], [[7], [8], [9]], [[END]], [[7]] * 5])
def test_what_cannot_be_mentioned_is_refused(scripts: Page, mention: list[list[int]]) -> None:
    model, options = Walk(0, V=40), case(2, max_length=2, mention=mention)
    with pytest.raises(ValueError, match="mention"):
        search(model, options)
    with pytest.raises(Error, match="mention"):
        scripts.evaluate(SEARCH, [model.tables(), [options]])
