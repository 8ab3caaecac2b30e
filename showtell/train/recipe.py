"""A recipe: every value of a training run, read from a commented YAML file."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from showtell.errors import MissingExtraError, RecipeError


@dataclass(frozen=True)
class EncoderRecipe:
    """The CNN.

    Attributes
    ----------
    name : one of timm's networks.
    weights : a safetensors file under timm's parameter names, or ``package:`` and the name of an
        installed package that carries a ``.pth`` file; None takes timm's from the hub.
    size : width and height in pixels that photographs are squashed to; None is the network's own.
    mean, std : of the channels at 0..1 that belong to the file `weights`; None is the network's
        own. timm's weights bring theirs, whatever stands here.
    options : handed to ``timm.create_model``, such as ``output_stride: 16`` for a grid of 14×14.
    classifier : whether to keep the classifier that belongs to `weights`.
    pretrained : where a run starts from a bundle, the share of `weights` in the mean of both CNNs
        (Wortsman et al., 2022, arXiv 2109.01903): what was forgotten comes back. 0 takes the
        bundle's as it is.
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
    """Sizes of the decoder, under the paper's letters, and its dropout.

    Without a size of their own, annotations are the CNN's features as they are.
    """

    annotation: int | None = 512  # D
    attention: int = 512
    embedding: int = 512  # m
    hidden: int = 512  # n
    dropout: float = 0.5


@dataclass(frozen=True)
class DetectorRecipe:
    """A detector of words, whose evidence the decoder is given: see :mod:`showtell.train.detector`.

    It learns before the decoder does.

    Attributes
    ----------
    hidden : units of its hidden layer.
    folds : parts of the photographs; the decoder learns from evidence on each part by a detector
        that learned from the others. 0 keeps the detector of the bundle to start from.
    """

    hidden: int = 384
    folds: int = 4


@dataclass(frozen=True)
class HardAttentionRecipe:
    """Hard attention, the paper's section 4.1.

    Attributes
    ----------
    reward : λ_r; at 1 the locations learn by the gradient of the bound in equation 10, below by
        less of it and of its noise.
    entropy : λ_e, which keeps α from settling on one location too soon.
    expected : share of the photographs that are seen by α itself, without a draw.
    """

    reward: float = 1.0
    entropy: float = 0.002
    expected: float = 0.5


@dataclass(frozen=True)
class MoreData:
    """A data set that is trained on beside the run's own, and judges if it has a dev split.

    Attributes
    ----------
    data : its folder.
    weight : how many times an epoch holds each of its photographs.
    written : whether people wrote its captions for its photographs. Where they did not, as in the
        folder that ``showtell pair`` writes, neither a detector of words nor rewards learn from it.
    """

    data: str
    weight: int = 1
    written: bool = True


@dataclass(frozen=True)
class PairingRecipe:
    """What ``showtell pair`` does: see :mod:`showtell.train.pairing`.

    Attributes
    ----------
    photographs : folder of photographs without captions.
    sentences : file of captions without photographs, one a line.
    out : the folder that is written, a data set.
    captions : how many each photograph gets.
    decoder : whether the decoder to start from helps to choose: sentences that it finds likely are
        preferred.
    """

    photographs: str
    sentences: str
    out: str
    captions: int = 5
    decoder: bool = False


@dataclass(frozen=True)
class Phase:
    """One part of the training, with an optimiser of its own.

    Attributes
    ----------
    epochs : times that every caption is seen, or in ``selfcritical`` every photograph; 0 leaves
        the phase out.
    photos : photographs a step.
    captions : captions of each of them in that step, sharing one pass through the CNN; in
        ``selfcritical`` the network draws them.
    same_length : steps hold captions of one length each, as the paper's do (section 4.3).
    lr : the decoder's learning rate at its height.
    encoder_lr : the CNN's; 0 keeps it as it is and trains from cached features.
    warmup : share of the steps during which the rates rise from 0.
    floor : share of the rates that is left when their cosine has come down.
    patience : epochs without a better dev score before the phase ends early.
    doubly_stochastic : λ of the paper's equation 14, which spreads attention over the photograph.
    ema : decay of the exponential moving average of the weights, a step; the average is what is
        validated and kept. 0 keeps the weights themselves.
    temperature : what the logits are divided by while the phase trains: below 1 the network is
        surer of itself. What is kept has them as they were.
    cross_entropy : in ``selfcritical``, weight of the cross entropy of one caption by a person for
        each photograph, beside the reward; it keeps sentences grammatical.
    trust : how many times more the network that is validated and kept trusts its detector's
        evidence than the one that trains, whose evidence comes from less data.
    rarity : τ of logit adjustment (Menon et al., 2021, arXiv 2007.07314): the network that is
        validated and kept says rare words more readily.
    mix : share of the phase's own weights in the network that is validated and kept; the rest are
        those that it started from (Wortsman et al., 2022, arXiv 2109.01903).
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
    """Everything that a run depends on; see ``showtell/recipes`` for what each value does.

    Attributes
    ----------
    start : a bundle's folder, or ``shipped``, whose network and vocabulary the run starts from;
        None starts from the CNN's weights alone.
    min_count : how often the training captions say a word that enters the vocabulary, which has
        those of `start` already.
    devices : processes that share every step, each on a device of its own (on CPU, some cores).
    judge : the dev score by which the best epoch is kept and a phase ends early; None keeps the
        last, and needs no dev split.
    detector : None leaves it out.
    hard : trains ``frozen`` and ``finetune`` with hard attention; None is soft attention.
    more : other data sets that are trained on too.
    pairing : how one of them is made; only ``showtell pair`` reads it.
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
        """Return plain types, as they stand in YAML."""
        return asdict(self)


SHIPPED = Path(__file__).parents[1] / "recipes"

# Options that bundles and checkpoints of earlier versions still have.
_FORMER = ("rehearsal",)


def read(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path : the YAML file, or the name of a recipe that ships: ``quick``.
    overrides : ``key=value``, a dotted key for what stands deeper: ``finetune.epochs=2``.

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
    """Return the file of a recipe, which may be the name of one that ships."""
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
    except Exception as error:  # jsonargparse's, YAML's and the dataclasses' own
        reason = " ".join(line.strip() for line in str(error).strip().splitlines())
        raise RecipeError(f"{where}: {reason}") from error
    values.pop("recipe", None)
    return Recipe(**values)
