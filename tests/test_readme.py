"""The README and the pages of docs/ are correct."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from showtell.bundle import SHIPPED
from showtell.cli import main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
GALLERY = (DOCS / "gallery.md").read_text(encoding="utf-8")
PAGES = {"README.md": README, **{p.name: p.read_text("utf-8") for p in DOCS.glob("*.md")}}
COMMANDS = re.findall(r"^ +(showtell [a-z][^#\n]+)", "\n".join(PAGES.values()), re.MULTILINE)


def test_tables_and_reference_are_as_they_are_computed_now() -> None:
    """From the model that ships, the logs, ``--help`` and OpenAPI: ``make tables`` writes them."""
    from tables import pages

    assert [path.name for path, text in pages() if path.read_text("utf-8") != text] == []


def test_the_scores_are_those_of_the_model_card() -> None:
    """The card was written with the measurement."""
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    row = re.search(r"^these captions +(.+)$", card, re.MULTILINE)
    shown = re.search(r"^\| showtell-[\w-]+, Flickr8k \| (.+) \|$", README, re.MULTILINE)
    assert row is not None
    assert shown is not None
    bleu1, _, _, bleu4, meteor, rouge, cider = map(float, row[1].split())
    rounded = [f"{100 * round(x / 100, 3):.1f}" for x in (bleu1, bleu4, meteor, rouge)]
    assert shown[1].split(" | ") == [*rounded, f"{cider:.3f}"]


@pytest.mark.parametrize("line", sorted({line.strip() for line in COMMANDS}))
def test_the_commands_exist(line: str) -> None:
    """Every option in every example exists."""
    _, name, *words = line.split()
    command = main.commands[name]
    if isinstance(command, click.Group):
        command = command.commands[words[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    """In the repository, where a file is read as it is; tests/test_site.py follows the site's."""
    folder = ROOT if name == "README.md" else DOCS
    for target in set(re.findall(r"\]\(([^)#\s]+)[^)]*\)", PAGES[name])):
        assert target.startswith("https://") or (folder / target).exists(), target


def test_the_gallery_was_made_with_the_model_that_ships() -> None:
    """``make gallery`` generates it."""
    digest = hashlib.sha256((SHIPPED / "manifest.json").read_bytes()).hexdigest()
    assert f"`manifest.json` {digest[:12]}" in GALLERY


def test_the_gallery_names_the_source_of_every_photograph() -> None:
    photographs = sorted((DOCS / "gallery").glob("*.jpg"))
    assert len(photographs) == 12
    for path in photographs:
        assert f"| `{path.name}` |" in GALLERY
        assert f"(gallery/{path.stem}.webp)" in GALLERY
        assert path.with_suffix(".webp").exists()
    assert sum(path.stat().st_size for path in (DOCS / "gallery").iterdir()) < 1.5e6


def test_the_words_are_spelled_right() -> None:
    pytest.importorskip("codespell_lib", reason="there is no codespell")
    places = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "benchmarks", "docs", "showtell"]
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", *places], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
