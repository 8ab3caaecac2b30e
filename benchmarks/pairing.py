"""Scores the sentences that ``showtell pair`` finds for photographs.

    python benchmarks/pairing.py wider coco

The detector is trained on the recipe's training splits. For each photograph in the dev split of the
named data set, the first sentence found is scored against the references. A second table follows if
the recipe's decoder helps to choose.
"""

import argparse
from pathlib import Path

import torch

from showtell.evaluation.scores import quick
from showtell.train import pairing
from showtell.train import recipe as recipes
from showtell.train.corpus import Corpus
from showtell.train.detector import classifier_of
from showtell.train.evidence import pool_all
from showtell.train.features import Features
from showtell.train.start import encoder_of
from showtell.vocab import tokenize

# (COMMON, BONUS); the last pair is that of `showtell pair`.
CHOICES = [(0.0, 4.0), (0.3, 3.0), (0.5, 2.0), (0.7, 1.0), (1.0, 0.0), (0.6, 1.5)]
# (TEMPERATURE_WITH_DECODER, LIKELIHOOD); the last pair is that of `showtell pair`.
WITH_DECODER = [(3.0, 10.0), (6.0, 5.0), (1e9, 2.5), (24.0, 1.25), (12.0, 2.5)]


def main(path: Path, name: str) -> None:
    recipe = recipes.read(path)
    assert recipe.pairing is not None
    captioned = [more for more in recipe.more if more.data != recipe.pairing.out]
    corpus, encoder = Corpus.load(recipe.data, captioned), encoder_of(recipe)
    detector, words = pairing.learn(recipe, corpus, encoder, print)
    sentences = pairing.Sentences.read(Path(recipe.pairing.sentences))

    photographs = corpus.judges(10**9)[name]
    features = Features(Path(recipe.cache), encoder, photographs, False, print)
    with torch.inference_mode():
        log_odds = detector(pool_all(features, classifier_of(encoder)))
    references = {p.name: [tokenize(c) for c in p.captions] for p in photographs}

    def row(*choice: float, judge: pairing.Judge | None = None) -> None:
        found = pairing.match(log_odds, words, sentences, 1, judge)
        said = [texts[0].split() for texts in found]
        bleu4, cider = quick(dict(zip(references, said, strict=True)), references)
        different = len({word for said_of in said for word in said_of})
        scores = f"{100 * bleu4:.1f} | {cider:.3f} | {different}"
        print(f"| {choice[0]:g} | {choice[1]:g} | {scores} |", flush=True)

    print("| common | bonus | BLEU-4 | CIDEr | different words |")
    print("| ---: | ---: | ---: | ---: | ---: |", flush=True)
    for pairing.COMMON, pairing.BONUS in CHOICES:
        row(pairing.COMMON, pairing.BONUS)
    if recipe.pairing.decoder:
        judge = pairing.Judge(recipe, features)
        print("\n| temperature | likelihood | BLEU-4 | CIDEr | different words |")
        print("| ---: | ---: | ---: | ---: | ---: |", flush=True)
        for pairing.TEMPERATURE_WITH_DECODER, pairing.LIKELIHOOD in WITH_DECODER:
            row(pairing.TEMPERATURE_WITH_DECODER, pairing.LIKELIHOOD, judge=judge)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("name", help="of the data set whose dev split is scored")
    arguments = parser.parse_args()
    main(arguments.recipe, arguments.name)
