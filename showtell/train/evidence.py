"""The word detector in a run. It is trained before the decoder, which uses its evidence."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from showtell.errors import RecipeError
from showtell.train.corpus import Corpus
from showtell.train.detector import WordDetector, classifier_of, pool, said_once, shares
from showtell.train.features import Features
from showtell.train.model import ShowAttendTell
from showtell.train.recipe import Recipe
from showtell.vocab import tokenize

EVIDENCE = "evidence.npy"  # in a run's folder; evidence for the training photographs


def pool_all(features: Features, classifier: nn.Linear) -> Tensor:
    """Return the word detector's inputs for all photographs, (N, n), from cached features."""
    rows = []
    for photos in np.array_split(np.arange(len(features)), max(1, len(features) // 50)):
        with torch.inference_mode():
            rows.append(pool(features.read(photos).float(), classifier))
    return torch.cat(rows)


def teach(
    network: ShowAttendTell,
    recipe: Recipe,
    corpus: Corpus,
    words: Sequence[str],
    say: Callable[[str], None],
) -> Tensor:
    """Train a network's word detector, and return evidence (N, V) for the training photographs.

    A detector is overconfident on the photographs that it was trained on, and a decoder trained on
    that evidence would trust it too much. The photographs are therefore split into folds, and the
    evidence for each fold comes from a detector trained on the other folds. The detector is trained
    only on captions written by people.

    Parameters
    ----------
    network : the network whose detector is trained, in place.
    recipe, corpus : the run's recipe and data.
    words : the vocabulary.
    say : called with each line of status text.

    Raises
    ------
    RecipeError : ``detector.folds`` is less than 2.
    """
    assert network.detector is not None
    assert network.decoder.once is not None
    assert recipe.detector is not None
    if recipe.detector.folds < 2:
        raise RecipeError("detector.folds: must be 2 or more, or 0 to keep the bundle's detector")
    pooled = _pooled(network, recipe, corpus, say)
    captions = [[tokenize(c) for c in p.captions] for p in corpus.photographs]
    network.decoder.once.copy_(said_once(captions, words))
    targets = shares(captions, words)
    weights = torch.tensor(corpus.copies_written, dtype=torch.float)
    written = weights.nonzero()[:, 0]  # photographs whose captions people wrote

    def learn(detector: WordDetector, rows: Tensor) -> WordDetector:
        return detector.fit(pooled[rows], targets[rows], weights[rows], recipe.seed)

    evidence = learn(network.detector, written).evidence(pooled)
    order = written[np.random.default_rng(recipe.seed).permutation(len(written))]
    cuts = np.linspace(0, len(order), recipe.detector.folds + 1).astype(int)
    for start, end in pairwise(cuts.tolist()):
        others, held = torch.cat([order[:start], order[end:]]), order[start:end]
        detector = WordDetector(pooled.shape[1], recipe.detector.hidden, len(words))
        evidence[held] = learn(detector, others).evidence(pooled[held])
    return evidence


def known(
    network: ShowAttendTell, recipe: Recipe, corpus: Corpus, say: Callable[[str], None]
) -> Tensor:
    """Return evidence (N, V) for the training photographs from a trained word detector.

    Parameters
    ----------
    network, recipe, corpus, say : as in :func:`teach`.
    """
    assert network.detector is not None
    return network.detector.evidence(_pooled(network, recipe, corpus, say))


def _pooled(
    network: ShowAttendTell, recipe: Recipe, corpus: Corpus, say: Callable[[str], None]
) -> Tensor:
    """Return the word detector's inputs for the training photographs, (N, n)."""
    encoder, cache = network.encoder, Path(recipe.cache)
    features = (Features(cache, encoder, part, recipe.mirror, say) for part in corpus.parts)
    return torch.cat([pool_all(rows, classifier_of(encoder)) for rows in features])
