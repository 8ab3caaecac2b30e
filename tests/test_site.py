"""The documentation site builds without warnings, has no broken links, and needs no network."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from showtell.cli import main

pytest.importorskip("mkdocs", reason="the site needs the extra docs")
pytest.importorskip("material", reason="the site needs the extra docs")
pytest.importorskip("mkdocstrings_handlers.python", reason="the site needs the extra docs")

from docstrings import rewritten
from hooks import relinked
from mkdocs.exceptions import PluginError

ROOT = Path(__file__).parents[1]


class Page(HTMLParser):
    """The links of a page, what it loads, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        if "href" in found and (tag == "a" or found.get("rel") in ("prev", "next", "canonical")):
            self.links.append(found["href"] or "")
        elif target := found.get("src") or found.get("href"):
            self.loads.append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_internal_links_and_anchors_lead_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        if path.name == "404.html":  # its links are relative to the root
            continue
        for link in [*page.links, *page.loads]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].ids if target in pages else set()
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in anchors):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    loads = {target for page in pages.values() for target in page.loads}
    assert [target for target in loads if re.match(r"[a-z]+:|//", target)] == []
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']*", styles) == []


def test_what_makes_the_site_is_not_part_of_it(site: Path) -> None:
    assert {path.suffix for path in site.rglob("*")} & {".py", ".jsonl", ".md"} == set()


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    text = (site / "command-line.html").read_text(encoding="utf-8")
    for name, command in main.commands.items():
        assert f'id="showtell-{name}"' in text
        for parameter in command.params:
            assert all(f"<code>{option}" in text for option in parameter.opts if option[0] == "-")


def test_the_reference_reads_the_docstrings(site: Path) -> None:
    text = (site / "python.html").read_text(encoding="utf-8")
    assert "a path, the bytes of a file, a Pillow image" in text
    assert not re.search(r":(?:class|func|meth):|<p>-{4,}|Parameters\s*-{4,}", text)


def test_sections_of_a_docstring_are_rewritten() -> None:
    text = (
        "Do it.\n\nParameters\n----------\na, b : (N,) numbers,\n    see :class:`~x.Y`.\n\n"
        "Returns\n-------\nThe sum: one number.\n\nRaises\n------\nValueError : there is none."
    )
    link = '<autoref identifier="x.Y" optional>`Y`</autoref>'
    assert rewritten(text) == (
        f"Do it.\n\nArgs:\n    a: (N,) numbers, see {link}.\n    b: (N,) numbers, see {link}.\n\n"
        "**Returns**\n\nThe sum: one number.\n\nRaises:\n    ValueError: there is none."
    )


def test_links_to_other_files_lead_to_their_pages() -> None:
    text = "[a](../SECURITY.md#b) [r](../showtell/recipes/own.yaml) [c](things.md) [w](https://x.y)"
    expected = "[a](security.md#b) [r](recipes.md#own) [c](things.md) [w](https://x.y)"
    assert relinked(text, "docs/page.md") == expected
    assert relinked("    [a](../setup.py)\n", "docs/page.md") == "    [a](../setup.py)\n"
    with pytest.raises(PluginError, match=r"no page that shows showtell/cli\.py"):
        relinked("[a](showtell/cli.py)", "README.md")
