"""The journal of a run: what is finished, kept beside the output until that is whole.

It is a SQLite database, which a process that is killed at any moment leaves as it was after the
last chunk, and which only one process at a time may have open. Memory does not grow with it.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from showtell.batch.rows import Row
from showtell.errors import OutputError

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS run (settings TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS rows "
    "(n INTEGER PRIMARY KEY, path BLOB UNIQUE NOT NULL, sha256 TEXT, row TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_content ON rows (sha256)",
)


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
        self._out = out
        with self._told():
            out.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=0)
            try:
                self._open(settings, resume)
            except BaseException:
                self._db.close()
                raise

    def _open(self, settings: Mapping[str, Any], resume: bool) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")  # the lock is kept to the end
        self._db.execute("BEGIN EXCLUSIVE")
        with self._db:
            for statement in _SCHEMA:
                self._db.execute(statement)
            old = self._db.execute("SELECT settings FROM run").fetchone()
            if old:
                self._require_same(json.loads(old[0]), settings, resume)
            elif self._out.exists():
                self.delete()
                raise OutputError(f"{self._out}: is there already; delete it, or name another file")
            else:
                self._db.execute("INSERT INTO run VALUES (?)", [json.dumps(settings)])

    def _require_same(self, old: Any, settings: Mapping[str, Any], resume: bool) -> None:
        anew = f"delete {self.path} to begin anew"
        if not resume:
            raise OutputError(
                f"{self._out}: an unfinished run is there: go on with --resume, or {anew}"
            )
        if other := [name for name, value in settings.items() if old.get(name) != value]:
            raise OutputError(
                f"{self._out}: the unfinished run differs in its {', '.join(other)}: "
                f"give the same, or {anew}"
            )

    def close(self) -> None:
        """Let another process have it."""
        self._db.close()

    def add(self, rows: Sequence[tuple[str, Row]]) -> None:
        """Keep the rows of paths, all of them or none; a path that has one keeps it."""
        values = [(os.fsencode(path), row["sha256"], json.dumps(row)) for path, row in rows]
        with self._told(), self._db:
            self._db.executemany(
                "INSERT OR IGNORE INTO rows (path, sha256, row) VALUES (?, ?, ?)", values
            )

    def has(self, path: str) -> bool:
        """Tell whether a path has its row."""
        return self._one("SELECT 1 FROM rows WHERE path = ?", os.fsencode(path)) is not None

    def same(self, sha256: str) -> Row | None:
        """Return the first row of a content."""
        found = self._one("SELECT row FROM rows WHERE sha256 = ? ORDER BY n LIMIT 1", sha256)
        return None if found is None else json.loads(found)

    def __len__(self) -> int:
        return int(self._one("SELECT count(*) FROM rows"))

    def __iter__(self) -> Iterator[Row]:
        with self._told():
            for (row,) in self._db.execute("SELECT row FROM rows ORDER BY n"):
                yield json.loads(row)

    def delete(self) -> None:
        """Remove it, still locked, when its output is whole."""
        for path in (self.path, self.path.with_name(f"{self.path.name}-journal")):
            path.unlink(missing_ok=True)

    def _one(self, query: str, *values: object) -> Any:
        with self._told():
            found = self._db.execute(query, values).fetchone()
        return found and found[0]

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise OutputError(f"{self._out}: another process is writing it") from error
            raise OutputError(
                f"{self.path}: cannot be written: {error}; mend that, and go on with --resume"
            ) from error
        except OSError as error:
            raise OutputError(f"{self._out}: cannot be written: {error.strerror}") from error
