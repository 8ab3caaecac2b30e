"""Which files in folders are captioned, and in which order."""

import os
import subprocess
from pathlib import Path

import pytest

from showtell.batch.sources import Entry, readable, walk
from showtell.formats import LeftOut


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(folder: Path) -> list[str]:
    return [os.path.relpath(path, folder) for path, _ in walk([str(folder)])]


def test_a_folder_is_walked_in_the_order_of_its_names(tmp_path: Path) -> None:
    wanted = ["B.JPG", "a.jpg", "é.png", "A/z.jpg", "a/a/x.jpg", "a.b/c.webp", "b/a.tiff"]
    touch(*(tmp_path / name for name in reversed(wanted)))
    touch(tmp_path / "notes.txt", tmp_path / ".hidden.jpg", tmp_path / ".hidden" / "a.jpg")
    assert names(tmp_path) == wanted


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b.CR3", tmp_path / ".DS_Store", tmp_path / "b/c.mp4")
    touch(tmp_path / "d/e.mp4", tmp_path / "README", tmp_path / ".git/config")
    left_out = LeftOut()
    assert len(list(walk([str(tmp_path), str(tmp_path / "none.txt")], left_out))) == 2
    assert left_out.sentence() == (
        "4 files skipped: 2 .mp4, 1 without an ending, 1 .cr3; "
        "RAW files are not supported: export them as JPEG"
    )


def test_what_is_named_is_taken_whatever_its_ending(tmp_path: Path) -> None:
    touch(tmp_path / "photograph")
    paths = [str(tmp_path / "photograph"), str(tmp_path / "none")]
    assert list(walk(paths)) == [Entry(path) for path in paths]


def test_links_to_folders_are_told_and_not_followed(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "x.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "y.jpg").symlink_to(tmp_path / "a" / "x.jpg")
    found = list(walk([str(tmp_path)]))
    assert [os.path.relpath(path, tmp_path) for path, _ in found] == ["y.jpg", "a/loop", "a/x.jpg"]
    assert [error is None for _, error in found] == [True, False, True]
    assert "name the folder itself" in (found[1].error or "")


def test_folders_below_folders_without_end(tmp_path: Path) -> None:
    """Deeper than Python's recursion limit, and than the maximum length of a path."""
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(2100):
        os.mkdir("d", dir_fd=folder)
        deeper = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    os.close(folder)
    found = list(walk([str(tmp_path)]))
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # too deep for shutil.rmtree
    assert [error for _, error in found] == ["it cannot be listed: file name too long"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_may_not_be_listed(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "x.jpg", tmp_path / "b" / "y.jpg")
    (tmp_path / "a").chmod(0)
    told, found = walk([str(tmp_path)])
    (tmp_path / "a").chmod(0o700)
    assert told.error == "it cannot be listed: permission denied"
    assert found == Entry(str(tmp_path / "b" / "y.jpg"))


def test_a_name_that_is_no_text_is_written_so_that_it_differs_from_others() -> None:
    written = {readable(os.fsdecode(name)) for name in (b"\xff.jpg", b"\xfe.jpg", "é.jpg".encode())}
    assert written == {r"\xff.jpg", r"\xfe.jpg", "é.jpg"}
