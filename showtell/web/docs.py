"""The documentation of the HTTP API: the OpenAPI document, and a page generated from it."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, render_template
from markupsafe import Markup, escape

from showtell.search import DEFAULTS, OPTIONS
from showtell.web import api

bp = Blueprint("docs", __name__)

# For each operation, the search options that it accepts, and the schema of its form.
_SEARCHES = {
    "/api/v1/captions": (api.CAPTION_OPTIONS, "CaptionForm"),
    "/api/v1/figures": (api.DRAWING_OPTIONS, "DrawingForm"),
    "/api/v1/animations": (api.DRAWING_OPTIONS, "DrawingForm"),
}


@bp.get("/openapi.json")
def openapi() -> Response:
    """Return the OpenAPI document."""
    return jsonify(document())


@bp.get("/docs")
def page() -> str:
    """Return the document as a page."""
    return render_template("docs.html", document=_resolved(document(), document()))


@cache
def document() -> dict[str, Any]:
    """Return openapi.json with the search options added, which only `Search` describes."""
    text = Path(bp.root_path, "openapi.json").read_text(encoding="utf-8")
    described: dict[str, Any] = json.loads(text)
    components = described["components"]
    for kind, describe in (("schemas", _schema), ("parameters", _parameter)):
        options = {_component(name): describe(name) for name in OPTIONS}
        components[kind] = options | components[kind]
    for path, (names, form) in _SEARCHES.items():
        operation = described["paths"][path]["post"]
        parameters = [_reference("parameters", name) for name in names]
        operation["parameters"] = parameters + operation["parameters"]
        fields = {name: _reference("schemas", name) for name in names}
        components["schemas"][form]["properties"] |= fields
    return described


def _component(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{_component(name)}"}


def _schema(name: str) -> dict[str, Any]:
    default = getattr(DEFAULTS, name)
    known = {} if default in (None, ()) else {"default": default}
    return {**OPTIONS[name].schema, **known}


def _parameter(name: str) -> dict[str, Any]:
    schema = _reference("schemas", name)
    return {"name": name, "in": "query", "description": OPTIONS[name].help, "schema": schema}


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
    """Convert code spans to HTML; the document uses no other Markdown."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


@bp.app_template_filter()
def kind(schema: dict[str, Any]) -> str:
    """Describe the type and the range of a value."""
    if schema["type"] == "array":
        return f"array of {kind(schema['items'])}"
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['type']}, {schema['minimum']} to {schema['maximum']}"
    return schema["type"] if isinstance(schema["type"], str) else " or ".join(schema["type"])


@bp.app_template_filter()
def written(value: dict[str, Any]) -> str:
    """Return an object as JSON, one line per entry."""
    lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in value.items()]
    return "{\n" + ",\n".join(lines) + "\n}"
