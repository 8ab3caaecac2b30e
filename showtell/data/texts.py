"""Reads captions from text files: ``photo.txt`` for ``photo.jpg``, with one caption per line."""

from collections.abc import Iterator
from pathlib import Path

from showtell.data.files import PICTURE_FOLDERS, list_pictures, read_lines
from showtell.data.release import Layout, Release, split_by_name

_FOLDERS = (".", *PICTURE_FOLDERS)


def _texts(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name of each picture that has a text file, and the text file."""
    for name, path in list_pictures(folder).items():
        if (text := path.with_suffix(".txt")).is_file():
            yield name, text


def _read(root: Path) -> Release | None:
    folders = (root / name for name in _FOLDERS if (root / name).is_dir())
    folder = next((folder for folder in folders if any(_texts(folder))), None)
    if folder is None:
        return None
    captions = [(name, line) for name, text in _texts(folder) for _, line in read_lines(text)]
    splits = {name: split_by_name(name) for name, _ in captions}
    return Release(captions, splits, list_pictures(folder))


TEXTS = Layout("texts", "a .txt beside each picture", _read)
