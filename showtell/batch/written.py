"""Reads descriptions that people wrote into photographs, and ignores those of cameras."""

import re
from collections.abc import Callable, Iterator
from pathlib import PurePath

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin, PngImagePlugin

from showtell import image
from showtell.batch import xmp
from showtell.errors import ImageError
from showtell.formats import is_picture

_CAPTION = (2, 120)  # Caption-Abstract of IPTC-IIM
_XP_COMMENT = 0x9C9C  # XPComment of Windows, in UTF-16
_PNG_KEYS = {"description", "comment", "caption"}
_XMP_PACKET = re.compile(rb"<x:xmpmeta\b.*?</x:xmpmeta\s*>", re.DOTALL)
_SPACE = " \t\r\n\0\ufeff\xa0\u200b"
_CHARSETS = {b"UNICODE\0": "utf-16", b"JIS\0\0\0\0\0": "iso2022_jp"}

# Text that cameras, phones and programs write into the fields for descriptions.
_MACHINES = re.compile(
    r"""
    [A-Z\d &.,/-]*DIGITAL\ (STILL\ )?CAMERA[A-Z\d .-]*
    | (SONY|MINOLTA|KONICA|KODAK|SAMSUNG|CASIO|NIKON|CANON|RICOH|SANYO|FUJIFILM|PENTAX|PANASONIC)
      ([ ]DSC|[ ]CORPORATION|[ ]COMPUTER|[ ]ELECTRONICS)?
    | <[^<>]*(Samsung|Digimax|Kenox)[^<>]*>
    | (oz)?(cof|dav|edf|fbt|hdr|hdrpl|mde|nor|rbt|rhdr|sdr|bty|btf|btr|ptr|nff)(_[a-z]+|WO)?
    | (oplus|oppo|vivo|cameramode)[_:]?\s?\d*
    | _?[A-Z]{1,5}[_-]?\d{3,}([_-]\w+)*                                     # IMG_1234, DSC00042
    | \{[^{}]*[:"].*\}                                                       # JSON
    | \w+\s*[:=]\s*(-?[\d.]+|true|false|null)(\s*[;,]\s*[\w-]+\s*[:=]\s*[\w.-]*)*;?
    | (?i:exif[ _-]?jpe?g([ _-]picture)?|jpe?g|dcim|default|untitled|none|null|n/a|ascii|unicode
      | screenshot|bildschirmfoto|user\ comments?|image\ description|comments?|description
      | (file\ )?(created|generated|edited|made|processed|encoded|written|resized)
        \ (by|with|using|on)\ (the\ )?(adobe|apple|canva|corel|ebay|ezgif|ffmpeg|gd|gimp|google
        |https?:|imagemagick|irfanview|microsoft|online|paint|photo(scape|shop)|picasa|snapseed)\b.*
      | gif\ (created|edited|made)\ with\b.*
      | (optimi[sz]ed|compressed)\ (by|with|using)\ .*
      | (software|encoder|charset|creator)\s*[:=]\ ?\S+.*
      | (lavc\d|lead\ tech|leadtools|u-lead|intel\(r\)|acd\ systems|applemark|handmade\ software
        |jpeg\ encoder|metadata-).*)
    """,
    re.VERBOSE | re.DOTALL,
)


Reader = Callable[[Image.Image], Iterator[object]]


def is_persons(text: str, photograph: str) -> bool:
    """Return whether a text about a photograph was probably written by a person.

    False for white space, for a camera's text such as ``OLYMPUS DIGITAL CAMERA``, and for file
    names.
    """
    text = text.strip(_SPACE)
    if not any(letter.isalnum() for letter in text):
        return False
    names = {PurePath(photograph).name.lower(), PurePath(photograph).stem.lower()}
    named = text.lower() in names or is_picture(PurePath(text).name)
    return not named and _MACHINES.fullmatch(text) is None


def embedded(photograph: str) -> dict[xmp.Property, str]:
    """Return the description and the alt text that a person wrote into a photograph.

    Reads EXIF (ImageDescription, UserComment, XPComment), IPTC (Caption-Abstract), XMP, the text of
    a PNG, and the comments of a JPEG or GIF. Damaged metadata is ignored.
    """
    try:
        data = image.read_file(photograph)
        picture = image.open_header(data)
    except ImageError:
        return {}
    texts = xmp_texts(_packet(picture, data), photograph)
    if xmp.DESCRIPTION not in texts:
        others = (text for read in _READERS for text in _attempt(read, picture))
        if described := next((t for t in others if is_persons(t, photograph)), None):
            texts[xmp.DESCRIPTION] = described.strip(_SPACE)
    return texts


def xmp_texts(data: bytes, photograph: str) -> dict[xmp.Property, str]:
    """Return the description and the alt text that a person wrote, from an XMP packet."""
    try:
        fields = xmp.parse(data).texts
    except ValueError:
        return {}
    texts = {
        field: text.strip(_SPACE) for field, text in fields.items() if is_persons(text, photograph)
    }
    for older in (xmp.IMAGE_DESCRIPTION, xmp.USER_COMMENT):
        if text := texts.pop(older, None):
            texts.setdefault(xmp.DESCRIPTION, text)
    return texts


def _packet(picture: Image.Image, data: bytes) -> bytes:
    """Return the XMP packet of a picture; if Pillow finds none, as in GIF, search the file."""
    packet = picture.info.get("xmp")
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes):
        match = _XMP_PACKET.search(data)
        packet = match[0] if match else b""
    return packet.rstrip(b"\0 ")


def _attempt(read: Reader, picture: Image.Image) -> list[str]:
    try:
        return [_text(value) for value in read(picture) if value]
    except Exception:  # Pillow raises many kinds for damaged metadata
        return []


def _text(value: object) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    return str(value)


def _iptc(picture: Image.Image) -> Iterator[object]:
    if not isinstance(picture, ImageFile.ImageFile):
        return
    captions = (IptcImagePlugin.getiptcinfo(picture) or {}).get(_CAPTION)
    yield from captions if isinstance(captions, list) else [captions]


def _exif(picture: Image.Image) -> Iterator[object]:
    exif = picture.getexif()
    yield exif.get(ExifTags.Base.ImageDescription)
    comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    yield _user_comment(comment) if isinstance(comment, bytes) else comment
    comment = exif.get(_XP_COMMENT)
    comment = bytes(comment) if isinstance(comment, tuple) else comment
    yield comment.decode("utf-16-le", "replace") if isinstance(comment, bytes) else comment


def _user_comment(comment: bytes) -> str:
    """Decode a UserComment, whose first eight bytes name the encoding (EXIF 2.32, 4.6.5)."""
    charset, text = comment[:8], comment[8:]
    if charset == b"UNICODE\0" and text[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        # The byte order should be the file's, but often is not. Latin letters show which it is.
        big = text[::2].count(0) > text[1::2].count(0)
        return text.decode("utf-16-be" if big else "utf-16-le", "replace")
    return text.decode(_CHARSETS.get(charset, "utf-8"), "replace")


def _comments(picture: Image.Image) -> Iterator[object]:
    if isinstance(picture, PngImagePlugin.PngImageFile):
        yield from (text for key, text in picture.text.items() if key.lower() in _PNG_KEYS)
        return
    yield from (data for marker, data in getattr(picture, "applist", []) if marker == "COM")
    yield picture.info.get("comment")


_READERS: tuple[Reader, ...] = (_iptc, _exif, _comments)
