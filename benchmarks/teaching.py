"""Teach a model the name of a dog, and count where it says it: with and without what it knew.

python benchmarks/teaching.py --data flickr8k

The album is made of photographs of the dev split that people call a black dog: the dog gets a name.
What the models say of the test split tells what else became of them.
"""

import re
import tempfile
from pathlib import Path

import click

from showtell.captioner import Captioner
from showtell.data import Photograph, load
from showtell.data.corrections import Corrections
from showtell.scores import quick
from showtell.train.teach import teach
from showtell.vocab import tokenize

NAME = "rex"
DOG = re.compile(r"\b(?:an?|the|one) (?:(?:big|large|little|shiny|small) ,? ?)?black dog\b", re.I)


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Flickr8k.")
@click.option("--model", help="A bundle's folder; the one that ships if not given.")
def main(data: Path, model: str | None) -> None:
    """Teach a dog's name, and print a table of where the models say it."""
    known = load(data)
    with tempfile.TemporaryDirectory() as folder:
        album = Path(folder, "album")
        make(album, known.split("dev"))
        held_out, test = load(album).split("test"), known.split("test")
        rows = []
        for old in (data, None):
            new = Path(folder, "with" if old else "without")
            taught = teach(album, new, model=model, data=old, may_lose=10, say=click.echo)
            captioner = Captioner(taught)
            rows.append([f"taught {new.name} the old data", says(captioner, held_out, test)])
    click.echo(f"\n{'':28} {NAME}: held out, dogs of the test split, others; CIDEr there")
    for what, told in rows:
        click.echo(f"{what:28} {told}")


def make(folder: Path, photographs: tuple[Photograph, ...]) -> None:
    """Name the dog in the shortest caption of each photograph of which two call it a black dog."""
    album = Corrections(folder)
    for photograph in photographs:
        named = sorted(filter(DOG.search, photograph.captions), key=len)
        if len(named) > 1:
            album.add(photograph.path.read_bytes(), DOG.sub(NAME.title(), named[0]))


def says(
    captioner: Captioner, held_out: tuple[Photograph, ...], test: tuple[Photograph, ...]
) -> str:
    """Tell of how many photographs a model says the name."""
    dogs = [p for p in test if "dog" in " ".join(p.captions).lower()]
    paths = [p.path for p in (*held_out, *test)]
    words = dict(zip(paths, (c.words for c in captioner.caption(paths)), strict=True))
    groups = held_out, dogs, [p for p in test if p not in dogs]
    counts = [f"{sum(NAME in words[p.path] for p in group)} of {len(group)}" for group in groups]
    said = {p.name: words[p.path] for p in test}
    _, cider = quick(said, {p.name: [tokenize(c) for c in p.captions] for p in test})
    return f"{', '.join(counts)}; {cider:.4f}"


if __name__ == "__main__":
    main()
