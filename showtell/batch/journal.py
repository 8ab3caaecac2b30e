"""The journal of a run: its finished rows, stored next to the output until that is complete.

The journal is a SQLite database. If the process is killed, it contains all chunks up to the last
finished one. Only one process at a time can open it. Memory use does not grow with its size.
"""

import json
import os
import re
import sqlite3
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from showtell.batch.rows import Row
from showtell.errors import OutputError

_DAMAGED = re.compile("malformed|not a database|decode|no such|has no column|unsupported")
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS run (settings TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS finished (n INTEGER PRIMARY KEY, path BLOB UNIQUE NOT NULL, "
    "seen TEXT, sha256 TEXT, row TEXT NOT NULL, crc INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_content ON finished (sha256)",
    # The order of the photographs in this run. SQLite drops the table with the connection.
    "CREATE TEMP TABLE places (place INTEGER PRIMARY KEY, path BLOB UNIQUE NOT NULL)",
)


class Changes(NamedTuple):
    """How many of the finished photographs have changed, and how many no longer exist."""

    changed: int
    gone: int


def path_for(out: Path) -> Path:
    """Return the path of the journal of an output."""
    return out.with_name(f"{out.name}.unfinished")


class Journal:
    """The finished rows of a run, in order.

    Parameters
    ----------
    out : the output of the run.
    settings : the settings that the rows depend on, in plain types. A run can only be continued
        with the same settings.
    resume : whether to continue an interrupted run, if there is one.

    Raises
    ------
    OutputError : another process has the journal open, there is an unfinished run but `resume` is
        False or the settings differ, or the journal cannot be written.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any], resume: bool) -> None:
        self.path = path_for(out)
        self._undo = self.path.with_name(f"{self.path.name}-journal")  # SQLite's own
        self._out = out
        with self._explained():
            out.parent.mkdir(parents=True, exist_ok=True)
            self._create()
            self._db = sqlite3.connect(self.path, timeout=0)
            try:
                self._open(settings, resume)
            except BaseException:
                self._db.close()
                raise

    def _create(self) -> None:
        """Create the file if it does not exist. Anything but a regular file is refused."""
        with suppress(FileExistsError):
            if os.path.lexists(self._undo) and not os.path.lexists(self.path):
                raise OutputError(f"{self._undo}: already exists; move it away")
            self.path.touch(exist_ok=False)
        for path in filter(os.path.lexists, (self.path, self._undo)):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise OutputError(f"{path}: not a regular file; move it away")

    def _open(self, settings: Mapping[str, Any], resume: bool) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")  # keep the lock until closed
        self._db.execute("BEGIN EXCLUSIVE")
        with self._db:
            for statement in _SCHEMA:
                self._db.execute(statement)
            old = self._db.execute("SELECT settings FROM run").fetchone()
            if old:
                self._require_same(json.loads(old[0]), settings, resume)
                if self._db.execute("PRAGMA quick_check").fetchone() != ("ok",):
                    raise ValueError("inconsistent pages")
            elif self._out.exists():
                self.delete()
                raise OutputError(f"{self._out}: already exists; delete it, or choose another file")
            else:
                self._db.execute("INSERT INTO run VALUES (?)", [json.dumps(settings)])

    def _require_same(self, old: Any, settings: Mapping[str, Any], resume: bool) -> None:
        anew = f"delete {self.path} to start again"
        if not resume:
            raise OutputError(f"{self._out}: unfinished run; continue it with --resume, or {anew}")
        if not isinstance(old, dict):
            raise ValueError("invalid settings")
        if other := [name for name, value in settings.items() if old.get(name) != value]:
            raise OutputError(
                f"{self._out}: the unfinished run has other settings ({', '.join(other)}); "
                f"use the same, or {anew}"
            )

    def close(self) -> None:
        """Close the database, so that another process can open it."""
        self._db.close()

    def keep(
        self, paths: Iterable[str], is_same: Callable[[str, str | None, str | None], bool]
    ) -> Changes:
        """Keep only the rows of `paths` whose files are unchanged, in the order of `paths`.

        Parameters
        ----------
        paths : all photographs of the run.
        is_same : called with a path, its file's status when it was read, and its SHA-256; returns
            whether the file is unchanged.

        Returns
        -------
        How many photographs have changed, and how many rows are not of `paths`; both are dropped.
        """
        changed = 0
        with self._explained(), self._db:
            for path in paths:
                key = os.fsencode(path)
                self._db.execute("INSERT OR IGNORE INTO places (path) VALUES (?)", [key])
                find = "SELECT seen, sha256, row, crc FROM finished WHERE path = ?"
                for seen, sha256, row, crc in self._db.execute(find, [key]).fetchall():
                    if crc == _crc(key, seen, sha256, row) and is_same(path, seen, sha256):
                        continue
                    self._db.execute("DELETE FROM finished WHERE path = ?", [key])
                    changed += seen is not None  # None: there was no file, so it is tried again
            gone = "DELETE FROM finished WHERE path NOT IN (SELECT path FROM places)"
            return Changes(changed, self._db.execute(gone).rowcount)

    def add(self, rows: Sequence[tuple[str, str | None, Row]]) -> None:
        """Add rows in one transaction; a path that already has a row keeps it.

        `rows` are tuples of path, file status and row.
        """
        values = []
        for path, seen, row in rows:
            columns = os.fsencode(path), seen, row["sha256"], json.dumps(row)
            values.append((*columns, _crc(*columns)))
        with self._explained(), self._db:
            self._db.executemany(
                "INSERT OR IGNORE INTO finished (path, seen, sha256, row, crc) "
                "VALUES (?, ?, ?, ?, ?)",
                values,
            )

    def has(self, path: str) -> bool:
        """Return whether a path has a row."""
        return self._one("SELECT 1 FROM finished WHERE path = ?", os.fsencode(path)) is not None

    def same(self, sha256: str) -> Row | None:
        """Return the first row whose file has this SHA-256; None if there is none."""
        row = self._one("SELECT row FROM finished WHERE sha256 = ? ORDER BY n LIMIT 1", sha256)
        return None if row is None else json.loads(row)

    def __len__(self) -> int:
        return int(self._one("SELECT count(*) FROM finished"))

    def __iter__(self) -> Iterator[Row]:
        with self._explained():
            order = "SELECT row FROM finished LEFT JOIN places USING (path) "
            for (row,) in self._db.execute(f"{order} ORDER BY place IS NULL, place, n"):
                yield json.loads(row)

    def delete(self) -> None:
        """Delete the files of the journal, while it is still locked."""
        for path in (self.path, self._undo):
            path.unlink(missing_ok=True)

    def _one(self, query: str, *values: object) -> Any:
        with self._explained():
            row = self._db.execute(query, values).fetchone()
        return row and row[0]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, ValueError) as error:
            if "locked" in str(error):
                raise OutputError(
                    f"{self._out}: another process is writing to it; wait for it to finish"
                ) from error
            if isinstance(error, ValueError) or _DAMAGED.search(str(error)):
                raise OutputError(
                    f"{self.path}: damaged: {error}; delete it to start again"
                ) from error
            raise OutputError(
                f"{self.path}: cannot be written: {error}; fix this, then continue with --resume"
            ) from error
        except OSError as error:
            raise OutputError(f"{self._out}: cannot be written: {error.strerror}") from error


def _crc(*values: object) -> int:
    """Return a checksum, to detect rows that the disk has corrupted; SQLite has none."""
    return zlib.crc32(repr(values).encode())
