"""The encoder: grid, preprocessing and folded BatchNorm."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from showtell.errors import RecipeError
from showtell.train.encoder import Encoder, fold_batchnorm, timm
from showtell.train.recipe import EncoderRecipe


@pytest.fixture
def recipe(weights: Path) -> EncoderRecipe:
    return EncoderRecipe("test_resnet", str(weights), size=64)


def images(size: int, n: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, size, size, 3), dtype=torch.uint8, generator=generator)


def test_features_are_those_of_timm(recipe: EncoderRecipe, weights: Path) -> None:
    """Compared with the network with BatchNorm, on pixels normalised as in timm."""
    network = timm.create_model("test_resnet", checkpoint_path=str(weights)).eval()
    mean, std = (torch.tensor(network.default_cfg[k]).view(3, 1, 1) for k in ("mean", "std"))
    pixels = (images(64).permute(0, 3, 1, 2) / 255 - mean) / std
    with torch.inference_mode():
        expected = network.forward_features(pixels)  # (B, C, 2, 2)
        found = Encoder(recipe)(images(64))
    assert found.shape == (2, 4, 96)
    torch.testing.assert_close(found, expected.flatten(2).transpose(1, 2), rtol=1e-3, atol=1e-4)


def test_no_batchnorm_is_left(recipe: EncoderRecipe) -> None:
    assert not any(isinstance(module, nn.BatchNorm2d) for module in Encoder(recipe).modules())


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0", "densenet121"])
def test_folding_changes_no_number(name: str) -> None:
    torch.manual_seed(0)
    network = timm.create_model(name).eval()
    pixels = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        before = network.forward_features(pixels)
        after = fold_batchnorm(network, 64).forward_features(pixels)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)


def test_an_output_stride_of_16_doubles_the_grid(recipe: EncoderRecipe) -> None:
    assert Encoder(recipe).grid == (2, 2)
    assert Encoder(replace(recipe, options={"output_stride": 16})).grid == (4, 4)


def test_vgg_gives_the_annotations_of_the_paper() -> None:
    """conv5_4 before its pooling: 14×14 cells of 512 numbers (section 4.3)."""
    encoder = Encoder(EncoderRecipe("vgg19"), pretrained=False)
    assert (*encoder.grid, encoder.channels) == (14, 14, 512)
    last = [module for module in encoder.network.features if isinstance(module, nn.Conv2d)][-1]
    assert last.out_channels == 512
    assert not isinstance(encoder.network.features[-1], nn.MaxPool2d)
    assert sum(p.numel() for p in encoder.parameters()) < 21e6, "the convolutions alone"


def test_a_checkpoint_rebuilds_without_the_weights_file(recipe: EncoderRecipe) -> None:
    first = Encoder(recipe)
    second = Encoder(replace(recipe, weights="gone"), pretrained=False)
    second.load_state_dict(first.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(second(images(64)), first(images(64)), rtol=0, atol=0)


def test_an_unknown_name_lists_known_ones() -> None:
    with pytest.raises(RecipeError, match="mobilenetv2_100"):
        Encoder(EncoderRecipe("mobilenetv2_101"))


def test_weights_that_cannot_be_fetched_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # no retries
    with pytest.raises(RecipeError, match="weights of mobilenetv2_050 cannot be downloaded"):
        Encoder(EncoderRecipe("mobilenetv2_050"))


def test_a_network_without_a_grid_is_refused() -> None:
    with pytest.raises(RecipeError, match="no grid"):
        Encoder(EncoderRecipe("vit_tiny_patch16_224"), pretrained=False)


def test_weights_that_do_not_fit_are_refused(recipe: EncoderRecipe, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="nowhere"):
        Encoder(replace(recipe, weights=str(tmp_path / "nowhere")))
    with pytest.raises(RecipeError, match=r"are missing|cannot be loaded"):
        Encoder(replace(recipe, name="resnet18"))
    with pytest.raises(RecipeError, match="does not accept"):
        Encoder(replace(recipe, options={"nonsense": 1}), pretrained=False)


def carry(folder: Path, *files: str) -> None:
    """Create a package in `folder` that contains files."""
    record = folder / "carrier-1.0.dist-info" / "RECORD"
    record.parent.mkdir()
    (record.parent / "METADATA").write_text("Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
    record.write_text("".join(f"{file},,\n" for file in files))


def test_weights_are_taken_from_a_package_in_their_order(
    recipe: EncoderRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    carried = replace(recipe, weights="package:carrier")
    with pytest.raises(RecipeError, match="pip install carrier"):
        Encoder(carried)
    network = timm.create_model(recipe.name, checkpoint_path=recipe.weights)
    named_otherwise = {f"theirs.{i}": t for i, t in enumerate(network.state_dict().values())}
    torch.save(named_otherwise, tmp_path / "weights.pth")
    carry(tmp_path, "weights.pth")
    images = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    assert torch.equal(Encoder(carried)(images), Encoder(recipe)(images))
    torch.save(dict(list(named_otherwise.items())[1:]), tmp_path / "weights.pth")
    with pytest.raises(RecipeError, match="cannot be loaded"):
        Encoder(carried)
