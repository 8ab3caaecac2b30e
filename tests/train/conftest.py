"""A data set of drawn shapes, a small CNN, and a recipe that trains on them within seconds."""

import csv
import random
from pathlib import Path

import pytest
import yaml
from PIL import Image, ImageDraw

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
    """A folder of one's own pictures: 32 in train, 8 in dev, 8 in test, five captions each."""
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
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small CNN, random but always the same, with BatchNorm that does something."""
    import torch
    from safetensors.torch import save_file
    from torch import nn

    from showtell.train.encoder import timm

    torch.manual_seed(0)
    network = timm.create_model("mobilenetv2_035")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(network.state_dict(), path)
    return path


@pytest.fixture
def recipe_file(shapes: Path, weights: Path, tmp_path: Path) -> Path:
    """A recipe of both phases; its run and its cache are the test's own."""
    values = {
        "name": "shapes",
        "run": str(tmp_path / "run"),
        "cache": str(tmp_path / "cache"),
        "data": str(shapes),
        "min_count": 2,
        "encoder": {"name": "mobilenetv2_035", "weights": str(weights), "size": 64},
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
    path = tmp_path / "shapes.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
