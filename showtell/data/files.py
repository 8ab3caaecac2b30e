"""Reading what a data set's folder holds: lines, tables, pictures. A broken file names its line."""

import csv
import io
import json
import os
import posixpath
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

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
    r"""Return a file name in the one form that is compared.

    An archive made on macOS has another Unicode form; people write ``./a.jpg`` and ``b\\a.jpg``.
    """
    name = name.strip().replace("\\", "/")
    return unicodedata.normalize("NFC", posixpath.normpath(name) if name else "")


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


def find_named(
    root: Path, names: Collection[str], folders: Iterable[str] = (*PICTURE_FOLDERS, ".")
) -> dict[str, Path]:
    """Return the pictures that captions may name: with a folder, or bare, from one of `folders`.

    Parameters
    ----------
    root : the data set's folder.
    names : of pictures, each normal; one with a folder is looked for there alone.
    folders : where bare names are looked for. Of two files of one name the last folder's is taken.

    Returns
    -------
    Where each picture lies, by the name that the captions give it; those that none names as well.
    """
    paths: dict[str, Path] = {}
    for folder in sorted({posixpath.dirname(name) for name in names} - {""}):
        if (root / folder).is_dir():
            pictures = list_pictures(root / folder)
            paths |= {posixpath.join(folder, name): path for name, path in pictures.items()}
    named = set(paths.values())
    bare = find_pictures(root, folders)
    return paths | {n: path for n, path in bare.items() if n in names or path not in named}


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


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    DataError : it cannot be read, or is not JSON; the line is named.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise line_error(path, error.lineno, f"not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise line_error(path, 1, f"not JSON that can be read: {error}") from error


def read_table(path: Path, *columns: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the cells, by column, of each row of a table.

    Cells are separated by commas, semicolons or tabs, as the first line has it; it names the
    columns, in capitals or not. Rows without text, and empty cells behind the last column, as
    spreadsheets write them, are left out.

    Raises
    ------
    DataError : one of `columns` is not in the header, a name is there twice, a row has another
        number of cells than the header, or a quote is left open.
    """
    text = read_text(path)
    rows = csv.reader(
        io.StringIO(text, newline=""), strict=True, delimiter=_delimiter(text, columns)
    )
    try:
        header = _header(path, next(rows, []), columns)
        for row in rows:
            if any(cell.strip() for cell in row):
                yield rows.line_num, _cells(path, rows.line_num, header, row)
    except csv.Error as error:
        reason = f"{error}; is a double quote left open?"
        raise line_error(path, rows.line_num, reason) from error


def _delimiter(text: str, columns: Iterable[str]) -> str:
    first = text.partition("\n")[0]
    for delimiter in ",;\t":
        names = next(csv.reader([first], delimiter=delimiter), [])
        if set(columns) <= {name.strip().lower() for name in names}:
            return delimiter
    return ","


def _header(path: Path, row: list[str], columns: tuple[str, ...]) -> list[str]:
    header = [name.strip().lower() for name in row]
    while header and not header[-1]:
        header.pop()
    if absent := [name for name in columns if name not in header]:
        need = ",".join(columns)
        raise line_error(path, 1, f"no column {absent[0]!r}; the first line must be {need}")
    for name in filter(None, header):
        if header.count(name) > 1:
            reason = f"{header.count(name)} columns {name!r}; keep one, and write a line for each"
            raise line_error(path, 1, f"{reason} caption" if name == "caption" else reason)
    return header


def _cells(path: Path, line: int, header: list[str], row: list[str]) -> dict[str, str]:
    while len(row) > len(header) and not row[-1].strip():
        row.pop()
    if len(row) > len(header):
        reason = f"{len(row)} cells for {len(header)} columns; quote a caption that holds a comma"
        raise line_error(path, line, reason)
    if len(row) < len(header):
        reason = f"no {header[len(row)]}: the line has {len(row)} of {len(header)} cells"
        raise line_error(path, line, reason)
    return dict(zip(header, row, strict=True))
