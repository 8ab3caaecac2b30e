"""Finds photographs: named files, and the files in folders."""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from showtell.formats import LeftOut

_LINK = "a link to a folder is not followed: name the folder itself"


class Entry(NamedTuple):
    """A path, and the error if it cannot be used."""

    path: str
    error: str | None = None


def walk(paths: Iterable[str], left_out: LeftOut | None = None) -> Iterator[Entry]:
    """Yield the photographs in folders and their subfolders, in a fixed order.

    Names are sorted by their bytes, and a folder's files come before its subfolders. Files in
    folders are selected by extension, without hidden ones; files in `paths` are always yielded.
    Links to folders are not followed, to avoid loops. They are yielded with an error, and so are
    folders that cannot be listed.

    Parameters
    ----------
    paths : files and folders.
    left_out : counts the files in folders whose extension is not that of a photograph.
    """
    left_out = left_out or LeftOut()
    for path in paths:
        if not os.path.isdir(path):
            yield Entry(path)
            continue
        folders = [path]
        while folders:
            entries, below = _list(folders.pop(), left_out)
            yield from entries
            folders += reversed(below)


def _list(folder: str, left_out: LeftOut) -> tuple[list[Entry], list[str]]:
    """Return the entries of a folder, and the paths of its subfolders."""
    try:
        with os.scandir(folder) as listing:
            names = sorted((os.fsencode(e.name), e.is_symlink(), _is_folder(e)) for e in listing)
    except OSError as error:
        return [Entry(folder, f"it cannot be listed: {(error.strerror or str(error)).lower()}")], []
    entries, below = [], []
    for raw, is_link, is_folder in names:
        name = os.fsdecode(raw)
        path = os.path.join(folder, name)
        if is_folder and not name.startswith("."):
            entries += [Entry(path, _LINK)] if is_link else []
            below += [] if is_link else [path]
        elif left_out.is_picture(name):
            entries.append(Entry(path))
    return entries, below


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; reading it reports the error
        return False


def readable(path: str) -> str:
    r"""Return a path as text; bytes that are not valid UTF-8 become escapes such as ``\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
