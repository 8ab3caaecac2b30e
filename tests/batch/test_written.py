"""Text that a person wrote is found in all fields; a camera's text is ignored."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from showtell.batch import sidecar, written, xmp

TEXT = "My dog Rex"
KEPT = "description already had text, which was kept"


def make(path: Path, **options: object) -> str:
    Image.new("RGB", (8, 8), "teal").save(path, **options)  # type: ignore[arg-type]
    return str(path)


def described(path: str) -> str | None:
    return written.embedded(path).get(xmp.DESCRIPTION)


def packet(inside: str, attribute: str = "") -> bytes:
    return f"""<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:my="urn:my" my:description="a > b"
 {attribute}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>""".encode()


@pytest.fixture(scope="module")
def by_exiftool(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A photograph for each field and format, with text written by one run of exiftool."""
    if not shutil.which("exiftool"):
        pytest.skip("exiftool is not installed (Debian: libimage-exiftool-perl)")
    folder = tmp_path_factory.mktemp("written")
    fields = [("jpg", tag) for tag in ("EXIF:ImageDescription", "EXIF:UserComment", "Comment")]
    fields += [("jpg", tag) for tag in ("EXIF:XPComment", "IPTC:Caption-Abstract")]
    fields += [("jpg", "XMP-exif:UserComment"), ("gif", "Comment"), ("png", "PNG:Comment")]
    fields += [("tif", "IFD0:ImageDescription"), ("png", "PNG:Description")]
    for ending in ("jpg", "png", "webp", "gif", "tif", "avif"):
        fields.append((ending, "XMP-dc:Description"))
    fields += [("webp", "EXIF:ImageDescription"), ("png", "EXIF:UserComment")]
    files, arguments = {}, []
    for number, (ending, tag) in enumerate(fields):
        path = make(folder / f"{number}.{ending}")
        files[f"{tag} in {ending}"] = path
        arguments += [f"-{tag}={TEXT}", "-overwrite_original", path, "-execute"]
    subprocess.run(["exiftool", *arguments[:-1]], check=True, capture_output=True)
    return files


def test_every_field_in_every_format(by_exiftool: dict[str, str]) -> None:
    assert {name: described(path) for name, path in by_exiftool.items()} == dict.fromkeys(
        by_exiftool, TEXT
    )


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        (b"UNICODE\0" + "Мой пёс".encode("utf-16-le"), "Мой пёс"),
        (b"UNICODE\0" + "Rex, a dog".encode("utf-16-be"), "Rex, a dog"),
        (b"ASCII\0\0\0Rex\0\0", "Rex"),
        (bytes(8) + "Füße".encode(), "Füße"),
        (b"ASCII\0\0\0" + b" " * 40, None),
        (b"UNICODE\0", None),
    ],
)
def test_user_comments(tmp_path: Path, comment: bytes, text: str | None) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = comment
    assert described(make(tmp_path / "a.jpg", exif=exif)) == text


def test_texts_of_a_png_and_comments(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Description", "Рекс")
    assert described(make(tmp_path / "a.png", pnginfo=info)) == "Рекс"
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "steps: 20")
    assert described(make(tmp_path / "b.png", pnginfo=info)) is None
    assert described(make(tmp_path / "a.gif", comment=b"Rex")) == "Rex"
    assert described(make(tmp_path / "a.jpg", comment=b"Lavc57.107.100")) is None


def test_heic(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    picture = heif.from_pillow(Image.new("RGB", (64, 64)))
    told = packet(f"<dc:description>{TEXT}</dc:description>")
    picture.save(tmp_path / "a.heic", xmp=told)
    assert described(str(tmp_path / "a.heic")) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        *(" \r\n\0", "-", "OLYMPUS DIGITAL CAMERA", "KONICA MINOLTA DIGITAL CAMERA", "SONY DSC"),
        *("DIGITAL CAMERA", "Exif_JPEG_PICTURE", "SAMSUNG", "<Digimax S500, Samsung #1>", "cof"),
        *("oznorWO", "oplus_32", "dav_soft", "photo", "PHOTO.JPG", "DSC00042", "IMG_1234.JPG"),
        *("_MG_1234", "old name.jpeg", "/home/a/b.png", "Screenshot", '{"mirror":false}'),
        *("filter: 0; fileterIntensity: 0.0; hw-remosaic: false;", "Lavc57.107.100"),
        *("CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90", "Created with GIMP"),
        *("File written by Adobe Photoshop\xa8 4.0", "LEAD Technologies Inc. V1.01"),
    ],
)
def test_what_is_nobodys(text: str) -> None:
    assert not written.is_persons(text, "/album/photo.jpg")


