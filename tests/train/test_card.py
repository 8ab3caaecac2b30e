"""The model card agrees with the manifest."""

import pytest

from showtell.bundle import Bundle
from showtell.train.card import model_card


def test_it_tells_what_each_part_of_the_training_was_on() -> None:
    """For a model that was fine-tuned on other pictures, it named only these."""
    manifest = dict(Bundle.load().manifest)
    start = manifest["training"]
    recipe = start["recipe"] | {"data": "album", "frozen": {"epochs": 7}, "finetune": {"epochs": 0}}
    recipe["selfcritical"] = {"epochs": 0}
    recipe |= {"more": [], "pairing": None}
    recipe["encoder"] = recipe["encoder"] | {"weights": "timm's own weights", "pretrained": 0.0}
    manifest["training"] = {"recipe": recipe, "start": start}
    told = " ".join(model_card(manifest, None).split())
    assert f"on the training split of {start['recipe']['data']}. The CNN started from" in told
    assert "then on album the decoder was trained alone for up to 7 epochs" in told
    assert "timm's own weights" not in told


@pytest.mark.parametrize(
    ("hard", "told"), [(None, "soft attention"), ({"reward": 1.0}, "hard attention")]
)
def test_it_tells_which_attention_was_trained(hard: dict | None, told: str) -> None:
    manifest = dict(Bundle.load().manifest)
    recipe = manifest["training"]["recipe"] | {"hard": hard}
    manifest["training"] = manifest["training"] | {"recipe": recipe}
    assert f"2015, {told}):" in model_card(manifest, None)


@pytest.mark.parametrize(
    ("doubt", "told"), [({"limit": 1.0}, "as `unsure`"), (None, "cannot tell")]
)
def test_it_tells_whether_the_model_knows_doubt(doubt: dict | None, told: str) -> None:
    manifest = {name: value for name, value in Bundle.load().manifest.items() if name != "doubt"}
    if doubt:
        manifest["doubt"] = doubt
    assert told in model_card(manifest, None)
