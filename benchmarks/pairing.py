"""How well sentences without photographs suit photographs: what ``showtell pair`` finds, scored.

    python benchmarks/pairing.py wider coco

The detector learns from the recipe's training splits. For each photograph of the dev split of the
named data set, the first sentence that is found is scored against people's captions.
"""

import argparse
from pathlib import Path

import torch

from showtell.evaluation.scores import quick
from showtell.train import pairing
from showtell.train import recipe as recipes
from showtell.train.corpus import Corpus
from showtell.train.features import Features
from showtell.train.start import encoder_of
from showtell.vocab import tokenize

# (COMMON, BONUS); the last is what `showtell pair` takes.
CHOICES = [(0.0, 4.0), (0.3, 3.0), (0.5, 2.0), (0.7, 1.0), (1.0, 0.0), (0.6, 1.5)]


def main(path: Path, name: str) -> None:
    recipe = recipes.read(path)
    assert recipe.pairing is not None
    captioned = [more for more in recipe.more if more.data != recipe.pairing.out]
    corpus, encoder = Corpus.load(recipe.data, captioned), encoder_of(recipe)
    cache = Path(recipe.cache)

    def pooled(photographs, mirrored):  # type: ignore[no-untyped-def]
        return pairing.pooled(encoder, Features(cache, encoder, photographs, mirrored, print))

    known = torch.cat([pooled(part, recipe.mirror) for part in corpus.parts])
    captions = [photograph.captions for photograph in corpus.photographs]
    weights = torch.tensor(corpus.copies, dtype=torch.float)
    detector = pairing.Detector.fit(known, captions, weights, recipe.seed)
    sentences = pairing.Sentences.read(Path(recipe.pairing.sentences))

    photographs = corpus.judges(10**9)[name]
    log_odds = detector.log_odds(pooled(photographs, False))
    references = {p.name: [tokenize(c) for c in p.captions] for p in photographs}
    print("| common | bonus | BLEU-4 | CIDEr | different words |")
    print("| ---: | ---: | ---: | ---: | ---: |", flush=True)
    for pairing.COMMON, pairing.BONUS in CHOICES:
        found = pairing.match(log_odds, detector.words, sentences, 1)
        said = [texts[0].split() for texts in found]
        bleu4, cider = quick(dict(zip(references, said, strict=True)), references)
        words = len({word for words in said for word in words})
        row = f"{pairing.COMMON} | {pairing.BONUS} | {100 * bleu4:.1f} | {cider:.3f} | {words}"
        print(f"| {row} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("name", help="of the data set whose dev split is scored")
    arguments = parser.parse_args()
    main(arguments.recipe, arguments.name)
