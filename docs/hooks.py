"""Make the pages of the site that no one writes by hand: a hook of MkDocs, named in mkdocs.yml.

The front page, the model card, the benchmarks and the security page are files elsewhere in this
repository. The reference of the command line is made from its help, that of the HTTP interface
from its OpenAPI document, and the list of recipes from their files. In all pages links to files
outside of docs/ lead to the page that shows the file.
"""

import posixpath
import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from showtell.cli import main
from showtell.web.docs import document, kind

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
    pages |= {
        "command-line.md": "\n".join(command_line()),
        "http.md": "\n".join(http()),
        "recipes.md": "\n".join(recipes()),
    }
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


# The command line


def command_line() -> Iterator[str]:
    """Yield the lines of the page of the commands."""
    yield "# Command line\n\nMade from `showtell --help` and the help of every command.\n"
    yield from _command(main, click.Context(main, info_name="showtell"), 2)


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path}\n"
    yield f"{_escaped(cleandoc(command.help or ''))}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```\n{context.command_path} {usage}\n```\n"
    records = (parameter.get_help_record(context) for parameter in command.params)
    options = [record for record in records if record and record[1]]
    if options:
        yield "| option | |\n| --- | --- |"
        yield from (f"| `{_cell(name)}` | {_cell(_escaped(text))} |" for name, text in options)
        yield ""
    for name, below in sorted(getattr(command, "commands", {}).items()):
        yield from _command(below, click.Context(below, context, info_name=name), level + 1)


# The HTTP interface


def http() -> Iterator[str]:
    """Yield the lines of the page of the HTTP interface."""
    described = document()
    yield "# HTTP\n"
    yield described["info"]["description"] + "\n"
    yield "A running server has this reference at `/docs`, and the OpenAPI document it is made from"
    yield "at `/openapi.json`.\n"
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            yield from _operation(f"{method.upper()} {path}", operation)


def _operation(name: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{operation['summary']}\n\n{operation['description']}\n"
    if parameters := operation.get("parameters"):
        yield "| parameter | type | |\n| --- | --- | --- |"
        for parameter in map(_resolved, parameters):
            shape = kind(_resolved(parameter["schema"]))
            yield f"| `{parameter['name']}` | {shape} | {_cell(parameter['description'])} |"
        yield ""
    if body := operation.get("requestBody"):
        yield f"**Body.** {_resolved(body)['description']}\n"
    yield "| status | |\n| --- | --- |"
    for status, response in operation["responses"].items():
        yield f"| {status} | {_cell(_resolved(response)['description'])} |"
    yield ""
    for sample in operation.get("x-codeSamples", ()):
        yield f"```{sample['lang'].lower()}\n{sample['source']}\n```\n"


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: Any = document()
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


# Recipes


def recipes() -> Iterator[str]:
    """Yield the lines of the page of the recipes."""
    yield f"# Recipes\n\nThe files in `{RECIPES}`, which `showtell train` reads. Comments say what"
    yield "the values do.\n"
    for path in sorted((ROOT / RECIPES).glob("*.yaml")):
        yield f"## {path.stem}\n\n```yaml\n{path.read_text('utf-8').rstrip()}\n```\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _escaped(text: str) -> str:
    return re.sub(r"([<>*_\[\]])", r"\\\1", text)
