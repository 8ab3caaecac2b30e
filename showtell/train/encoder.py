"""The encoder: a pretrained CNN from timm that computes a grid of features."""

import copy
from importlib.metadata import PackageNotFoundError, files
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from showtell.errors import RecipeError
from showtell.train.recipe import EncoderRecipe


def _define_missing_torchvision_operators() -> None:
    """Make torchvision importable with a CPU build of PyTorch; timm imports it.

    A torchvision wheel for CUDA cannot load its compiled operators then, and its import fails
    because two of them are undefined. Nothing here calls them.
    """
    if torch.version.cuda is not None:
        return
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )


_define_missing_torchvision_operators()
import timm  # noqa: E402

PACKAGE = "package:"  # prefix of `weights` in a recipe that name a package on PyPI


class Encoder(nn.Module):
    """A CNN without its classifier, with the preprocessing that its weights require.

    BatchNorm keeps its ImageNet statistics and is folded into the convolutions. The outputs are the
    same, and a training step takes half the time.

    Parameters
    ----------
    recipe : selects the network and its weights.
    pretrained : whether to load the recipe's weights; False if a checkpoint is loaded afterwards.

    Attributes
    ----------
    size : width and height of the input images in pixels.
    channels : C, the depth of the features.
    grid : rows and columns of the features; L = rows × cols.
    classifier : maps the mean features (B, C) to the logits of the ImageNet classes (B, 1000);
        None unless the recipe keeps it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, recipe: EncoderRecipe, pretrained: bool = True) -> None:
        super().__init__()
        network, self.classifier = _create(recipe, pretrained)
        config = timm.data.resolve_data_config({}, model=network)
        self.size = recipe.size or config["input_size"][-1]
        for name in ("mean", "std"):
            values = (recipe.weights and getattr(recipe, name)) or config[name]
            self.register_buffer(name, 255 * torch.tensor(values).view(3, 1, 1), persistent=False)
        self.network = fold_batchnorm(network.eval(), self.size)
        self.channels, *grid = self._features(torch.zeros(1, 3, self.size, self.size)).shape[1:]
        if len(grid) != 2:
            raise RecipeError(f"encoder.name: {recipe.name} has no grid of features; choose a CNN")
        self.grid = (grid[0], grid[1])

    def forward(self, images: Tensor) -> Tensor:
        """Return the features (B, L, C) of uint8 RGB images (B, size, size, 3)."""
        pixels = images.permute(0, 3, 1, 2).float()  # (B, 3, size, size), channels last in memory
        features = self._features((pixels - self.mean) / self.std)
        return features.flatten(2).transpose(1, 2)  # (B, L, C)

    def _features(self, pixels: Tensor) -> Tensor:
        return self.network.forward_features(pixels)

    def train(self, mode: bool = True) -> "Encoder":
        """Stay in evaluation mode, so that small batches do not change any statistics."""
        return super().train(False)


def _create(recipe: EncoderRecipe, pretrained: bool) -> tuple[Any, nn.Linear | None]:
    """Return a network without its classifier, and the classifier if the recipe keeps it."""
    if recipe.name not in timm.list_models():
        near = timm.list_models(f"*{recipe.name.split('_')[0]}*")[:12]
        raise RecipeError(
            f"encoder.name: timm has no {recipe.name!r}; it has {', '.join(near)}, ..."
        )
    from_hub = pretrained and recipe.weights is None
    try:
        network: Any = timm.create_model(recipe.name, pretrained=from_hub, **recipe.options)
    except TypeError as error:
        raise RecipeError(
            f"encoder.options: {recipe.name} does not accept them: {error}"
        ) from error
    except Exception as error:  # from the hub, the network connection or the file system
        raise RecipeError(
            f"encoder.weights: timm's weights of {recipe.name} cannot be downloaded ({error}); "
            "give a safetensors file"
        ) from error
    if pretrained and recipe.weights is not None:
        _load_weights(network, recipe.weights)
    classifier = network.get_classifier() if recipe.classifier else None
    if recipe.classifier and not isinstance(classifier, nn.Linear):
        raise RecipeError(
            f"encoder.classifier: the classifier of {recipe.name} is not a single layer"
        )
    network.reset_classifier(0, "")
    if recipe.name.startswith("vgg"):
        # The paper's annotations are conv5_4 (14×14×512), before the last pooling layer.
        network.features = network.features[:-1]
        network.pre_logits = nn.Identity()  # unused, but most of the weights
    return network.to(memory_format=torch.channels_last), classifier


def _load_weights(network: Any, weights: str) -> None:
    try:
        if weights.startswith(PACKAGE):
            tensors = _of_package(network, weights.removeprefix(PACKAGE))
        else:
            tensors = load_file(weights)
        result = network.load_state_dict(tensors, strict=False)
    except PackageNotFoundError as error:
        raise RecipeError(
            f"encoder.weights: {error.name} is not installed; run: pip install {error.name}"
        ) from error
    except Exception as error:  # from safetensors, or from PyTorch for a wrong shape
        raise RecipeError(f"encoder.weights: {weights}: cannot be loaded: {error}") from error
    if missing := [key for key in result.missing_keys if "num_batches" not in key]:
        raise RecipeError(
            f"encoder.weights: {weights}: {missing[0]} and {len(missing) - 1} more are missing"
        )


def _of_package(network: Any, package: str) -> dict[str, Tensor]:
    """Read the .pth file of an installed package; its tensors are in the network's order."""
    paths = [file for file in files(package) or () if file.suffix == ".pth"]
    if len(paths) != 1:
        raise ValueError(f"the package carries {len(paths)} .pth files, not one")
    stored = torch.load(paths[0].locate(), map_location="cpu", weights_only=True)
    # The package names the layers differently; load_state_dict compares the shapes.
    return dict(zip(network.state_dict(), stored.values(), strict=True))


def fold_batchnorm(network: Any, size: int) -> Any:  # timm's networks share no base class
    """Fold each BatchNorm that follows a convolution into that convolution.

    Parameters
    ----------
    network : a timm network in evaluation mode.
    size : side in pixels of the test image that verifies the result.

    Returns
    -------
    The folded network, or `network` unchanged if its layers do not run in the order of their
    registration.
    """
    folded = copy.deepcopy(network)
    before: nn.Module | None = None
    for name, module in list(folded.named_modules()):
        if isinstance(module, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            if before.out_channels == module.num_features:
                _fold(before, module)
                # timm's BatchNormAct2d includes the activation that follows.
                rest = [getattr(module, part, nn.Identity()) for part in ("drop", "act")]
                folded.set_submodule(name, nn.Sequential(*rest))
                before = None
        elif isinstance(module, nn.Conv2d):
            before = module
    with torch.inference_mode():
        image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
        was, now = network.forward_features(image), folded.forward_features(image)
    return folded if torch.allclose(was, now, rtol=1e-3, atol=1e-3 * float(was.std())) else network


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
