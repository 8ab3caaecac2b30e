"""Files are replaced as a whole, or not at all."""

import os
import sys
from pathlib import Path

import pytest

from showtell.atomic import replacing, replacing_folder


def test_the_new_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


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
    if not at_once:  # as on systems that cannot
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
    monkeypatch.setattr(os, "replace", None)  # what would need two steps
    with replacing_folder(path) as new:
        (new / "file").touch()
    assert [file.name for file in path.iterdir()] == ["file"]
