"""A data set of drawn shapes, a small CNN, and bundles that are trained in seconds."""

import csv
import math
import random
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from showtell.bundle import Bundle

COLOURS = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (40, 60, 200), "white": (240,) * 3}
SHAPES = ("ball", "box")


def draw(path: Path, colour: str, shape: str, rng: random.Random) -> None:
    image = Image.new("RGB", (64, 64), (90, 90, 90))
    x, y = rng.randrange(4, 28), rng.randrange(4, 28)
    paint = ImageDraw.Draw(image)
    (paint.ellipse if shape == "ball" else paint.rectangle)((x, y, x + 30, y + 30), COLOURS[colour])
    image.save(path)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A custom data set: 32 pictures in train, 8 in dev and 8 in test, with five captions each."""
    folder = tmp_path_factory.mktemp("shapes")
    rng = random.Random(1)
    with (folder / "captions.csv").open("w", newline="") as file:
        write = csv.writer(file).writerow
        write(["image", "caption", "split"])
        for i in range(48):
            colour, shape = list(COLOURS)[i % 4], SHAPES[i // 4 % 2]
            draw(folder / f"{i:02d}.png", colour, shape, rng)
            split = "train" if i < 32 else "dev" if i < 40 else "test"
            for text in (
                f"A {colour} {shape} .",
                f"There is a {colour} {shape} on grey .",
                f"a {shape} that is {colour}",
                f"One {colour} {shape} to the {'left' if i % 2 else 'right'} .",
                f"{colour} {shape}",
            ):
                write([f"{i:02d}.png", text, split])
    return folder


@pytest.fixture(scope="session")
def weights(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small CNN, random with a fixed seed.

    Its BatchNorm has the statistics of the shapes; otherwise the signal would vanish in the random
    layers.
    """
    import torch
    from safetensors.torch import save_file

    from showtell.train.encoder import timm

    torch.manual_seed(0)
    network = timm.create_model("test_resnet").train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # mean over all batches
            if not module.weight.any():  # the exporter would merge equal weights, such as zeros
                torch.nn.init.normal_(module.weight, std=0.01)
    pictures = [np.asarray(Image.open(path)) for path in sorted(shapes.glob("*.png"))]
    with torch.no_grad():
        network((torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255 - 0.45) / 0.22)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(network.state_dict(), path)
    return path


def write_recipe(folder: Path, shapes: Path, weights: Path) -> Path:
    """Write a recipe with both phases, whose run and cache are in `folder`."""
    values = {
        "name": "shapes",
        "run": str(folder / "run"),
        "cache": str(folder / "cache"),
        "data": str(shapes),
        "min_count": 2,
        "encoder": {"name": "test_resnet", "weights": str(weights), "size": 64},
        "decoder": {
            "annotation": 24, "attention": 20, "embedding": 16, "hidden": 28, "dropout": 0.1,
        },
        "crop": 56,
        "frozen": {"epochs": 2, "photos": 8, "captions": 1, "lr": 0.02, "patience": 9},
        "finetune": {
            "epochs": 1, "photos": 4, "captions": 5, "lr": 0.002, "encoder_lr": 0.0001,
            "patience": 9,
        },
    }  # fmt: skip
    path = folder / "shapes.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture
def recipe_file(shapes: Path, weights: Path, tmp_path: Path) -> Path:
    """A recipe for a single test."""
    return write_recipe(tmp_path, shapes, weights)


@pytest.fixture(scope="session")
def trained(shapes: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of ten epochs, enough to describe most of the shapes."""
    from showtell.train import recipe as recipes
    from showtell.train.engine import train

    path = write_recipe(tmp_path_factory.mktemp("trained"), shapes, weights)
    changes = ["frozen.epochs=8", "finetune.epochs=2"]
    return train(recipes.read(path, changes), say=lambda _: None)


def export(trained: Path, target: Path) -> Bundle:
    """Export a run as a bundle, calibrated on the few available photographs.

    The bundle is in half precision, since the small network loses too much as integers.
    """
    from showtell.evaluation import calibrate
    from showtell.train import export as exporting

    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate, "LEAST_TRAINING", 32)
        patch.setattr(calibrate, "LEAST_DEV", 8)
        patch.setattr(exporting, "MAX_LOSS", -math.inf)
        written = exporting.export(trained, target, told.append)
    assert "differ from PyTorch's by" in told[0]
    assert "in 8 bits" in told[1]
    return written


@pytest.fixture(scope="session")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The bundle of the run `trained`."""
    return export(trained, tmp_path_factory.mktemp("exported") / "model")


@pytest.fixture(scope="session")
def trained_with_classifier(
    shapes: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a run with the CNN's classifier, which is random but confident."""
    from safetensors.torch import load_file, save_file

    from showtell.train import recipe as recipes
    from showtell.train.engine import train

    folder = tmp_path_factory.mktemp("classifier")
    tensors = load_file(weights)
    tensors["fc.weight"] *= 30
    save_file(tensors, folder / "sure.safetensors")
    path = write_recipe(folder, shapes, folder / "sure.safetensors")
    changes = ["encoder.classifier=true", "frozen.epochs=8", "finetune.epochs=2"]
    return train(recipes.read(path, changes), say=lambda _: None)


@pytest.fixture(scope="session")
def with_things(
    shapes: Path, trained_with_classifier: Path, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    """The bundle of that run. Its most frequent things have words that the captions use."""
    from showtell import bundle
    from showtell.captioner import Captioner
    from showtell.things import Names

    found = export(trained_with_classifier, tmp_path_factory.mktemp("things") / "model")
    captioner = Captioner(found)
    assert captioner.things is not None
    seen = captioner.encode(sorted(shapes.glob("*.png"))).things
    assert seen is not None
    words: list[tuple[str, ...]] = [()] * seen.shape[1]
    for thing, word in zip(
        np.argsort(-seen.max(axis=0))[:3], ("box", "green", "ball"), strict=True
    ):
        words[thing] = (word,)
    files = {name: (found.path / name).read_bytes() for name in found.manifest["sha256"]}
    files[bundle.THINGS] = Names(captioner.things.names, tuple(words)).content()
    manifest = {k: v for k, v in found.manifest.items() if k not in ("format", "sha256")}
    return bundle.write(found.path, manifest, files)
