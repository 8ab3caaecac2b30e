"""Reads the files of data sets: lines, tables, JSON and folders of pictures.

Errors name the file and the line.
"""

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

# Folders of photographs: the spelling of the release, the same inside the folder that some archive
# programs create, and Kaggle's.
PICTURE_FOLDERS = (
    "Flicker8k_Dataset",
    "Flickr8k_Dataset/Flicker8k_Dataset",
    "Flickr8k_Dataset",
    "Images",
    "images",
)


def normal(name: str) -> str:
    r"""Normalise a file name, so that names can be compared.

    Archives made on macOS use another Unicode form, and people write ``./a.jpg`` and ``b\\a.jpg``.
    """
    name = name.strip().replace("\\", "/")
    return unicodedata.normalize("NFC", posixpath.normpath(name) if name else "")


def line_error(path: Path, line: int, reason: str) -> DataError:
    """Return an error that names a file, a line and the reason."""
    return DataError(f"{path}, line {line}: {reason}")


def list_pictures(folder: Path) -> dict[str, Path]:
    """Return the paths of the pictures in `folder`, by name."""
    try:
        with os.scandir(folder) as entries:
            return {normal(e.name): Path(e.path) for e in entries if is_picture(e.name)}
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}") from error


def find_pictures(root: Path, folders: Iterable[str] = PICTURE_FOLDERS) -> dict[str, Path]:
    """Return the paths of the pictures in the existing `folders` of `root`, by name.

    Raises
    ------
    DataError : none of the folders exists.
    """
    there = [root / folder for folder in folders if (root / folder).is_dir()]
    if not there:
        looked_for = ", ".join(f"{folder}/" for folder in folders)
        raise DataError(f"{root} has captions but no photographs: looked for {looked_for}")
    return {name: path for folder in there for name, path in list_pictures(folder).items()}


def find_named(
    root: Path, names: Collection[str], folders: Iterable[str] = (*PICTURE_FOLDERS, ".")
) -> dict[str, Path]:
    """Return the paths of pictures by the names that captions may use, with or without a folder.

    Parameters
    ----------
    root : the folder of the data set.
    names : normalised names of pictures. A name with a folder is only searched in that folder.
    folders : where to search for names without a folder. If several folders have a file of the same
        name, the last one counts.

    Returns
    -------
    The path of each picture, by the name in the captions. Pictures without captions are included.
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
    DataError : the file cannot be read or is not UTF-8; the message names the line.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise line_error(path, line, "not UTF-8 text; save the file as UTF-8") from error


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the stripped text of each line that is not blank."""
    # splitlines() would also split captions at form feeds and Unicode line separators.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield number, line.strip()


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    DataError : the file cannot be read or is not JSON; the message names the line.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise line_error(path, error.lineno, f"not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise line_error(path, 1, f"not JSON that can be read: {error}") from error


def read_table(path: Path, *columns: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the cells, by column, of each row of a CSV file.

    The first line has the names of the columns, in upper or lower case, and determines the
    separator: comma, semicolon or tab. Empty rows, and empty cells after the last column, which
    spreadsheets write, are skipped.

    Raises
    ------
    DataError : the header lacks one of `columns` or repeats a name, a row has another number of
        cells than the header, or a quote is not closed.
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
