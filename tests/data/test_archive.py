import zipfile
from pathlib import Path

import pytest

from showtell.data.archive import unpack
from showtell.errors import DownloadError


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in files.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename = name  # the constructor would normalise it
            zipped.writestr(info, content)
    return path


def test_unpack(tmp_path: Path) -> None:
    files = {"folder/a.txt": b"one", "b.txt": b"two", "__MACOSX/folder/._a.txt": b"mac"}
    folder = tmp_path / "out"
    unpack(pack(tmp_path / "a.zip", files), folder)
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {"folder/a.txt", "b.txt"}
    assert (folder / "folder" / "a.txt").read_bytes() == b"one"


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/evil.txt", "C:/evil.txt", "..\\evil.txt"]
)
def test_paths_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / "a.zip", {"good.txt": b"good", name: b"evil"})
    with pytest.raises(DownloadError, match=r"a\.zip names a path outside of its folder"):
        unpack(archive, tmp_path / "deep" / "out")
    assert [p.name for p in tmp_path.rglob("*")] == ["a.zip"]


def test_link_becomes_a_plain_file(tmp_path: Path) -> None:
    """Otherwise, a link to /etc and a file below it would be written outside of the folder."""
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr(link, "/etc")
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out" / "link").is_symlink()


def test_damaged_file_is_found(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {"a.txt": b"a picture's bytes"})
    archive.write_bytes(archive.read_bytes().replace(b"a picture's", b"a Picture's"))
    with pytest.raises(DownloadError, match="Bad CRC-32"):
        unpack(archive, tmp_path / "out")


def test_not_a_zip_file(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("<html>please log in</html>")
    with pytest.raises(DownloadError, match=r"a\.zip cannot be unpacked: File is not a zip file"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
