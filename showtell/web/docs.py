"""The interface told to machines and to people: its OpenAPI document, and a page made from it."""

import json
import re
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, render_template, send_from_directory
from markupsafe import Markup, escape

bp = Blueprint("docs", __name__)


@bp.get("/openapi.json")
def openapi() -> Response:
    """Send the document as it is."""
    return send_from_directory(bp.root_path, "openapi.json")


@bp.get("/docs")
def page() -> str:
    """Show the document as a page."""
    return render_template("docs.html", document=_document())


def _document() -> dict[str, Any]:
    """Return the document, its references replaced by what they point at."""
    document = json.loads(Path(bp.root_path, "openapi.json").read_text(encoding="utf-8"))
    return _resolved(document, document)


def _resolved(part: Any, document: dict[str, Any]) -> Any:
    if isinstance(part, list):
        return [_resolved(item, document) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        target: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return _resolved(target, document)
    return {name: _resolved(value, document) for name, value in part.items()}


@bp.app_template_filter()
def marked(text: str) -> Markup:
    """Return text with its code spans marked; the document uses nothing else of CommonMark."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


@bp.app_template_filter()
def kind(schema: dict[str, Any]) -> str:
    """Return in words of what type and in what range a value is."""
    if schema["type"] == "array":
        return f"array of {kind(schema['items'])}"
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['type']}, {schema['minimum']} to {schema['maximum']}"
    return schema["type"] if isinstance(schema["type"], str) else " or ".join(schema["type"])


@bp.app_template_filter()
def written(value: dict[str, Any]) -> str:
    """Return an object as JSON, one line for each of its entries."""
    lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in value.items()]
    return "{\n" + ",\n".join(lines) + "\n}"
