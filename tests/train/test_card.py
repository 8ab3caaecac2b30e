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


@pytest.mark.parametrize(("doubt", "told"), [({"limit": 1.0}, "(`unsure`)"), (None, "cannot tell")])
def test_it_tells_whether_the_model_knows_doubt(doubt: dict | None, told: str) -> None:
    manifest = {name: value for name, value in Bundle.load().manifest.items() if name != "doubt"}
    if doubt:
        manifest["doubt"] = doubt
    assert told in model_card(manifest, None)
