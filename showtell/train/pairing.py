"""Pairing: retrieves captions for photographs without captions from a file of sentences.

A word detector is trained on captioned photographs (Fang et al., 2015, arXiv 1411.4952). It scores
each sentence for a photograph. Of the sentences with the highest scores, pairing selects those most
similar to the others (consensus; Devlin et al., 2015, arXiv 1505.04467). A trained decoder can
help: a sentence that it finds likely gets a larger weight in the vote.
"""

import csv
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from showtell.atomic import replacing
from showtell.data import Photograph
from showtell.data.files import find_pictures
from showtell.data.own import CAPTIONS
from showtell.errors import DataError
from showtell.function_words import FUNCTION_WORDS
from showtell.train.checkpoint import load_tensors
from showtell.train.corpus import Corpus
from showtell.train.data import caption_of_words
from showtell.train.detector import WordDetector, classifier_of, shares
from showtell.train.encoder import Encoder
from showtell.train.evidence import pool_all
from showtell.train.features import Features
from showtell.train.model import ShowAttendTell
from showtell.train.recipe import Recipe
from showtell.train.start import bundle_of, encoder_of, network_of
from showtell.vocab import PAD, tokenize

LEAST_CAPTIONS = 8  # fewest captions with a word for the detector to include it
LEAST_SENTENCES = 20  # fewest sentences with a word; rarer words are often misspelt
LENGTHS = range(6, 17)  # lengths of sentences in words
CANDIDATES = 100  # sentences per photograph that vote
TEMPERATURE = 3.0  # of their votes
# With a decoder: a higher temperature, and the weight of its mean log-probability per word.
TEMPERATURE_WITH_DECODER, LIKELIHOOD = 12.0, 2.5
# A word adds to the score of its sentence: its log-odds for the photograph, minus COMMON times its
# log-odds over all sentences, plus BONUS. COMMON reduces the weight of frequent words, and BONUS
# avoids a bias against long sentences. Chosen on the dev split of COCO (docs/results.md).
COMMON, BONUS = 0.6, 1.5
UNKNOWN = 2.0  # subtracted for each word that the detector does not know
HIDDEN = 512  # units of the detector's hidden layer


def pair(recipe: Recipe, say: Callable[[str], None] = tqdm.write) -> Path:
    """Find captions for the photographs of ``recipe.pairing``.

    Parameters
    ----------
    recipe : provides the pairing settings, the CNN, and the data sets that train the detector.
    say : called with each line of status text.

    Returns
    -------
    The folder ``pairing.out``, with links to the photographs and a ``captions.csv`` that assigns
    all of them to the training split. A recipe can use it as one of its ``more`` data sets.

    Raises
    ------
    DataError : the recipe has no ``pairing`` section, the photographs or the sentences cannot be
        read, or the folder already exists.
    """
    wanted = recipe.pairing
    if wanted is None:
        raise DataError("the recipe has no section 'pairing'")
    photographs = _pictures(Path(wanted.photographs))
    sentences = Sentences.read(Path(wanted.sentences))
    captioned = [more for more in recipe.more if more.data != wanted.out]
    corpus = Corpus.load(recipe.data, captioned)
    encoder = encoder_of(recipe)
    detector, words = learn(recipe, corpus, encoder, say)
    features = Features(Path(recipe.cache), encoder, photographs, recipe.mirror, say)
    with torch.inference_mode():
        log_odds = detector(pool_all(features, classifier_of(encoder)))
    judge = Judge(recipe, features) if wanted.decoder else None
    captions = match(log_odds, words, sentences, wanted.captions, judge)
    return _write(Path(wanted.out), photographs, captions)


def _pictures(folder: Path) -> tuple[Photograph, ...]:
    paths = find_pictures(folder, ["."])
    if not paths:
        raise DataError(f"{folder}: contains no photographs")
    return tuple(Photograph(name, path, ()) for name, path in sorted(paths.items()))


def _write(out: Path, photographs: Sequence[Photograph], captions: Sequence[Sequence[str]]) -> Path:
    """Write a data set folder with a captions file and links to the photographs."""
    try:
        out.mkdir(parents=True)
    except FileExistsError as error:
        raise DataError(f"{out}: already exists; delete it to pair again") from error
    for photograph in photographs:
        os.symlink(photograph.path.resolve(), out / photograph.name)
    with replacing(out / CAPTIONS) as partial, partial.open("w", newline="") as file:
        write = csv.writer(file).writerow
        write(["image", "caption", "split"])
        for photograph, said in zip(photographs, captions, strict=True):
            for caption in said:
                write([photograph.name, caption, "train"])
    return out


def learn(
    recipe: Recipe, corpus: Corpus, encoder: Encoder, say: Callable[[str], None]
) -> tuple[WordDetector, tuple[str, ...]]:
    """Train a word detector on captioned photographs; return it and its words."""
    captions = [[tokenize(c) for c in p.captions] for p in corpus.photographs]
    counts = Counter(word for own in captions for said in own for word in dict.fromkeys(said))
    words = tuple(w for w, n in counts.items() if n >= LEAST_CAPTIONS and w not in FUNCTION_WORDS)
    cache, classifier = Path(recipe.cache), classifier_of(encoder)
    pooled = torch.cat(
        [
            pool_all(Features(cache, encoder, p, recipe.mirror, say), classifier)
            for p in corpus.parts
        ]
    )
    detector = WordDetector(pooled.shape[1], HIDDEN, len(words))
    weights = torch.tensor(corpus.copies, dtype=torch.float)
    return detector.fit(pooled, shares(captions, words), weights, recipe.seed), words


