"""XMP packets: reads the description and the alt text, and fills those that are empty.

A caption becomes both alt text and description, each a language alternative with only the default
language (IPTC Photo Metadata Standard 2023.1, "Alt Text (Accessibility)" and "Description"). All
other bytes of an existing packet are kept.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

NEW = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="showtell">
 <rdf:RDF xmlns:rdf="{_RDF}">
 </rdf:RDF>
</x:xmpmeta>
""".encode()
MAX_BYTES = 16 * 2**20  # edit histories can be large

_NO_XML = re.compile("[^\t\n\r\\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# A start tag. Its attributes may contain ">".
_TAG = re.compile(rb"<(?:\"[^\"]*\"|'[^']*'|[^>\"'])*>")


class Property(NamedTuple):
    """An XMP property: its usual prefix, namespace and name."""

    prefix: str
    space: str
    name: str


_DC, _TIFF, _EXIF = (
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("tiff", "http://ns.adobe.com/tiff/1.0/"),
    ("exif", "http://ns.adobe.com/exif/1.0/"),
)
DESCRIPTION = Property(*_DC, "description")
ALT_TEXT = Property(
    "Iptc4xmpCore", "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/", "AltTextAccessibility"
)
# Where older programs put a description.
IMAGE_DESCRIPTION = Property(*_TIFF, "ImageDescription")
USER_COMMENT = Property(*_EXIF, "UserComment")

_READ = {(p.space, p.name): p for p in (DESCRIPTION, ALT_TEXT, IMAGE_DESCRIPTION, USER_COMMENT)}


class Packet(NamedTuple):
    """The content of a packet.

    Attributes
    ----------
    texts : text of each property that occurs; may be blank.
    spans : positions of each of these properties, as elements or attributes: start and end in
        bytes.
    about : value of ``rdf:about``.
    end : position of the closing tag of the RDF, in bytes.
    """

    texts: dict[Property, str]
    spans: dict[Property, list[tuple[int, int]]]
    about: str
    end: int


def parse(data: bytes) -> Packet:
    """Parse an XMP packet. Document types are refused, so no entities can be declared.

    Raises
    ------
    ValueError : the packet is not well-formed XML in UTF-8, has a document type or no RDF, or is
        too large.
    """
    if len(data) > MAX_BYTES:
        raise ValueError("too large for an XMP packet")
    data.decode("utf-8")
    reader = _Reader(data)
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"not XML: {error}") from error
    if reader.end is None:
        raise ValueError("no RDF")
    return Packet(reader.texts, reader.spans, reader.about or "", reader.end)


def filled(old: bytes, packet: Packet, empty: Iterable[Property], caption: str) -> bytes:
    """Return a packet with the caption in the `empty` properties, in an added rdf:Description.

    The empty properties themselves are removed: a property must not occur twice.
    """
    empty = list(empty)
    edits = [(packet.end, packet.end, _description(packet.about, empty, caption))]
    edits += [(*span, b"") for field in empty for span in packet.spans.get(field, [])]
    new = old
    for start, end, text in sorted(edits, reverse=True):  # backwards, so that offsets stay valid
        new = new[:start] + text + new[end:]
    return new


def _description(about: str, fields: list[Property], caption: str) -> bytes:
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


class _Name(NamedTuple):
    """An XML name: namespace, local name and prefix; namespace and prefix may be empty."""

    space: str
    local: str
    prefix: str

    @classmethod
    def of(cls, name: str) -> "_Name":
        space, local, prefix, *_ = [*name.split(" "), "", ""] if " " in name else ["", name, ""]
        return cls(space, local, prefix)

    @property
    def field(self) -> Property | None:
        return _READ.get((self.space, self.local))

    def is_rdf(self, local: str) -> bool:
        return (self.space, self.local) == (_RDF, local)


class _Reader:
    """Finds the properties that are directly inside the descriptions of an RDF."""

    def __init__(self, data: bytes) -> None:
        self.texts: dict[Property, str] = {}
        self.spans: dict[Property, list[tuple[int, int]]] = {}
        self.about: str | None = None
        self.end: int | None = None
        self._data = data
        self._open: list[tuple[_Name, int]] = []  # open elements, and where they start
        self._inside: tuple[int, Property] | None = None  # the property at this depth
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.namespace_prefixes = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._stop
        self.parser.CharacterDataHandler = self._say

    def _refuse(self, *_: object) -> None:
        raise ValueError("a document type")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _Name.of(tag)
        outer = [name for name, _ in self._open[-2:]]
        self._open.append((name, self.parser.CurrentByteIndex))
        in_rdf = bool(outer) and outer[-1].is_rdf("RDF")
        described = len(outer) == 2 and outer[0].is_rdf("RDF") and outer[1].is_rdf("Description")
        if described and name.field:
            self._inside = len(self._open), name.field
            self.texts.setdefault(name.field, "")
        elif in_rdf and name.is_rdf("Description"):
            self._describe({_Name.of(key): text for key, text in attributes.items()})

    def _describe(self, attributes: dict[_Name, str]) -> None:
        """Read the attributes of a description; some may be properties."""
        for name, text in attributes.items():
            if name.is_rdf("about") and self.about is None:
                self.about = text
            if name.field:
                self.texts[name.field] = self.texts.get(name.field, "") + text
                self.spans.setdefault(name.field, []).append(self._attribute(name))
        self.about = self.about or ""

    def _attribute(self, name: _Name) -> tuple[int, int]:
        """Return the position of an attribute and the white space before it in the current tag."""
        tag = _TAG.match(self._data, self.parser.CurrentByteIndex)
        key = re.escape(f"{name.prefix}:{name.local}".encode())
        attribute = tag and re.search(rb"\s+" + key + rb"\s*=\s*(\"[^\"]*\"|'[^']*')", tag[0])
        if not (tag and attribute):
            raise ValueError("an attribute cannot be found")
        return tag.start() + attribute.start(), tag.start() + attribute.end()

    def _say(self, text: str) -> None:
        if self._inside:
            self.texts[self._inside[1]] += text

    def _stop(self, tag: str) -> None:
        depth = len(self._open)
        name, start = self._open.pop()
        at = self.parser.CurrentByteIndex
        # `at` is the start of the closing tag, or the end of an empty-element tag.
        only = self._data[start:at].endswith(b"/>") and self._data.count(b"<", start, at) == 1
        if self._inside and self._inside[0] == depth:
            end = at if only else self._data.index(b">", at) + 1
            self.spans.setdefault(self._inside[1], []).append((start, end))
            self._inside = None
        elif name.is_rdf("RDF") and not only:
            self.end = at
