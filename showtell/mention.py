"""Converts the words that a caption must mention to sets of ids, for the constrained search."""

import numpy as np

from showtell.bundle import Bundle
from showtell.decoding import Mention
from showtell.errors import OptionError
from showtell.things import Names
from showtell.vocab import Vocabulary, tokenize

# Probability from which a thing must be mentioned. Chosen on both dev splits (docs/results.md).
CERTAIN = 0.3


def asked(words: tuple[str, ...], bundle: Bundle, things: Names | None) -> Mention:
    """Return one set of ids for each of `words`, which are words or names of things.

    Raises
    ------
    OptionError : a word is neither in the vocabulary nor the name of a thing.
    """
    vocabulary = bundle.vocabulary
    return [_ids(word, vocabulary, things) for word in words]


def _ids(word: str, vocabulary: Vocabulary, things: Names | None) -> frozenset[int]:
    tokens = tokenize(word)
    if len(tokens) == 1 and tokens[0] in vocabulary:
        return frozenset([vocabulary.id(tokens[0])])
    name = " ".join(word.lower().split())
    if things is not None and name in things.names:
        ids = things.ids(things.names.index(name), vocabulary)
        if ids:
            return ids
    raise OptionError(
        f"'mention': {word!r} is not in the model's vocabulary of {len(vocabulary):,} words; "
        "try another word"
    )


def missing(
    probabilities: np.ndarray, words: tuple[str, ...], vocabulary: Vocabulary, things: Names
) -> Mention:
    """Return the set of the most probable thing, if it is certain and the caption lacks it.

    Parameters
    ----------
    probabilities : (T,) probability of each thing in the photograph.
    words : the words of its caption.
    """
    thing = int(probabilities.argmax())
    if probabilities[thing] < CERTAIN or set(words) & set(things.words[thing]):
        return []
    ids = things.ids(thing, vocabulary)
    return [ids] if ids else []
