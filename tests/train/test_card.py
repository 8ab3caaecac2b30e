"""The model card tells what the manifest says."""

import pytest

from showtell.bundle import Bundle
from showtell.train.card import model_card


@pytest.mark.parametrize(
    ("hard", "told"), [(None, "soft attention"), ({"reward": 1.0}, "hard attention")]
)
def test_it_tells_which_attention_was_trained(hard: dict | None, told: str) -> None:
    manifest = dict(Bundle.load().manifest)
    recipe = manifest["training"]["recipe"] | {"hard": hard}
    manifest["training"] = manifest["training"] | {"recipe": recipe}
    assert f"2015, {told}):" in model_card(manifest, None)
