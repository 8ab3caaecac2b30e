"""The documents in docs/ name what is there."""

import re
from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAPER = (DOCS / "paper.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(showtell\.[\w.]+)`", PAPER))))
def test_what_the_page_on_the_paper_names_exists(name: str) -> None:
    parts = name.split(".")
    depth = next(i for i, part in enumerate(parts) if part[0].isupper() or i == len(parts) - 1)
    found = import_module(".".join(parts[:depth]))
    for part in parts[depth:]:
        # layers are made when a network is: their names stand in its source
        if not hasattr(found, part):
            assert f"self.{part} = " in Path(import_module(found.__module__).__file__).read_text()
            return
        found = getattr(found, part)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", PAPER))))
def test_links_lead_somewhere(target: str) -> None:
    assert target.startswith("https://") or (DOCS / target).exists()
