"""Sidecars are readable by exiftool, and keep the text that a person wrote."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from showtell.batch import sidecar

CAPTION = "a dog & a cat's <bed>"
FIELDS = {"Description": CAPTION, "AltTextAccessibility": CAPTION}
NAMES = "description", "AltTextAccessibility"
TAGS = "XMP-dc:Description", "XMP-iptcCore:AltTextAccessibility"
OTHERS = "-XMP-dc:Subject=beach", "-XMP-xmp:Rating=4", "-XMP-photoshop:City=Lund"


def exiftool(path: Path, *arguments: str) -> dict[str, str]:
    """Return the XMP that exiftool reads from a file, after writing the given fields."""
    if not shutil.which("exiftool"):
        pytest.skip("exiftool is not installed (Debian: libimage-exiftool-perl)")
    if arguments:
        subprocess.run(["exiftool", "-q", "-overwrite_original", *arguments, path], check=True)
    done = subprocess.run(
        ["exiftool", "-json", "-XMP:all", "-validate", "-warning", path],
        capture_output=True,
        check=True,
        text=True,
    )
    told = json.loads(done.stdout)[0]
    assert told.pop("Validate", "OK") == "OK"
    assert not told.keys() & {"Warning", "Error"}
    return {name: text for name, text in told.items() if name not in ("SourceFile", "XMPToolkit")}


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 8), "teal").save(path)
    return path


def xmp(photograph: Path) -> Path:
    return sidecar.path_for(str(photograph))


def write(photograph: Path) -> str | None:
    """Write the caption, and check that the photograph is unchanged."""
    before = photograph.read_bytes()
    told = sidecar.write(str(photograph), CAPTION)
    assert photograph.read_bytes() == before
    return told


def test_a_new_sidecar(photograph: Path) -> None:
    assert write(photograph) is None
    assert sorted(p.name for p in photograph.parent.iterdir()) == ["photo.jpg", "photo.jpg.xmp"]
    assert exiftool(xmp(photograph)) == FIELDS
    once = xmp(photograph).read_bytes()
    assert b'<rdf:li xml:lang="x-default">' in once
    assert write(photograph) is None, "a run that goes on may write it a second time"
    assert xmp(photograph).read_bytes() == once


def test_what_a_sidecar_had_is_kept(photograph: Path) -> None:
    before = exiftool(xmp(photograph), *OTHERS)
    old = xmp(photograph).read_bytes()
    assert write(photograph) is None
    assert exiftool(xmp(photograph)) == {**before, **FIELDS}
    assert len(before) == 3
    at = old.index(b"</rdf:RDF>")
    new = xmp(photograph).read_bytes()
    assert (new[:at], new[at - len(old) :]) == (old[:at], old[at:])


@pytest.mark.parametrize(("tag", "told"), list(zip(TAGS, NAMES, strict=True)))
def test_a_persons_text_is_kept(photograph: Path, tag: str, told: str) -> None:
    """The other field is filled, and the kept text is reported."""
    exiftool(xmp(photograph), *OTHERS, f"-{tag}=My dog Rex")
    assert write(photograph) == f"{told} already had text, which was kept"
    found = exiftool(xmp(photograph))
    assert sorted(found[field] for field in FIELDS) == ["My dog Rex", CAPTION]


def test_a_text_in_another_language_is_a_persons(photograph: Path) -> None:
    exiftool(xmp(photograph), "-XMP-dc:Description-de=Mein Hund")
    assert write(photograph) == "description already had text, which was kept"
    found = exiftool(xmp(photograph))
    assert found["AltTextAccessibility"] == CAPTION
    assert found["Description-de"] == "Mein Hund"


EMPTY = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 <r:Description r:about="uuid:1" xmlns:d="http://purl.org/dc/elements/1.1/"
   xmlns:p="http://ns.adobe.com/photoshop/1.0/" p:Instructions="two&#xA;lines">{}</r:Description>
</r:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


@pytest.mark.parametrize(
    "empty",
    [
        "<d:description/>",
        "<d:description> </d:description>",
        "<d:description><r:Alt><r:li xml:lang='x-default'/></r:Alt></d:description >",
    ],
)
def test_a_field_that_says_nothing_is_filled(photograph: Path, empty: str) -> None:
    """With other prefixes, inside a packet, and with a line break that must be kept."""
    xmp(photograph).write_text(EMPTY.format(empty), encoding="utf-8")
    assert write(photograph) is None
    text = xmp(photograph).read_text(encoding="utf-8")
    assert "d:description" not in text
    assert "two&#xA;lines" in text
    assert exiftool(xmp(photograph)) == {**FIELDS, "About": "uuid:1", "Instructions": "two\nlines"}


def test_a_text_that_is_written_as_an_attribute_is_a_persons(photograph: Path) -> None:
    old = EMPTY.replace('r:about="uuid:1"', 'r:about="" d:description="Rex"').format("")
    xmp(photograph).write_text(old, encoding="utf-8")
    assert "description" in (write(photograph) or "")
    assert xmp(photograph).read_text(encoding="utf-8").count("description") == 1


BOMB = """<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
&b;</r:RDF></x:xmpmeta>"""


@pytest.mark.parametrize(
    "old",
    [
        b"",
        b"no XML",
        BOMB.encode(),
        EMPTY.format("<unclosed>").encode(),
        EMPTY.format("").encode("utf-16"),
        b'<?xml version="1.0" encoding="latin-1"?><a>\xe9</a>',
        b"<html></html>",
        b'<a><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></a>',
    ],
)
def test_a_sidecar_that_is_not_understood_is_left_as_it_is(photograph: Path, old: bytes) -> None:
    xmp(photograph).write_bytes(old)
    assert "was not changed" in (write(photograph) or "")
    assert xmp(photograph).read_bytes() == old


def test_a_pipe_is_not_waited_for(photograph: Path) -> None:
    os.mkfifo(xmp(photograph))
    assert "was not changed" in (write(photograph) or "")


@pytest.mark.parametrize("tag", ["IPTC:Caption-Abstract", "EXIF:ImageDescription", *TAGS])
def test_a_text_in_the_photograph_is_not_hidden(photograph: Path, tag: str) -> None:
    """Software prefers the text in a sidecar to that in the photograph."""
    exiftool(photograph, f"-{tag}=My dog Rex")
    kept = NAMES[tag == TAGS[1]]
    assert write(photograph) == f"{kept} already had text, which was kept"
    other = list(FIELDS)[tag != TAGS[1]]
    assert exiftool(xmp(photograph)) == {other: CAPTION}


def test_a_link_beside_a_sidecar_is_not_followed(tmp_path: Path) -> None:
    """The bytes of another user's sidecar were written to a file of the user who captions."""
    other = tmp_path / "bashrc"
    other.write_text("a person's own")
    (tmp_path / "folder").mkdir()
    photograph = tmp_path / "folder" / "cat.jpg"
    Image.new("RGB", (4, 4)).save(photograph)
    part = Path(f"{photograph}.xmp.part")
    part.symlink_to(other)
    assert sidecar.write(str(photograph), "a cat") is None
    assert other.read_text() == "a person's own"
    assert part.is_symlink()
    assert b"a cat" in sidecar.path_for(str(photograph)).read_bytes()


def test_what_is_no_text_of_xml_is_replaced(tmp_path: Path) -> None:
    photograph = tmp_path / "cat.jpg"
    Image.new("RGB", (4, 4)).save(photograph)
    sidecar.write(str(photograph), "a\x1b[2J \a\ufffe\ud800 cat")
    text = sidecar.path_for(str(photograph)).read_text()
    assert "a?[2J ??? cat" in "".join(ElementTree.fromstring(text).itertext())
