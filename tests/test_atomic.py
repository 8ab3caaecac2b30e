"""Atomic replacement of files and folders."""

import os
import sys
from pathlib import Path

import pytest

from showtell.atomic import appending, replacing, replacing_folder


@pytest.fixture(params=["nameless", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to create a new file: without a name, and with a temporary name."""
    if request.param == "named":
        monkeypatch.setattr("showtell.atomic._open_nameless", lambda _: None)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("no file without a name here")
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_the_new_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("way")
def test_what_lies_beside_is_neither_followed_nor_removed(tmp_path: Path) -> None:
    """Data was written to the target of a link ``NAME.part``."""
    other = tmp_path / "other"
    other.write_text("a person's own")
    path = tmp_path / "file"
    path.symlink_to(other)
    (tmp_path / "file.part").symlink_to(other)
    with replacing(path) as partial:
        partial.write_text("new")
    assert other.read_text() == "a person's own"
    assert (path.read_text(), path.is_symlink()) == ("new", False)
    assert (tmp_path / "file.part").is_symlink()
    assert len([*tmp_path.iterdir()]) == 3


@pytest.mark.usefixtures("way")
def test_a_new_file_has_the_permissions_of_any(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    with replacing(tmp_path / "file") as partial:
        partial.write_text("new")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_a_file_that_is_being_written_cannot_be_guessed(tmp_path: Path, way: str) -> None:
    with replacing(tmp_path / "file") as partial:
        if way == "nameless":
            assert [*tmp_path.iterdir()] == []
        else:
            assert len(partial.name) > 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("kind", ["link", "loop", "pipe", "device"])
def test_only_a_regular_file_is_appended_to(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "log", tmp_path / "other"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/null")
    else:
        path.symlink_to(other if kind == "link" else path)
    with pytest.raises(OSError, match="It is"):
        appending(path)
    assert not other.exists()


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    for word in ("one", "two"):
        with appending(tmp_path / "log") as file:
            file.write(word.encode())
    assert (tmp_path / "log").read_text() == "onetwo"


@pytest.mark.usefixtures("way")
def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as partial:
            partial.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_folder_is_replaced_as_a_whole(
    tmp_path: Path, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not at_once:  # as on systems without renameat2
        monkeypatch.setattr("showtell.atomic._exchange", lambda *_: False)
    path = tmp_path / "below" / "folder"
    for content in ("old", "new"):
        with replacing_folder(path) as new:
            (new / content).touch()
    assert [file.name for file in path.iterdir()] == ["new"]
    with pytest.raises(ZeroDivisionError), replacing_folder(path) as new:
        raise ZeroDivisionError
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it takes two steps")
def test_at_no_moment_there_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    monkeypatch.setattr(os, "replace", None)  # would take two steps
    with replacing_folder(path) as new:
        (new / "file").touch()
    assert [file.name for file in path.iterdir()] == ["file"]
