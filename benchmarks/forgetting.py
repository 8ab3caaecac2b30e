"""Measures a fine-tuned CNN's accuracy on ImageNet, with ImageNet's weights mixed back in.

    python benchmarks/forgetting.py ../shared/wider wider
    python benchmarks/forgetting.py ../shared/wider --bundle showtell/models/flickr8k

The folder contains ``imagenet/`` with one photograph per class, named by WordNet id, and
``classes.csv`` with the columns ``index`` and ``wordnet``. A recipe is measured with several shares
of its ``encoder.weights`` mixed into the CNN of its ``start``. For a bundle, a photograph counts as
right if its class belongs to the most probable thing.
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from showtell.data import Photograph, things
from showtell.train import recipe as recipes
from showtell.train.features import extractor, read_images
from showtell.train.start import encoder_of

SHARES = (0.0, 0.3, 0.5, 0.7, 1.0)  # shares of ImageNet's weights


def samples(folder: Path) -> tuple[list[Photograph], np.ndarray]:
    """Return the photographs, and the index of the class of each."""
    with (folder / "classes.csv").open(newline="") as file:
        index = {row["wordnet"]: int(row["index"]) for row in csv.DictReader(file)}
    paths = sorted((folder / "imagenet").glob("*.jpg"))
    return [Photograph(p.name, p, ()) for p in paths], np.array([index[p.stem] for p in paths])


def of_recipe(path: Path, photographs: list[Photograph], classes: np.ndarray) -> None:
    recipe = recipes.read(path)
    print("| share of ImageNet's weights | right at once | within five |\n| ---: | ---: | ---: |")
    for share in SHARES:
        # lerp(a, b, 0) would not read the recipe's weights
        encoder = encoder_of(
            replace(recipe, encoder=replace(recipe.encoder, pretrained=max(share, 1e-9)))
        )
        assert encoder.classifier is not None
        extract, ranks = extractor(encoder), []
        for i in range(0, len(photographs), 16):
            features = extract(read_images(photographs[i : i + 16], encoder.size))
            logits = encoder.classifier(features.mean(dim=1)).detach().numpy()
            ranks.append(np.argsort(-logits, axis=1)[:, :5] == classes[i : i + 16, None])
        top = np.concatenate(ranks)
        print(
            f"| {share:.1f} | {top[:, 0].mean():.1%} | {top.any(axis=1).mean():.1%} |", flush=True
        )


def of_bundle(path: Path, photographs: list[Photograph], classes: np.ndarray) -> None:
    from showtell import load
    from showtell.captioner import BATCH

    captioner = load(path)
    thing_of = {c: i for i, thing in enumerate(things.load()) for c in thing.classes}
    kept = [i for i, c in enumerate(classes) if int(c) in thing_of]
    right = []
    for i in range(0, len(kept), BATCH):
        rows = kept[i : i + BATCH]
        seen = captioner.encode([photographs[row].path for row in rows]).things
        assert seen is not None
        right += (seen.argmax(axis=1) == [thing_of[int(classes[row])] for row in rows]).tolist()
    print(f"{np.mean(right):.1%} of {len(kept)} photographs: the likeliest thing is right")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("recipe", type=Path, nargs="?")
    parser.add_argument("--bundle", type=Path)
    arguments = parser.parse_args()
    found = samples(arguments.folder)
    if arguments.recipe:
        of_recipe(arguments.recipe, *found)
    if arguments.bundle:
        of_bundle(arguments.bundle, *found)
