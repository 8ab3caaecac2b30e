"""The documents in docs/ refer to existing names."""

import hashlib
import re
from importlib import import_module
from pathlib import Path

import pytest

from showtell.bundle import COMPONENTS, SHIPPED

DOCS = Path(__file__).parents[1] / "docs"
PAPER, DOUBT = ((DOCS / name).read_text(encoding="utf-8") for name in ("paper.md", "doubt.md"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(showtell\.[\w.]+)`", PAPER + DOUBT))))
def test_what_the_documents_name_exists(name: str) -> None:
    parts = name.split(".")
    depth = next(i for i, part in enumerate(parts) if part[0].isupper() or i == len(parts) - 1)
    found = import_module(".".join(parts[:depth]))
    for part in parts[depth:]:
        # layers are created with the network, so search its source
        if not hasattr(found, part):
            assert f"self.{part} = " in Path(import_module(found.__module__).__file__).read_text()
            return
        found = getattr(found, part)


def test_doubt_was_measured_of_the_model_that_ships() -> None:
    """Run ``benchmarks/doubt.py`` again after exporting another model."""
    digest = hashlib.sha256((SHIPPED / COMPONENTS).read_bytes()).hexdigest()
    assert f"`{COMPONENTS}` {digest[:12]}" in DOUBT
