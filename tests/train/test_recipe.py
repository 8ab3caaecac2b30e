"""Recipes: reading, overrides and errors."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from showtell.cli import main
from showtell.errors import RecipeError
from showtell.train import recipe as recipes

RECIPES = recipes.SHIPPED


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_recipes_of_the_project_can_be_read(path: Path) -> None:
    recipe = recipes.read(path)
    assert recipe.frozen.epochs + recipe.finetune.epochs + recipe.selfcritical.epochs > 0


def test_soft_and_hard_attention_are_compared_on_equal_terms() -> None:
    """The penalty belongs to soft attention (section 4.2.1)."""
    soft, hard = (recipes.read(RECIPES / f"{name}.yaml") for name in ("soft", "hard"))
    assert hard.hard is not None
    frozen = replace(hard.frozen, doubly_stochastic=soft.frozen.doubly_stochastic)
    same = replace(hard, hard=None, frozen=frozen, name=soft.name, run=soft.run)
    assert same == soft


def test_a_recipe_that_ships_goes_by_its_name() -> None:
    assert recipes.read("quick") == recipes.read(RECIPES / "quick.yaml")


def test_a_file_goes_before_a_recipe_that_ships(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quick").write_bytes(recipe_file.read_bytes())
    assert recipes.read("quick") == recipes.read(recipe_file)


def test_a_missing_data_set_is_an_error_that_names_the_option(recipe_file: Path) -> None:
    done = CliRunner().invoke(main, ["train", str(recipe_file), "--set", "data=nowhere"])
    message = "showtell: nowhere is not a folder; name yours with --set data=FOLDER\n"
    assert (done.exit_code, done.stderr) == (1, message)


def test_an_unknown_name_lists_those_that_ship() -> None:
    with pytest.raises(RecipeError, match=r"quik: there is no such recipe.*recipes.* quick, "):
        recipes.read("quik")


def test_every_value_can_be_overridden(recipe_file: Path) -> None:
    changes = ["seed=7", "finetune.encoder_lr=1e-3", "encoder.options={'output_stride': 16}"]
    recipe = recipes.read(recipe_file, changes)
    assert recipe.seed == 7
    assert recipe.finetune.encoder_lr == 0.001
    assert recipe.finetune.photos == 4, "what stands beside it stays"
    assert recipe.encoder.options == {"output_stride": 16}


def test_a_recipe_survives_a_round_trip(recipe_file: Path) -> None:
    recipe = recipes.read(recipe_file)
    assert recipes.from_dict(recipe.to_dict()) == recipe


def test_a_recipe_of_another_version_is_refused(recipe_file: Path) -> None:
    values = recipes.read(recipe_file).to_dict() | {"momentum": 0.9}
    with pytest.raises(RecipeError, match=r"recipe of the checkpoint: .*momentum"):
        recipes.from_dict(values)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("finetune.epoch=2", "epoch"),
        ("sed=2", "sed"),
        ("seed=two", "seed"),
        ("frozen.lr=[1, 2]", "lr"),
        ("seed", "key=value"),
        ("judge=meteor", "judge"),
        ("finetune.same_length=true", "same_length requires captions: 1"),
    ],
)
def test_what_cannot_be_used_is_named(recipe_file: Path, override: str, named: str) -> None:
    with pytest.raises(RecipeError, match=named):
        recipes.read(recipe_file, [override])


@pytest.mark.parametrize("text", ["data: [", "just words", "frozen: 3", ""])
def test_a_file_that_is_no_recipe_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"broken\.yaml"):
        recipes.read(path)
