"""Files and folders replaced as a whole: whoever reads finds the old one or the new one."""

import ctypes
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to; it becomes `path` when the block ends without an error."""
    partial = path.with_name(f"{path.name}.part")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink()


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
