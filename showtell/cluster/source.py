"""The input of a cluster: files, or a column of Parquet files, split into blocks.

An input always gives the same blocks, as they depend only on the sorted file names. After a crash
or an interruption, whole blocks are repeated.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem

from showtell import image
from showtell.batch.sources import readable, walk
from showtell.captioner import BATCH
from showtell.errors import DataError, ImageError
from showtell.formats import LeftOut
from showtell.limits import MAX_BYTES

# Maximum number of photographs per block, which bounds the work lost in a crash, and the number of
# blocks to aim for, so that hundreds of cores have one each.
LARGEST = 1024
BLOCKS = 256

# Characters allowed in a URI besides letters and digits, without "#", which files do not use.
_OF_URIS = "%:/?[]@!$&'()*+,;=~"

_CHECK = "check its name, the endpoint and the credentials"

# Name of a photograph, and its bytes or the error if they cannot be read.
Item = tuple[str, bytes | ImageError]


@dataclass(frozen=True)
class Files:
    """A block of photographs that are files.

    Attributes
    ----------
    paths : the files, in order.
    """

    paths: tuple[str, ...]

    def batches(self, files: FileSystem) -> Iterator[list[Item]]:
        """Yield batches of photographs; their files are read in parallel."""
        read = partial(_read, files)
        with ThreadPoolExecutor(BATCH) as pool:
            for i in range(0, len(self.paths), BATCH):
                yield list(pool.map(read, self.paths[i : i + BATCH]))


@dataclass(frozen=True)
class ParquetRows:
    """A block of photographs that are rows of a Parquet file.

    Attributes
    ----------
    path : the file.
    column : the column with the bytes of the photographs.
    groups : the row groups of the block.
    first : index of the block's first row in the file, from 0.
    """

    path: str
    column: str
    groups: tuple[int, ...]
    first: int

    def batches(self, files: FileSystem) -> Iterator[list[Item]]:
        """Yield batches of photographs; a null row is read as an empty file."""
        name, number = address(files, self.path), self.first
        with _opened(files, self.path) as table:
            for batch in table.iter_batches(BATCH, self.groups, [self.column]):
                column = batch.column(0)
                if pa.types.is_struct(column.type):
                    column = column.field(0)
                data = column.to_pylist()
                yield [(f"{name}#{number + i}", data[i] or b"") for i in range(len(data))]
                number += len(data)


Block = Files | ParquetRows


def locate(uri: str) -> tuple[FileSystem, str]:
    """Return the file system of a path or URI, and the path inside it.

    Characters that are not allowed in a URI, such as spaces, are accepted.

    Raises
    ------
    DataError : the URI is invalid, or the file system cannot be reached.
    """
    if "://" not in uri:
        return LocalFileSystem(), os.path.abspath(uri)
    try:
        return FileSystem.from_uri(quote(uri, _OF_URIS, errors="surrogateescape"))
    except ValueError as error:
        raise DataError(f"{uri}: not a valid URI: {error}") from error
    except OSError as error:
        raise DataError(f"{uri}: cannot be reached: {error}; {_CHECK}") from error


def address(files: FileSystem, path: str) -> str:
    """Return the path or URI of a file, as users write it."""
    return path if isinstance(files, LocalFileSystem) else f"{files.type_name}://{path}"


def reason(files: FileSystem, error: OSError) -> str:
    """Return the reason of an error; for a remote file system, with advice."""
    return str(error) if isinstance(files, LocalFileSystem) else f"{error}; {_CHECK}"


def cut(
    files: FileSystem,
    path: str,
    column: str | None = None,
    size: int | None = None,
    left_out: LeftOut | None = None,
) -> list[Block]:
    """Split an input into blocks.

    Parameters
    ----------
    files, path : from :func:`locate`: a photograph or a folder of photographs; with `column`, a
        Parquet file or a folder of Parquet files.
    column : the column with the bytes of the photographs, or with Hugging Face's
        ``{bytes, path}``.
    size : photographs per block; None chooses it from the number of photographs. Parquet files are
        split only between row groups, so their blocks may be larger.
    left_out : counts the files that are not photographs.

    Raises
    ------
    DataError : there is nothing to caption, or no such column.
    """
    if column is None:
        paths = _photographs(files, path, left_out or LeftOut())
        size = size or _size(len(paths))
        starts = range(0, len(paths), size)
        blocks: list[Block] = [Files(tuple(paths[i : i + size])) for i in starts]
    else:
        paths = _list(files, path, lambda name: name.endswith(".parquet"))
        tables = [_table(files, table, column) for table in paths]
        size = size or _size(sum(sum(table.rows) for table in tables))
        blocks = [block for table in tables for block in table.cut(size)]
    if not blocks:
        kind = "photographs" if column is None else "rows of Parquet"
        raise DataError(f"{address(files, path)}: contains no {kind}")
    return blocks


def _size(photographs: int) -> int:
    return min(LARGEST, max(BATCH, photographs // BLOCKS))


def _photographs(files: FileSystem, path: str, left_out: LeftOut) -> list[str]:
    if isinstance(files, LocalFileSystem) and os.path.exists(path):
        # Names of local files may not be valid UTF-8.
        return [entry.path for entry in walk([path], left_out)]
    return _list(files, path, left_out.is_picture)


def _list(files: FileSystem, path: str, is_wanted: Callable[[str], bool]) -> list[str]:
    """Return `path` if it is a file, or else the files below it for which `is_wanted`, sorted.

    Hidden files and folders are skipped.
    """
    try:
        if files.get_file_info(path).type == FileType.File:
            return [path]
        below = files.get_file_info(FileSelector(path, recursive=True))
    except FileNotFoundError as error:
        raise DataError(f"{address(files, path)}: there is no such file or folder") from error
    except OSError as error:
        raise DataError(
            f"{address(files, path)}: cannot be listed: {reason(files, error)}"
        ) from error
    seen = (i for i in below if i.type == FileType.File and "/." not in f"/{i.path[len(path) :]}")
    return sorted(info.path for info in seen if is_wanted(info.base_name))


class _Table(NamedTuple):
    """A Parquet file: its path, the column with the bytes, and the number of rows per row group."""

    path: str
    column: str
    rows: list[int]

    def cut(self, size: int) -> Iterator[ParquetRows]:
        """Yield blocks of consecutive row groups, each with at least `size` rows but the last."""
        groups, first, end = [], 0, 0
        for i, rows in enumerate(self.rows):
            groups.append(i)
            end += rows
            if end - first >= size or i == len(self.rows) - 1:
                yield ParquetRows(self.path, self.column, tuple(groups), first)
                groups, first = [], end


def _table(files: FileSystem, path: str, column: str) -> _Table:
    with _opened(files, path) as table:
        groups = range(table.num_row_groups)
        rows = [table.metadata.row_group(i).num_rows for i in groups]
        return _Table(path, _leaf(address(files, path), table.schema_arrow, column), rows)


def _leaf(name: str, schema: pa.Schema, column: str) -> str:
    """Return the name of the column with the bytes: `column` or its field ``bytes``."""
    if column not in schema.names:
        there = ", ".join(schema.names)
        raise DataError(f"{name}: has no column {column!r}; its columns are {there}")
    kind, leaf = schema.field(column).type, column
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind, leaf = kind.field("bytes").type, f"{column}.bytes"
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise DataError(
            f"{name}: its column {column!r} contains {kind}, not the bytes of photographs"
        )
    return leaf


@contextmanager
def _opened(files: FileSystem, path: str) -> Iterator[pq.ParquetFile]:
    try:
        with files.open_input_file(path) as file:
            yield pq.ParquetFile(file)
    except (OSError, pa.ArrowInvalid) as error:
        name = address(files, path)
        raise DataError(f"{name}: cannot be read as Parquet: {error}") from error


def _read(files: FileSystem, path: str) -> Item:
    """Read a file, at most ``MAX_BYTES`` + 1 bytes of it."""
    name = readable(address(files, path))
    try:
        if isinstance(files, LocalFileSystem):
            return name, image.read_file(path)
        with files.open_input_stream(path) as file:
            return name, file.read(MAX_BYTES + 1)
    except ImageError as error:
        return name, error
    except OSError as error:
        _require_reachable(files, path.rpartition("/")[0])
        return name, ImageError(f"it cannot be read: {error}")


def _require_reachable(files: FileSystem, folder: str) -> None:
    """Raise a DataError if the file system fails, so that the block is repeated later."""
    try:
        files.get_file_info(folder)
    except OSError as error:
        name = address(files, folder)
        raise DataError(f"{name}: cannot be reached: {reason(files, error)}") from error
