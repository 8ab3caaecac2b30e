"""Recipes: the settings of a training run, read from a YAML file."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from showtell.errors import MissingExtraError, RecipeError


@dataclass(frozen=True)
class EncoderRecipe:
    """Settings of the CNN.

    Attributes
    ----------
    name : name of a timm model.
    weights : a safetensors file with timm's parameter names, or ``package:`` and the name of an
        installed package that contains a ``.pth`` file; None downloads timm's weights from the hub.
    size : width and height in pixels that photographs are resized to; None uses the model's
        default.
    mean, std : channel means and standard deviations, in 0..1, for the file `weights`; None uses
        the model's defaults. Ignored if `weights` is None.
    options : arguments for ``timm.create_model``, such as ``output_stride: 16`` for a grid of
        14×14.
    classifier : whether to keep the classifier that belongs to `weights`.
    pretrained : if the run starts from a bundle, the share of `weights` in the average of both CNNs
        (Wortsman et al., 2022, arXiv 2109.01903). This recovers features that fine-tuning has
        lost. 0 uses the bundle's CNN unchanged.
    """

    name: str = "mobilenetv2_100"
    weights: str | None = None
    size: int | None = None
    mean: list[float] | None = None
    std: list[float] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    classifier: bool = False
    pretrained: float = 0.0


@dataclass(frozen=True)
class DecoderRecipe:
    """Sizes of the decoder, with the paper's symbols, and its dropout.

    If `annotation` is None, the annotations are the CNN's features without a projection.
    """

    annotation: int | None = 512  # D
    attention: int = 512
    embedding: int = 512  # m
    hidden: int = 512  # n
    dropout: float = 0.5


@dataclass(frozen=True)
class DetectorRecipe:
    """Settings of the word detector, which is trained before the decoder.

    The decoder uses its evidence for each word: see :mod:`showtell.train.detector`.

    Attributes
    ----------
    hidden : units of its hidden layer.
    folds : number of folds for cross-fitting: the decoder is trained on evidence for each fold
        from a detector trained on the other folds. 0 keeps the detector of the bundle to start
        from.
    """

    hidden: int = 384
    folds: int = 4


@dataclass(frozen=True)
class HardAttentionRecipe:
    """Hard attention, the paper's section 4.1.

    Attributes
    ----------
    reward : λ_r, weight of the REINFORCE term. 1 is the gradient of the bound in equation 10;
        smaller values reduce its noise.
    entropy : λ_e, weight of the entropy of α, which prevents early convergence to one location.
    expected : share of the photographs that use the expectation α instead of sampled locations.
    """

    reward: float = 1.0
    entropy: float = 0.002
    expected: float = 0.5


@dataclass(frozen=True)
class MoreData:
    """An additional data set for training and, if it has a dev split, for validation.

    Attributes
    ----------
    data : folder of the data set.
    weight : how often each of its photographs occurs in an epoch.
    written : whether people wrote the captions for these photographs. If not, as in a folder from
        ``showtell pair``, the word detector and the ``selfcritical`` phase do not use them.
    """

    data: str
    weight: int = 1
    written: bool = True


@dataclass(frozen=True)
class PairingRecipe:
    """Settings of ``showtell pair``: see :mod:`showtell.train.pairing`.

    Attributes
    ----------
    photographs : folder of photographs without captions.
    sentences : file of captions without photographs, one per line.
    out : folder of the data set to write.
    captions : captions per photograph.
    decoder : whether to prefer sentences that the decoder of `start` finds likely.
    """

    photographs: str
    sentences: str
    out: str
    captions: int = 5
    decoder: bool = False


@dataclass(frozen=True)
class Phase:
    """Settings of one training phase, which has its own optimiser.

    `ema`, `temperature`, `trust`, `rarity` and `mix` make the saved network (``best.json``) differ
    from the one in training. The saved network is the one that is validated and exported.

    Attributes
    ----------
    epochs : passes over the captions, or over the photographs in ``selfcritical``; 0 skips the
        phase.
    photos : photographs per step.
    captions : captions per photograph in a step, which share one pass through the CNN; in
        ``selfcritical`` they are sampled from the network.
    same_length : whether all captions of a step have the same length, as in the paper
        (section 4.3).
    lr : peak learning rate of the decoder.
    encoder_lr : peak learning rate of the CNN; 0 freezes it and trains from cached features.
    warmup : share of the steps in which the learning rates rise linearly from 0.
    floor : final learning rates as a share of the peak, at the end of the cosine.
    patience : epochs without a better dev score before the phase ends early.
    doubly_stochastic : λ of the paper's equation 14, which spreads attention over the photograph.
    ema : decay per step of the exponential moving average of the weights, which is saved; 0 saves
        the current weights.
    temperature : divides the logits during training: below 1, the distribution over words is
        sharper. The saved network has the original logits.
    cross_entropy : in ``selfcritical``, weight of the cross-entropy of one reference caption per
        photograph, in addition to the reward; it keeps sentences grammatical.
    trust : factor of the detector's evidence in the saved network. In training, the evidence comes
        from detectors that were trained on less data.
    rarity : τ of logit adjustment (Menon et al., 2021, arXiv 2007.07314), which makes rare words
        more likely in the saved network.
    mix : share of the trained weights in the saved network, averaged with the phase's initial
        weights (Wortsman et al., 2022, arXiv 2109.01903).
    """

    epochs: int
    photos: int
    captions: int
    lr: float
    same_length: bool = False
    encoder_lr: float = 0.0
    warmup: float = 0.03
    floor: float = 0.0
    patience: int = 3
    doubly_stochastic: float = 1.0
    ema: float = 0.0
    temperature: float = 1.0
    cross_entropy: float = 0.0
    trust: float = 1.0
    rarity: float = 0.0
    mix: float = 1.0

    def __post_init__(self) -> None:
        if self.same_length and self.captions != 1:
            raise ValueError(
                "same_length requires captions: 1, since captions of a photograph differ"
            )


@dataclass(frozen=True)
class Recipe:
    """All settings of a run; ``showtell/recipes`` has commented examples.

    Attributes
    ----------
    start : a bundle's folder, or ``shipped``, that provides the initial network and vocabulary;
        None starts from pretrained CNN weights only.
    min_count : fewest occurrences of a word in the training captions for it to enter the
        vocabulary; words in the vocabulary of `start` are always included.
    devices : number of processes that share every step, each on its own device (on a CPU, on some
        of its cores).
    judge : dev score that selects the best epoch and stops a phase early; None keeps the last
        epoch, and needs no dev split.
    detector : settings of the word detector; None trains without one.
    hard : settings of hard attention in ``frozen`` and ``finetune``; None uses soft attention.
    more : additional data sets.
    pairing : settings of ``showtell pair``, which makes one of them; training ignores it.
    """

    data: str
    frozen: Phase
    finetune: Phase
    selfcritical: Phase = Phase(epochs=0, photos=32, captions=5, lr=5e-5, doubly_stochastic=0.0)
    start: str | None = None
    more: list[MoreData] = field(default_factory=list)
    pairing: PairingRecipe | None = None
    run: str = "runs/showtell"
    cache: str = "runs/cache"
    name: str = "showtell"
    seed: int = 1
    min_count: int = 5
    max_words: int = 25
    encoder: EncoderRecipe = EncoderRecipe()
    decoder: DecoderRecipe = DecoderRecipe()
    detector: DetectorRecipe | None = None
    hard: HardAttentionRecipe | None = None
    label_smoothing: float = 0.1
    optimizer: Literal["adamw", "rmsprop"] = "adamw"
    weight_decay: float = 0.01
    grad_norm: float = 5.0
    mirror: bool = True
    crop: int = 200
    validate_photos: int = 500
    validate_beam: int = 3
    judge: Literal["cider", "bleu4"] | None = "cider"
    checkpoint_minutes: float = 3.0
    precision: str = "32-true"
    devices: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain types, as in its YAML file."""
        return asdict(self)


