"""The model card of a bundle, written from its manifest."""

import textwrap
from collections.abc import Mapping
from typing import Any

_CARD = """# {name}

Captions photographs with the model of *Show, Attend and Tell* (Xu et al., 2015, {kind} attention):
{encoder} as the CNN, a grid of {rows}×{cols} annotations, {parameters:.1f} million weights,
{vocabulary_size} words. Licence: {licence}.

## How it was made

{made}

## What it is for

Research, teaching, and first drafts of alt text. It knows the world of its training photographs. Of
other photographs its captions are as fluent and often wrong. It was trained on captions that people
wrote about strangers, and repeats their guesses at who is a man, a woman or a child. Do not use it
to identify people, or where a wrong caption does harm.

{doubt}

## Scores

{scores}
"""

_MADE = (
    "Trained by showtell on the training split of {data}. The CNN started from {weights} and the "
    "decoder from nothing; {phases}. {stored} The recipe "
    "stands in `manifest.json`. No photograph is part of the bundle."
)

_HALF = "Weights are stored in half precision and computed with in single precision."
_INTEGERS = (
    "Convolutions and matrices are stored and computed with in 8 bits, calibrated on photographs "
    "of the training split, which changes CIDEr on the dev split by {change:+.4f}."
)

_DOUBT = {
    True: "It marks captions that are probably wrong as `unsure`.",
    False: "It cannot tell which captions are probably wrong.",
}

# In the order in which they are trained.
_PHASES = {
    "frozen": "the decoder was trained alone for up to {epochs} epochs with the CNN as it was",
    "finetune": "CNN and decoder were trained together, every layer, for up to {epochs} epochs",
    "selfcritical": (
        "{learners} rewarded for up to {epochs} epochs for the CIDEr-D of captions drawn "
        "from the model itself (self-critical training)"
    ),
}


def model_card(manifest: Mapping[str, Any], scorecard: str | None) -> str:
    """Return the text of a bundle's README.md.

    Parameters
    ----------
    manifest : the bundle's manifest.
    scorecard : the output of ``showtell evaluate``; None if the test split is not available.
    """
    recipe = manifest["training"]["recipe"]
    rows, cols = manifest["grid"]
    quantised = manifest.get("quantised")
    first = manifest["training"]
    while first.get("start"):
        first = first["start"]
    made = _MADE.format(
        data=first["recipe"]["data"],
        weights=first["recipe"]["encoder"]["weights"],
        phases=", then ".join(_phases(manifest["training"])),
        stored=_INTEGERS.format(change=-quantised["cider_lost"]) if quantised else _HALF,
    )
    return _CARD.format(
        **{key: manifest[key] for key in ("name", "licence", "vocabulary_size")},
        kind="hard" if recipe.get("hard") else "soft",
        encoder=recipe["encoder"]["name"],
        rows=rows,
        cols=cols,
        parameters=manifest["parameters"] / 1e6,
        doubt=_DOUBT["doubt" in manifest],
        made=textwrap.fill(made, 100, break_on_hyphens=False),
        scores=f"```\n{scorecard}\n```" if scorecard else "Not measured.",
    )


def _phases(training: Mapping[str, Any]) -> list[str]:
    """Describe all training phases in order, including those of the bundle it started from."""
    recipe, start = training["recipe"], training.get("start")
    own = [
        text.format(epochs=recipe[name]["epochs"], learners=_learners(recipe[name]))
        for name, text in _PHASES.items()
        if recipe.get(name, {}).get("epochs")
    ]
    if start and _sets(start["recipe"]) != _sets(recipe):
        sets = " and ".join(_sets(recipe))
        own[:1] = [f"on {sets} {text}{_mixed(recipe)}" for text in own[:1]]
    if recipe.get("detector"):
        own.insert(0, "a detector of words was trained, whose evidence the decoder is given")
    return (_phases(start) if start else []) + own


def _sets(recipe: Mapping[str, Any]) -> list[str]:
    """Return the names of the data sets in a recipe, the main one first."""
    paired = recipe.get("pairing") or {}
    names = [each["data"] for each in recipe.get("more") or []]
    note = "(photographs with sentences that `showtell pair` found)"
    return [recipe["data"], *(f"{n} {note}" if n == paired.get("out") else n for n in names)]


def _mixed(recipe: Mapping[str, Any]) -> str:
    share = recipe["encoder"].get("pretrained")
    return f", {share:.0%} of the CNN's first weights mixed back into it" if share else ""


def _learners(phase: Mapping[str, Any]) -> str:
    return "CNN and decoder were" if phase.get("encoder_lr") else "the decoder alone was"
