"""Reads the docstrings for the reference; an extension of griffe, enabled in mkdocs.yml.

The docstrings follow NumPy's style, but have a description in the place of the type, which is in
the signature. The sections are therefore converted to Google's style, which needs no types.
"""

import re
from typing import Any

import griffe

SECTIONS = {"Parameters": "Args", "Attributes": "Attributes", "Raises": "Raises"}

_SECTION = re.compile(
    r"^(Parameters|Attributes|Returns|Raises)\n-+\n((?:.+\n?|\n(?=\S.* : ))*)", re.MULTILINE
)
_ITEM = re.compile(r"^(\S[^:\n]*?) : ((?:.*)(?:\n[ ]+.*)*)", re.MULTILINE)
_ROLE = re.compile(r":(?:class|func|meth|attr|mod):`(~?)([\w.]+)`")


class Docstrings(griffe.Extension):
    """Converts every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Convert the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = rewritten(obj.docstring.value)


def rewritten(text: str) -> str:
    """Return a docstring with its sections in Google's style, and with its roles as links."""
    text = _SECTION.sub(lambda found: _section(found[1], found[2]), text + "\n")
    return _ROLE.sub(lambda found: _link(found[2], found[1] == "~"), text).rstrip()


def _section(title: str, body: str) -> str:
    items = [
        (name, re.sub(r"\s*\n\s*", " ", description).strip())
        for names, description in _ITEM.findall(body)
        for name in names.split(", ")
    ]
    if title == "Returns":  # a sentence, or values by name
        lines = [f"- `{name}`: {description}" for name, description in items]
        return "\n".join(["**Returns**", "", *(lines or [body.strip()])]) + "\n"
    return "\n".join([f"{SECTIONS[title]}:", *(f"    {n}: {d}" for n, d in items)]) + "\n"


def _link(name: str, short: bool) -> str:
    code = f"`{name.rpartition('.')[2] if short else name}`"
    return f'<autoref identifier="{name}" optional>{code}</autoref>' if "." in name else code
