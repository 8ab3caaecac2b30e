"""The confidences in JavaScript are Python's."""

import numpy as np
import pytest
from playwright.sync_api import Page

from showtell.confidence import ConfidenceModel
from showtell.function_words import FUNCTION_WORDS
from showtell.things import Names
from showtell.vocab import END, SPECIAL, Vocabulary

WORDS = ("a", "dog", "near", "water")
VOCABULARY = Vocabulary((*SPECIAL, *WORDS, "eel"))
NAMES = Names(("dog", "eel"), (("dog",), ("eel",)))

# A model that says the same words of every photograph.
DECODE = """async ([said, logprobs, gates, vocabulary, constants, things, detected]) => {
    const { Captioner } = await import("/captioner.js");
    const runtime = {
        async step({ t, ...state }) {
            const scores = new Float32Array(vocabulary.length).fill(-60);
            scores[said[t]] = logprobs[t];
            const alphas = new Float32Array([1]);
            const betas = new Float32Array([gates[t]]);
            return { logprobs: scores, alphas, betas, state: { ...state, t: t + 1 } };
        },
        select: (state) => state,
    };
    const manifest = { grid: [1, 1], name: "fake" };
    const captioner = new Captioner(runtime, manifest, vocabulary, constants);
    const state = { t: 0, annotations: { data: new Float32Array(2) } };
    if (detected) state.evidence = { data: new Float32Array(detected) };
    const places = things && new Float32Array(things.length);
    return captioner.decode({ state, things, places }, { beam: 1, maxLength: 9 });
}"""


@pytest.mark.parametrize(
    ("weights", "classifies", "detects"),
    [(5, True, True), (8, True, True), (9, True, True), (9, True, False), (9, False, False)],
)
def test_the_same_confidences(scripts: Page, weights: int, classifies: bool, detects: bool) -> None:
    """Of bundles of every age, with or without a classifier and a detector."""
    rng = np.random.default_rng(weights)
    visual, function = rng.normal(0, 1, (2, weights))
    model = ConfidenceModel(visual, function, np.ones((2, 2), np.float16), 100.0)
    logprobs, gates = -rng.uniform(0.1, 2, 5), rng.random(5)
    things = np.array([0.2, 0.1])
    detected = rng.normal(0, 2, len(VOCABULARY)) if detects else None
    ids = [*map(VOCABULARY.id, WORDS), END]
    seen = np.zeros((4, 4))
    if classifies:
        seen[:, :3] = NAMES.evidence(WORDS, things)
    if detected is not None:
        seen[:, 3] = detected[ids[:4]]
    expected = model.confidences(WORDS, np.exp(logprobs[:4]), gates[:4], logprobs.sum(), seen)

    named = [{"name": n, "words": w} for n, w in zip(NAMES.names, NAMES.words, strict=True)]
    constants = {
        "doubt": {**model.entry(), "familiar": model.components.astype(float).tolist()},
        "things": named if classifies else None,
        "function_words": sorted(FUNCTION_WORDS),
        "warnings": {},
        "certain": 2,
        "mentions": {"most": 4},
        "least": 0.05,
        "most": 10,
    }
    told = scripts.evaluate(
        DECODE,
        [
            ids,
            logprobs.tolist(),
            gates.tolist(),
            VOCABULARY.words,
            constants,
            things.tolist() if classifies else None,
            None if detected is None else detected.tolist(),
        ],
    )
    assert tuple(told["words"]) == WORDS
    np.testing.assert_allclose(told["confidences"], expected, atol=2e-6)
