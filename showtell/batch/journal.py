"""The journal of a run: what is finished, kept beside the output until that is whole.

It is a SQLite database, which a process that is killed at any moment leaves as it was after the
last chunk, and which only one process at a time may have open. Memory does not grow with it.
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
    # The order of this run; it is forgotten with the connection.
    "CREATE TEMP TABLE places (place INTEGER PRIMARY KEY, path BLOB UNIQUE NOT NULL)",
)


class Changes(NamedTuple):
    """What became of finished photographs: how many are others now, and how many are gone."""

    changed: int
    gone: int


def path_for(out: Path) -> Path:
    """Return where the journal of an output is."""
    return out.with_name(f"{out.name}.unfinished")


class Journal:
    """Rows that are finished, in their order.

    Parameters
    ----------
    out : the output that they will become.
    settings : what the rows depend on, plain types; a run goes on with the same alone.
    resume : whether to go on with a run that was interrupted, if there is one.

    Raises
    ------
    OutputError : another process writes it, it is of a run that was not asked for or of other
        settings, or it cannot be written.
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
        """Make the file if it is not there; what somebody else put there is not touched."""
        with suppress(FileExistsError):
            if os.path.lexists(self._undo) and not os.path.lexists(self.path):
                raise OutputError(f"{self._undo}: already exists; move it away")
            self.path.touch(exist_ok=False)
        for path in filter(os.path.lexists, (self.path, self._undo)):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise OutputError(f"{path}: not a regular file; move it away")

    def _open(self, settings: Mapping[str, Any], resume: bool) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")  # the lock is kept to the end
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
        """Let another process have it."""
        self._db.close()

    def keep(
        self, paths: Iterable[str], is_same: Callable[[str, str | None, str | None], bool]
    ) -> Changes:
        """Keep the rows of `paths` alone, in their order, and of those what is as it was.

        Parameters
        ----------
        paths : all that the run is asked for.
        is_same : tells by a path, how its file was seen, and its SHA-256, whether its row holds.
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
                    changed += seen is not None  # what was no file before is tried again
            gone = "DELETE FROM finished WHERE path NOT IN (SELECT path FROM places)"
            return Changes(changed, self._db.execute(gone).rowcount)

    def add(self, rows: Sequence[tuple[str, str | None, Row]]) -> None:
        """Keep rows of paths, and how their files were seen, all of them or none.

        A path that has a row keeps it.
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
        """Tell whether a path has its row."""
        return self._one("SELECT 1 FROM finished WHERE path = ?", os.fsencode(path)) is not None

    def same(self, sha256: str) -> Row | None:
        """Return the first row of a content."""
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
        """Remove it, still locked, when its output is whole."""
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
    """Return a checksum: SQLite has none, and would give back what a disk made of a row."""
    return zlib.crc32(repr(values).encode())
