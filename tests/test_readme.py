"""The README promises nothing that is not so."""

import re
from pathlib import Path

import pytest

from showtell.bundle import SHIPPED
from showtell.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_scores_are_those_of_the_model_that_ships() -> None:
    """The table stands in the model card, which the export wrote when it measured them."""
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    table = re.search(r"```\n(showtell-wider on test.*?)```", README, re.DOTALL)
    assert table is not None
    assert table[1].strip() in card


@pytest.mark.parametrize("line", sorted(set(re.findall(r"^    (showtell [^#\n]+)", README, re.M))))
def test_the_commands_exist(line: str) -> None:
    """Every option of every example is one that the command has."""
    _, name, *words = line.split()
    command = main.commands[name]
    if name == "data":
        command = command.commands[words[0]]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_links_lead_somewhere(target: str) -> None:
    assert target.startswith("https://") or (ROOT / target).exists()
