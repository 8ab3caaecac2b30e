"""Writes files of rows atomically, as JSON lines, CSV or Parquet."""

import csv
import json
import os
import re
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from showtell.atomic import replacing
from showtell.batch.rows import Row
from showtell.errors import MissingExtraError, OutputError

if TYPE_CHECKING:
    import pyarrow

COLUMNS = tuple(Row.__annotations__)
_NUMBERS = ("logprob", "confidence")
_ROWS_OF_A_GROUP = 10_000
# Text that a spreadsheet would read as a formula. The CSV of the page uses the same rule.
_FORMULA = re.compile(r"[=+\-@\t\r]")


def require_format(out: Path) -> None:
    """Raise an error if the format of an output is not supported.

    Raises
    ------
    OutputError : the extension of the name is unknown.
    MissingExtraError : the format is Parquet, and pyarrow is not installed.
    """
    if out.suffix not in _WRITERS:
        raise OutputError(f"{out}: the file name must end in {' or '.join(_WRITERS)}")
    if out.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise MissingExtraError("Parquet", "parquet")


def write(out: Path, rows: Iterable[Row]) -> None:
    """Write rows in the format given by the extension of `out`.

    Raises
    ------
    OutputError : the file cannot be written. An existing file is unchanged.
    """
    try:
        with replacing(out) as partial:
            _WRITERS[out.suffix](partial, rows)
            with partial.open("rb") as file:
                os.fsync(file.fileno())
    except OSError as error:
        raise unwritable(out, error) from error


def unwritable(path: str | Path, error: OSError) -> OutputError:
    """Return the error for a file that cannot be written during a run."""
    reason = (error.strerror or str(error)).lower()
    return OutputError(
        f"{path}: cannot be written: {reason}; fix this, then continue with --resume"
    )


def _write_jsonl(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in rows)


def _write_csv(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for row in rows:
            table.writerow({column: _cell(value) for column, value in row.items()})


def _cell(value: object) -> object:
    """Put an apostrophe before text that a spreadsheet would read as a formula."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _write_parquet(path: Path, rows: Iterable[Row]) -> None:
    from pyarrow import parquet

    remaining = iter(rows)
    with parquet.ParquetWriter(path, table([]).schema) as file:
        while group := list(islice(remaining, _ROWS_OF_A_GROUP)):
            file.write_table(table(group))


def table(rows: list[Row]) -> "pyarrow.Table":
    """Return rows as a pyarrow table."""
    import pyarrow

    kinds = {name: pyarrow.float64() if name in _NUMBERS else pyarrow.string() for name in COLUMNS}
    return pyarrow.Table.from_pylist(rows, pyarrow.schema(kinds))


_WRITERS: dict[str, Callable[[Path, Iterable[Row]], None]] = {
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