@pytest.mark.parametrize(
    "text",
    [
        *(TEXT, "Rex", "Dave", "Norway", "nordic walking", "A digital camera on a table", "2019"),
        *("Mum: Anna, Dad: Bob", "Made by my grandmother", "photo of a dog", "[by the sea]", "犬"),
        *("Rome2019", "Canon ball", "Scanned by Anna", "created with love"),
    ],
)
def test_what_is_a_persons(text: str) -> None:
    assert written.is_persons(text, "/album/photo.jpg")


# Sidecars


@pytest.fixture
def photograph(tmp_path: Path) -> str:
    return make(tmp_path / "photo.jpg")


def valid(path: Path) -> str:
    """Return the description that exiv2 reads; it refuses sidecars that repeat a property."""
    if not shutil.which("exiv2"):
        pytest.skip("exiv2 is not installed (Debian: exiv2)")
    done = subprocess.run(["exiv2", "-px", path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(None, 3) for line in done.stdout.splitlines()]
    return next(cells[3] for cells in lines if cells[0] == "Xmp.dc.description")


@pytest.mark.parametrize("name", ["photo.xmp", "photo.jpg.xmp", "photo.XMP"])
@pytest.mark.parametrize(
    ("inside", "attribute"),
    [
        ("", 'dc:description=""'),
        ("", "my:x='dc:description=\"\"'  dc:description = '  '"),
        ("", 'dc:description="OLYMPUS DIGITAL CAMERA"'),
        ("<dc:description><rdf:Alt/></dc:description>", ""),
        ("", ""),
    ],
)
def test_what_says_nothing_is_there_once_afterwards(
    photograph: str, name: str, inside: str, attribute: str
) -> None:
    path = Path(photograph).with_name(name)
    path.write_bytes(packet(inside, attribute))
    assert sidecar.write(photograph, "a dog") is None
    assert [p.name for p in path.parent.glob("*.[xX]*")] == [name]
    assert b'my:description="a > b"' in path.read_bytes()
    assert valid(path) == 'lang="x-default" a dog'


@pytest.mark.parametrize("name", ["photo.xmp", "photo.jpg.xmp"])
def test_a_text_in_either_sidecar_is_kept(photograph: str, name: str) -> None:
    path = Path(photograph).with_name(name)
    path.write_bytes(packet("", f'tiff:ImageDescription="{TEXT}"'))
    assert sidecar.write(photograph, "a dog") == KEPT
    assert path.read_bytes().count(b"a dog") == 1, "the alt text alone"


def test_a_sidecar_of_two_photographs_is_left(photograph: str) -> None:
    make(Path(photograph).with_suffix(".PNG"))
    shared = Path(photograph).with_suffix(".xmp")
    shared.write_bytes(packet(""))
    assert sidecar.write(photograph, "a dog") == (
        "photo.xmp was not changed: several photographs share it"
    )


def test_mode_owner_and_link_stay(photograph: str, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "real.xmp"
    target.parent.mkdir()
    target.write_bytes(packet(""))
    target.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(target, 1234, 2345)
    before = target.stat()
    link = sidecar.path_for(photograph)
    link.symlink_to(target)
    assert sidecar.write(photograph, "a dog") is None
    after = target.stat()
    assert link.is_symlink()
    assert b"a dog" in target.read_bytes()
    assert after.st_mode == before.st_mode
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


def test_one_that_is_read_only_is_left(photograph: str) -> None:
    path = sidecar.path_for(photograph)
    path.write_bytes(packet(""))
    path.chmod(stat.S_IRUSR)
    assert sidecar.write(photograph, "a dog") == "photo.jpg.xmp was not changed: it is read-only"
    assert path.read_bytes() == packet("")


def test_a_link_to_nothing_is_left(photograph: str, tmp_path: Path) -> None:
    sidecar.path_for(photograph).symlink_to(tmp_path / "none")
    assert "was not changed" in (sidecar.write(photograph, "a dog") or "")
