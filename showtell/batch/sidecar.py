"""XMP sidecars: a caption beside its photograph, where photo software looks for a description.

The sidecar of ``photo.jpg`` is ``photo.jpg.xmp``, as digiKam, darktable and Immich name it: two
photographs never share one. The caption is both alt text and description, each an alternative of
languages with the default alone (IPTC Photo Metadata Standard 2023.1, "Alt Text (Accessibility)"
and "Description"). What a person wrote stays, in the sidecar as in the photograph: only what is
empty is filled, and of a sidecar that is there every other byte is kept.
"""

import re
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from PIL import Image, IptcImagePlugin

from showtell.atomic import replacing

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DESCRIPTION = ("dc", "http://purl.org/dc/elements/1.1/", "description")
_ALT_TEXT = ("Iptc4xmpCore", "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/", "AltTextAccessibility")
_FIELDS = (_DESCRIPTION, _ALT_TEXT)
_BY_NAME = {f"{space} {name}": (prefix, space, name) for prefix, space, name in _FIELDS}

_IN_RDF, _DESCRIBED = f"{_RDF} RDF", f"{_RDF} Description"

_NEW = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="showtell">
 <rdf:RDF xmlns:rdf="{_RDF}">
 </rdf:RDF>
</x:xmpmeta>
""".encode()
_NO_XML = re.compile("[^\t\n\r\\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_BYTES = 16 * 2**20  # histories of edits take some
_LEFT = "its sidecar is left as it is"

Field = tuple[str, str, str]


class _Sidecar(NamedTuple):
    """What a sidecar holds.

    Attributes
    ----------
    texts : what the fields that occur say; blank where they say nothing.
    spans : where those fields begin and end, bytes.
    about : what the sidecar is about, as it says itself.
    end : where the tag that closes its RDF begins.
    """

    texts: dict[Field, str]
    spans: dict[Field, tuple[int, int]]
    about: str
    end: int


def path_for(photograph: str) -> Path:
    """Return the sidecar of a photograph."""
    return Path(f"{photograph}.xmp")


def write(photograph: str, caption: str) -> str | None:
    """Write a caption into the sidecar of a photograph, where nothing is said yet.

    Returns
    -------
    Why the caption, or a part of it, was not written; None if it was, or stands there already.

    Raises
    ------
    OSError : the sidecar cannot be written.
    """
    path = path_for(photograph)
    try:
        old = _read(path) if path.exists() else _NEW
        sidecar = _parse(old)
    except (expat.ExpatError, ValueError):
        return f"{_LEFT}: it is not one that is understood here"
    embedded = _embedded(photograph)
    said = {field: sidecar.texts.get(field, "").strip() or embedded.get(field) for field in _FIELDS}
    if empty := [field for field, text in said.items() if not text]:
        with replacing(path) as partial:
            partial.write_bytes(_filled(old, sidecar, empty, caption))
    kept = [field[2] for field, text in said.items() if text and text != caption]
    return f"{' and '.join(kept)} had a text already, which was kept" if kept else None


def _read(path: Path) -> bytes:
    if not path.is_file():  # a pipe would be waited for
        raise ValueError("not a file")
    with path.open("rb") as file:
        return file.read(_MAX_BYTES + 1)


def _filled(old: bytes, sidecar: _Sidecar, empty: list[Field], caption: str) -> bytes:
    """Add the caption as a description of its own, and take out what it fills."""
    block = _description(sidecar.about, empty, caption)
    edits = [(sidecar.end, sidecar.end, block)]
    edits += [(*sidecar.spans[field], b"") for field in empty if field in sidecar.spans]
    new = old
    for start, end, text in sorted(edits, reverse=True):  # from the end, as offsets move behind
        new = new[:start] + text + new[end:]
    return new


def _description(about: str, fields: list[Field], caption: str) -> bytes:
    spaces = "".join(f'\n   xmlns:{prefix}="{space}"' for prefix, space, _ in fields)
    text = escape(_NO_XML.sub("?", caption))
    properties = "".join(
        f"""
   <{prefix}:{name}>
    <rdf:Alt>
     <rdf:li xml:lang="x-default">{text}</rdf:li>
    </rdf:Alt>
   </{prefix}:{name}>"""
        for prefix, _, name in fields
    )
    return (
        f'  <rdf:Description xmlns:rdf="{_RDF}" rdf:about={quoteattr(about)}{spaces}>{properties}\n'
        "  </rdf:Description>\n "
    ).encode()


def _embedded(photograph: str) -> dict[Field, str]:
    """Return what the photograph itself says, which a sidecar's text would hide."""
    try:
        with Image.open(photograph) as image:
            xmp = image.info.get("xmp")
            said = dict(_parse(xmp.rstrip(b"\0 ")).texts) if xmp else {}
            iptc = (IptcImagePlugin.getiptcinfo(image) or {}).get((2, 120))
            exif = image.getexif().get(0x010E)
    except Exception:  # damaged metadata says nothing
        return {}
    described = said.get(_DESCRIPTION) or iptc or exif
    if described:
        said[_DESCRIPTION] = str(described)
    return {field: text for field, text in said.items() if text.strip()}


def _parse(data: bytes) -> _Sidecar:
    """Read XMP; no entity is expanded, as none can be declared.

    Raises
    ------
    ExpatError : it is not well-formed XML.
    ValueError : it has a document type, another encoding than UTF-8, or no RDF.
    """
    if len(data) > _MAX_BYTES:
        raise ValueError("larger than a sidecar is")
    data.decode("utf-8")
    reader = _Reader(data)
    reader.parser.Parse(data, True)
    if reader.end is None:
        raise ValueError("no RDF")
    return _Sidecar(reader.texts, reader.spans, reader.about or "", reader.end)


class _Reader:
    """Finds the fields directly in the descriptions of an RDF, and where they lie."""

    def __init__(self, data: bytes) -> None:
        self.texts: dict[Field, str] = {}
        self.spans: dict[Field, tuple[int, int]] = {}
        self.about: str | None = None
        self.end: int | None = None
        self._data = data
        self._open: list[tuple[str, int]] = []  # elements, and where they begin
        self._field: Field | None = None
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._stop
        self.parser.CharacterDataHandler = self._say

    def _refuse(self, *_: object) -> None:
        raise ValueError("a document type")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        inside = [name for name, _ in self._open[-2:]]
        self._open.append((name, self.parser.CurrentByteIndex))
        if inside == [_IN_RDF, _DESCRIBED] and name in _BY_NAME:
            self._field = _BY_NAME[name]
            self.texts.setdefault(self._field, "")
        elif inside[-1:] == [_IN_RDF] and name == _DESCRIBED:
            if self.about is None:
                self.about = attributes.get(f"{_RDF} about", "")
            self.texts.update({_BY_NAME[n]: t for n, t in attributes.items() if n in _BY_NAME})

    def _say(self, text: str) -> None:
        if self._field:
            self.texts[self._field] += text

    def _stop(self, name: str) -> None:
        _, start = self._open.pop()
        at = self.parser.CurrentByteIndex
        # At the tag that closes it, or behind the only one.
        only = self._data[start:at].endswith(b"/>") and self._data.count(b"<", start, at) == 1
        if self._field and self._field == _BY_NAME.get(name):
            self.spans[self._field] = start, at if only else self._data.index(b">", at) + 1
            self._field = None
        elif name == _IN_RDF and not only:
            self.end = at
