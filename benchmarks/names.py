"""Count where a model that was taught a name says it, and what that costs on the old test split.

python benchmarks/names.py --data flickr8k --model rex-model rex dog "a black dog"
"""

import click

from showtell.captioner import load
from showtell.data import load as load_data
from showtell.evaluation.scores import quick
from showtell.vocab import tokenize


@click.command()
@click.option("--data", required=True, help="What the old model was trained on.")
@click.option("--model", required=True, help="The bundle's folder.")
@click.argument("name")
@click.argument("kind")
@click.argument("former")
def main(data: str, model: str, name: str, kind: str, former: str) -> None:
    """Print how often NAME is said where people tell of its KIND, and the CIDEr with FORMER in its
    place, which is what the old model called it.
    """
    photographs = load_data(data).split("test")
    captions = load(model).caption([p.path for p in photographs])
    references = {p.name: [tokenize(c) for c in p.captions] for p in photographs}
    words = {p.name: c.words for p, c in zip(photographs, captions, strict=True)}
    there = {n for n, told in references.items() if kind in " ".join(map(" ".join, told))}
    named = {n for n, said in words.items() if name in said}
    old = {n: tokenize(" ".join(said).replace(name, former)) for n, said in words.items()}
    others = words.keys() - there
    click.echo(f"{name}: {len(named & there)} of {len(there)} with a {kind}")
    click.echo(f"{name}: {len(named & others)} of {len(others)} without")
    click.echo(f"CIDEr {quick(words, references)[1]:.4f}")
    click.echo(f"CIDEr with {former!r} in its place {quick(old, references)[1]:.4f}")


if __name__ == "__main__":
    main()
