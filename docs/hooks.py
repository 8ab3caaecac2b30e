"""Make the pages of the site that are not in docs/: a hook of MkDocs, named in mkdocs.yml.

The front page, the model card, the benchmarks and the security page are files elsewhere in this
repository. The list of recipes is made from their files. In all pages links to files outside of
docs/ lead to the page that shows the file.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

# Pages that are files elsewhere in the repository.
COPIED = {
    "README.md": "index.md",
    "LICENSE": "licence.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "showtell/models/flickr8k/README.md": "model-card.md",
}
ICON = "showtell/web/static/icon.svg"
RECIPES = "showtell/recipes"

_LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(\))")
_NAME = re.compile(r"`(showtell\.[\w.]+)`")
_FENCE = re.compile(r"(^```.*?^```$|^    .*?$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those of docs/."""
    pages = {
        page: relinked((ROOT / source).read_text("utf-8"), source)
        for source, page in COPIED.items()
    }
    pages["recipes.md"] = "\n".join(recipes())
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    icon = (ROOT / ICON).read_bytes()
    files.append(File.generated(config, "icon.svg", content=icon))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to pages of the site, and names of Python to the reference, if it has them."""
    if page.file.generated_by:
        return markdown
    reference = r'<autoref identifier="\1" optional><code>\1</code></autoref>'
    return _NAME.sub(reference, relinked(markdown, f"docs/{page.file.src_uri}"))


def relinked(text: str, source: str) -> str:
    """Return the text of a file of this repository with its links as links of the site.

    Raises
    ------
    PluginError : a file that is linked to is on no page.
    """
    parts = _FENCE.split(text)  # code is left as it is
    parts[::2] = [_LINK.sub(lambda found: _link(found, source), part) for part in parts[::2]]
    return "".join(parts)


def _link(found: re.Match[str], source: str) -> str:
    opening, target, anchor, closing = found.groups(default="")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    return f"{opening}{_page_of(path, source)}{anchor or _anchor(path)}{closing}"


def _page_of(path: str, source: str) -> str:
    """Return the page, or the file below docs/, that shows a path of the repository."""
    if path in COPIED:
        return COPIED[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path == RECIPES or path.startswith(f"{RECIPES}/"):
        return "recipes.md"
    raise PluginError(f"{source}: the site has no page that shows {path}")


def _anchor(path: str) -> str:
    return f"#{Path(path).stem}" if path.startswith(f"{RECIPES}/") else ""


def recipes() -> Iterator[str]:
    """Yield the lines of the page of the recipes."""
    yield f"# Recipes\n\nThe files in `{RECIPES}`, which `showtell train` reads. Comments say what"
    yield "the values do.\n"
    for path in sorted((ROOT / RECIPES).glob("*.yaml")):
        yield f"## {path.stem}\n\n```yaml\n{path.read_text('utf-8').rstrip()}\n```\n"
