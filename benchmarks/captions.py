"""Lists the captions of a split with their references, best first by CIDEr-D.

python benchmarks/captions.py --data flickr8k [--split test] [--model M] > captions.tsv
"""

import csv
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from showtell.captioner import load
from showtell.data import load as load_data
from showtell.vocab import tokenize


def cider_of_each(
    hypotheses: Mapping[Any, Sequence[str]], references: Mapping[Any, Sequence[Sequence[str]]]
) -> list[float]:
    """Return CIDEr-D of each tokenised caption."""
    from pycocoevalcap.cider.cider import Cider

    wanted = {key: [" ".join(words) for words in references[key]] for key in hypotheses}
    texts = {key: [" ".join(words)] for key, words in hypotheses.items()}
    return Cider().compute_score(wanted, texts)[1].tolist()


@click.command()
@click.option("--data", required=True, help="A data set, as for `showtell data`.")
@click.option("--split", default="test", show_default=True)
@click.option("--model", help="A bundle's folder; the one that ships if not given.")
def main(data: str, split: str, model: str | None) -> None:
    """Print a table with the columns CIDEr-D, photograph, caption and references."""
    photographs = load_data(data).split(split)
    captions = load(model).caption([p.path for p in photographs])
    said = {p.name: c.words for p, c in zip(photographs, captions, strict=True)}
    wanted = {p.name: [tokenize(c) for c in p.captions] for p in photographs}
    ranked = sorted(
        zip(cider_of_each(said, wanted), photographs, captions, strict=True),
        key=lambda row: -row[0],
    )
    table = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    for cider, photograph, caption in ranked:
        table.writerow([f"{cider:.3f}", photograph.name, caption.text, *photograph.captions])


if __name__ == "__main__":
    main()
