"""Replaces files and folders atomically: readers see either the old or the new content.

Safe in folders that others can write to: links are not followed, and other files are not opened or
deleted. A new file has no name, or an unguessable one, until it is complete.
"""

import ctypes
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; the file becomes `path` when the block ends without an error.

    Write to the file itself: do not rename another file to it. On Linux the file has no name until
    the block ends, so a killed process leaves nothing behind. On other systems, and on file systems
    without this feature, it leaves ``.showtell-*.part``.

    Raises
    ------
    OSError : the folder is not writable.
    """
    beside = path.with_name(f".showtell-{token_hex(8)}.part")
    handle = _open_nameless(path.parent)
    nameless = f"/proc/self/fd/{handle}"
    if handle is None:
        beside.touch(exist_ok=False)
    try:
        yield beside if handle is None else Path(nameless)
        if handle is not None:
            # src_dir_fd has no effect, but makes Python call linkat(2), which follows links.
            os.link(nameless, beside, src_dir_fd=handle, follow_symlinks=True)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    finally:
        if handle is not None:
            os.close(handle)


def _open_nameless(folder: Path) -> int | None:
    """Create a file without a name in a folder; return None if that is not supported."""
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666)
    except OSError:  # not supported; any other reason is raised when the named file is created
        return None


def appending(path: Path, buffering: int = -1) -> BinaryIO:
    """Open a file for reading and appending; create it if it does not exist.

    Raises
    ------
    OSError : the file cannot be opened, or is a link or not a regular file.
    """
    return open(path, "ab+", buffering, opener=_open_regular)


def _open_regular(path: str, flags: int) -> int:
    if os.path.islink(path):
        raise OSError(errno.ELOOP, "It is a link, which is not followed", path)
    for name in ("O_NOFOLLOW", "O_NONBLOCK"):  # do not wait for the other end of a pipe
        flags |= getattr(os, name, 0)
    handle = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "It is not a regular file", path)
    return handle


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it becomes `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as scratch:
        new = Path(scratch, "new")
        new.mkdir()
        yield new
        if path.exists():
            if _exchange(new, path):
                return
            os.replace(path, Path(scratch, "old"))
        os.replace(new, path)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders atomically, and return True; return False if the system cannot."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    at, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE, see renameat2(2)
    done: int = rename(at, os.fsencode(one), at, os.fsencode(other), exchange)
    return done == 0