@dataclass(frozen=True)
class Sentences:
    """Sentences without photographs.

    Attributes
    ----------
    texts : N sentences.
    words : for each sentence, the set of its words without function words.
    """

    texts: tuple[str, ...]
    words: tuple[frozenset[str], ...]

    @classmethod
    def read(cls, path: Path) -> "Sentences":
        """Read a file with one sentence per line.

        Sentences that are too short or too long, or that have a rare word, are skipped.

        Raises
        ------
        DataError : the file cannot be read, or every sentence is skipped.
        """
        try:
            texts = path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error
        split = [tokenize(text) for text in texts]
        counts = Counter(word for words in split for word in words)
        kept = [
            words
            for words in split
            if len(words) in LENGTHS and all(counts[word] >= LEAST_SENTENCES for word in words)
        ]
        if not kept:
            raise DataError(f"{path}: contains no sentence of {LENGTHS[0]} to {LENGTHS[-1]} words")
        content = (frozenset(words).difference(FUNCTION_WORDS) for words in kept)
        return cls(tuple(map(" ".join, kept)), tuple(content))


class Judge:
    """Scores sentences for a photograph with the decoder that a recipe starts from.

    Parameters
    ----------
    recipe : names the bundle to start from.
    features : features of the photographs.

    Raises
    ------
    DataError : the recipe does not start from a bundle.
    """

    def __init__(self, recipe: Recipe, features: Features) -> None:
        if recipe.start is None:
            raise DataError("pairing.decoder: the recipe starts from no model; set 'start'")
        bundle = bundle_of(recipe.start)
        self._vocabulary, self._features = bundle.vocabulary, features
        encoder = Encoder(recipe.encoder, pretrained=False)
        network = ShowAttendTell(
            encoder, len(bundle.vocabulary), recipe.decoder, recipe.detector
        ).eval()
        load_tensors(network, network_of(bundle, network))
        self._network = network
        self._autocast = Fabric(accelerator="cpu", precision=recipe.precision).autocast  # type: ignore[arg-type]

    @torch.inference_mode()
    def __call__(self, photo: int, texts: Sequence[str]) -> Tensor:
        """Return the mean log-probability per word of each text for a photograph, (N,)."""
        ids = [self._vocabulary.encode(text.split()) for text in texts]
        order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))  # the longest first
        captions = pad_sequence(
            [torch.tensor(ids[i]) for i in order], batch_first=True, padding_value=PAD
        )
        with self._autocast():
            seen = self._network.see(self._features.read(np.array([photo])).float())
            photos = torch.zeros(len(ids), dtype=torch.long)
            logits, targets, _ = self._network.decoder(seen, photos, captions)
        costs = F.cross_entropy(logits.float(), targets, reduction="none")
        sums = torch.zeros(len(ids)).index_add(0, caption_of_words(captions), costs)
        likelihoods = torch.empty(len(ids))
        likelihoods[torch.tensor(order)] = -sums / (captions[:, 1:] != PAD).sum(dim=1)
        return likelihoods


def match(
    log_odds: Tensor,
    words: Sequence[str],
    sentences: Sentences,
    n: int,
    judge: Callable[[int, Sequence[str]], Tensor] | None = None,
) -> list[tuple[str, ...]]:
    """Return the `n` best sentences for each photograph, the best first.

    Parameters
    ----------
    log_odds : (P, V) log-odds of each word for each photograph.
    words : V words.
    sentences : the sentences to choose from.
    n : sentences per photograph.
    judge : decoder scores, as from :class:`Judge`; None uses the detector alone.
    """
    ids = {word: i for i, word in enumerate(words)}
    said = [[ids[w] for w in sorted(own) if w in ids] for own in sentences.words]
    sizes = torch.tensor([len(own) for own in said])  # (N,)
    unknown = torch.tensor([len(own) for own in sentences.words]) - sizes
    flat = torch.tensor([word for own in said for word in own])
    starts = sizes.cumsum(dim=0) - sizes  # start of each sentence in `flat`
    share = (flat.bincount(minlength=len(words)) + 1) / len(said)  # of sentences with a word
    idf = -share.log()  # (V,)
    offset = BONUS - COMMON * share.logit(eps=1e-6)
    chosen = []
    for photo, row in enumerate(tqdm(log_odds, desc="pairing", unit="photograph")):
        sums = F.embedding_bag(flat, (row + offset)[:, None], starts, mode="sum").squeeze(1)  # (N,)
        scores = sums - UNKNOWN * unknown
        best, candidates = scores.topk(min(CANDIDATES, len(scores)))
        if judge:
            likelihoods = judge(photo, [sentences.texts[i] for i in candidates.tolist()])
            weights = best / TEMPERATURE_WITH_DECODER + LIKELIHOOD * likelihoods
        else:
            weights = best / TEMPERATURE
        votes = weights.softmax(dim=0)
        vectors = torch.zeros(len(candidates), len(words))
        for vector, i in zip(vectors, candidates.tolist(), strict=True):
            vector[said[i]] = idf[said[i]]
        vectors = F.normalize(vectors, dim=1)
        agreement = vectors @ (votes @ vectors)
        order = candidates[agreement.argsort(descending=True, stable=True)].tolist()
        texts = dict.fromkeys(sentences.texts[i] for i in order)  # unique, in order
        chosen.append(tuple(texts)[:n])
    return chosen
