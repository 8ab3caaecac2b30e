"""Files and folders replaced as a whole: whoever reads finds the old one or the new one.

A folder can hold what a stranger put there. Nothing of it is followed, opened or removed: a new
file has no name until it is whole, or one that nobody can guess.
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
    """Give a path to write to; it becomes `path` when the block ends without an error.

    Write to this very path: nothing can be renamed to it. On Linux the file has no name until the
    block ends, so that a process that is killed leaves nothing.
    Elsewhere, and on file systems that cannot do this, it leaves ``.showtell-*.part``.

    Raises
    ------
    OSError : the folder cannot be written to.
    """
    beside = path.with_name(f".showtell-{token_hex(8)}.part")
    handle = _open_nameless(path.parent)
    nameless = f"/proc/self/fd/{handle}"
    if handle is None:
        beside.touch(exist_ok=False)
    try:
        yield beside if handle is None else Path(nameless)
        if handle is not None:
            # The directory that is not used has Python call linkat(2), which follows the first.
            os.link(nameless, beside, src_dir_fd=handle, follow_symlinks=True)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    finally:
        if handle is not None:
            os.close(handle)


def _open_nameless(folder: Path) -> int | None:
    """Open a new file without a name in a folder; None where that cannot be done."""
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666)
    except OSError:  # of a file system that cannot; other reasons are told by the next attempt
        return None


def appending(path: Path, buffering: int = -1) -> BinaryIO:
    """Open a file to read it and to append to it; it is made where there is none.

    Raises
    ------
    OSError : it cannot be opened, or is not a regular file: links are not followed.
    """
    return open(path, "ab+", buffering, opener=_open_regular)


def _open_regular(path: str, flags: int) -> int:
    if os.path.islink(path):
        raise OSError(errno.ELOOP, "It is a link, which is not followed", path)
    for name in ("O_NOFOLLOW", "O_NONBLOCK"):  # a pipe is not waited for
        flags |= getattr(os, name, 0)
    handle = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "It is not a regular file", path)
    return handle


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes `path` when the block ends without an error."""
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
    """Let two folders change names in one step, if the system can (Linux); or else do nothing."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    at, exchange = -100, 2  # AT_FDCWD, and RENAME_EXCHANGE of renameat2(2)
    done: int = rename(at, os.fsencode(one), at, os.fsencode(other), exchange)
    return done == 0
