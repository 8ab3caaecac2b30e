"""Make the pages of reference of the command line and of the HTTP API.

The first is made from the help of the commands, the second from the OpenAPI document.
docs/tables.py writes both.
"""

import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import click

from showtell.cli import main
from showtell.web.docs import document, kind


def command_line() -> Iterator[str]:
    """Yield the lines of the page of the commands."""
    yield "# Command line\n"
    yield "`make tables` writes this page from `showtell --help` and the help of every command.\n"
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


def http() -> Iterator[str]:
    """Yield the lines of the page of the HTTP API."""
    described = document()
    yield "# HTTP\n"
    yield described["info"]["description"] + "\n"
    yield "`make tables` writes this page from the OpenAPI document. A running server has the same"
    yield "reference at `/docs`, and the document at `/openapi.json`.\n"
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


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _escaped(text: str) -> str:
    return re.sub(r"([<>*_\[\]])", r"\\\1", text)
