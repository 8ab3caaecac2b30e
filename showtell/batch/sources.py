"""Where photographs come from: files that are named, and folders that are walked."""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from showtell.formats import LeftOut

_LINK = "a link to a folder is not followed: name the folder itself"


class Entry(NamedTuple):
    """A path, and why nothing can be had from it, if so."""

    path: str
    error: str | None = None


def walk(paths: Iterable[str], left_out: LeftOut | None = None) -> Iterator[Entry]:
    """Yield the photographs in folders, and below them, in an order that is always the same.

    Names are in the order of their bytes, a folder's files before what its folders hold. Files are
    taken by their endings, those that `paths` name themselves in any case; hidden ones are left
    out. Links to folders are not followed, so that there are no loops: they are told as an error,
    as is a folder that cannot be listed.

    Parameters
    ----------
    paths : files and folders.
    left_out : counts the files in folders that are no photographs by their endings.
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
    """Return what a folder holds, and the folders in it."""
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
    except OSError:  # a link to itself, which is told when it is read
        return False


def readable(path: str) -> str:
    r"""Return a path as text: bytes that are none are written as ``\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