SHIPPED = Path(__file__).parents[1] / "recipes"

# Removed options that older bundles and checkpoints still contain.
_FORMER = ("rehearsal",)


def read(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path : a YAML file, or the name of a recipe that ships, such as ``quick``.
    overrides : ``key=value`` strings, with dotted keys for nested values: ``finetune.epochs=2``.

    Raises
    ------
    RecipeError : a key is unknown, a value has the wrong type, or the file cannot be read.
    """
    path = _find(Path(path))
    if wrong := [o for o in overrides if "=" not in o]:
        raise RecipeError(f"--set takes key=value, not {wrong[0]!r}")
    arguments = [f"--recipe={path}", *(f"--{override}" for override in overrides)]
    return _parse(lambda parser: parser.parse_args(arguments), str(path))


def _find(path: Path) -> Path:
    """Return the file of a recipe, given its path or the name of a recipe that ships."""
    shipped = {file.stem: file for file in sorted(SHIPPED.glob("*.yaml"))}
    found = path if path.is_file() else shipped.get(str(path))
    if found is None:
        known = ", ".join(shipped)
        raise RecipeError(f"{path}: there is no such recipe; {SHIPPED} has {known}")
    return found


def from_dict(values: dict[str, Any]) -> Recipe:
    """Rebuild a recipe from :meth:`Recipe.to_dict`, or raise a RecipeError."""
    return _parse(
        lambda parser: parser.parse_object({k: v for k, v in values.items() if k not in _FORMER}),
        "the recipe of the checkpoint",
    )


def _parse(parse: Callable[[Any], Any], where: str) -> Recipe:
    try:
        from jsonargparse import ArgumentParser
    except ImportError as error:
        raise MissingExtraError("training", "train") from error
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--recipe", action="config")
    parser.add_class_arguments(Recipe)
    try:
        values = parser.instantiate(parse(parser)).as_dict()
    except Exception as error:  # from jsonargparse, YAML or a dataclass
        reason = " ".join(line.strip() for line in str(error).strip().splitlines())
        raise RecipeError(f"{where}: {reason}") from error
    values.pop("recipe", None)
    return Recipe(**values)
