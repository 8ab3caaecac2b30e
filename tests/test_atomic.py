"""Files are replaced as a whole, or not at all."""

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


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "below" / "folder"
    for content in ("old", "new"):
        with replacing_folder(path) as new:
            (new / content).touch()
    assert [file.name for file in path.iterdir()] == ["new"]
    with pytest.raises(ZeroDivisionError), replacing_folder(path) as new:
        raise ZeroDivisionError
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(path.parent.iterdir()) == [path]
