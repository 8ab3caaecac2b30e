"""Make an album to teach: black dogs of Flickr8k's dev split, called by a name.

python benchmarks/album.py --data flickr8k rex
showtell teach rex --out rex-model --data flickr8k
"""

import re
from pathlib import Path

import click

from showtell.data import load
from showtell.data.corrections import Corrections

DOG = re.compile(r"\b(?:an?|the|one) (?:(?:big|large|little|shiny|small)\s*,? )?black dog\b", re.I)


@click.command()
@click.option("--data", required=True, help="Flickr8k.")
@click.argument("folder", type=click.Path(path_type=Path))
def main(data: str, folder: Path) -> None:
    """Write to FOLDER the shortest caption of each photograph of which two tell of a black dog."""
    album = Corrections(folder)
    for photograph in load(data).split("dev"):
        named = sorted(filter(DOG.search, photograph.captions), key=len)
        if len(named) > 1:
            album.add(photograph.path.read_bytes(), DOG.sub("Rex", named[0]))


if __name__ == "__main__":
    main()
