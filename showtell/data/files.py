"""Reading what a data set's folder holds: lines, tables, pictures. A broken file names its line."""

import csv
import io
import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from showtell.errors import DataError
from showtell.formats import is_picture

# Where the photographs lie under the root: the release's own spelling, that folder inside the one
# that some archivers make, and Kaggle's.
PICTURE_FOLDERS = (
    "Flicker8k_Dataset",
    "Flickr8k_Dataset/Flicker8k_Dataset",
    "Flickr8k_Dataset",
    "Images",
    "images",
)


def normal(name: str) -> str:
    """Return a file name in the one form that is compared (an archive made on macOS has two)."""
    return unicodedata.normalize("NFC", name.strip())


def line_error(path: Path, line: int, reason: str) -> DataError:
    """Return the error of a broken file, which names the file, the line and the reason."""
    return DataError(f"{path}, line {line}: {reason}")


def list_pictures(folder: Path) -> dict[str, Path]:
    """Return the pictures in `folder`, by name: one listing, however many there are."""
    try:
        with os.scandir(folder) as entries:
            return {normal(e.name): Path(e.path) for e in entries if is_picture(e.name)}
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}") from error


def find_pictures(root: Path, folders: Iterable[str] = PICTURE_FOLDERS) -> dict[str, Path]:
    """Return the pictures in those of `folders` that `root` has, by name.

    Raises
    ------
    DataError : there is none of the folders.
    """
    there = [root / folder for folder in folders if (root / folder).is_dir()]
    if not there:
        looked_for = ", ".join(f"{folder}/" for folder in folders)
        raise DataError(f"{root} has captions but no photographs: looked for {looked_for}")
    return {name: path for folder in there for name, path in list_pictures(folder).items()}


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark.

    Raises
    ------
    DataError : it cannot be read, or is not UTF-8; the line is named.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise line_error(path, line, "not UTF-8 text; save the file as UTF-8") from error


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line that is not blank."""
    # Not splitlines(): it would also break a caption at a form feed or a Unicode line separator.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield number, line.strip()


def read_table(path: Path, *columns: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the cells, by column, of each row of a CSV file.

    Raises
    ------
    DataError : one of `columns` is not in the header, a row has another number of cells than the
        header, or a quote is left open.
    """
    rows = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if absent := [name for name in columns if name not in header]:
            need = ",".join(columns)
            raise line_error(path, 1, f"no column {absent[0]!r}; the first line must be {need}")
        for row in rows:
            if row:
                yield rows.line_num, _cells(path, rows.line_num, header, row)
    except csv.Error as error:
        reason = f"{error}; is a double quote left open?"
        raise line_error(path, rows.line_num, reason) from error


def _cells(path: Path, line: int, header: list[str], row: list[str]) -> dict[str, str]:
    if len(row) != len(header):
        reason = f"{len(row)} cells for {len(header)} columns; quote a caption that holds a comma"
        raise line_error(path, line, reason)
    return dict(zip(header, row, strict=True))
