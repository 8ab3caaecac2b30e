"""Inputs are split into the same blocks each time, and read completely."""

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FileSystem, LocalFileSystem, SubTreeFileSystem

from showtell.cluster.source import Block, Files, ParquetRows, cut, locate
from showtell.errors import DataError, ImageError


def read(files: FileSystem, blocks: Sequence[Block]) -> list[tuple[str, bytes | ImageError]]:
    return [item for block in blocks for batch in block.batches(files) for item in batch]


def table(path: Path, files: Sequence[bytes | None], rows_of_a_group: int) -> None:
    """Write a table in Hugging Face's format, with bytes and path of each picture."""
    pictures = [{"bytes": data, "path": f"{n}.jpg"} for n, data in enumerate(files)]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    columns = {"image": pa.array(pictures, kind), "jpeg": pa.array(files, pa.binary())}
    pq.write_table(pa.table({**columns, "id": range(len(files))}), path, rows_of_a_group)


def test_a_folder_is_cut_in_the_order_of_its_names(folder: Path, photographs: list[bytes]) -> None:
    (folder / "notes.txt").write_text("no picture by its name")
    files, path = locate(str(folder))
    blocks = cut(files, path, size=5)
    assert [len(block.paths) for block in blocks if isinstance(block, Files)] == [5, 5, 3]
    assert blocks == cut(files, path, size=5)
    found = read(files, blocks)
    assert [Path(name).name for name, _ in found] == [f"{n:02}.jpg" for n in range(13)]
    assert [data for _, data in found] == [*photographs, b"no photograph"]


def test_a_store_of_objects_is_read_as_a_folder_is(folder: Path, photographs: list[bytes]) -> None:
    """A file system that is not local; its files are only accessible through pyarrow."""
    store = SubTreeFileSystem(str(folder), LocalFileSystem())
    found = read(store, cut(store, "", size=5))
    assert [name for name, _ in found][:2] == ["subtree://0/00.jpg", "subtree://0/01.jpg"]
    assert [data for _, data in found] == [*photographs, b"no photograph"]


@pytest.mark.parametrize("far", [False, True])
def test_what_cannot_be_read_is_told_in_its_place(folder: Path, far: bool) -> None:
    local = LocalFileSystem()
    files, path = (SubTreeFileSystem(str(folder), local), "") if far else (local, str(folder))
    blocks = cut(files, path)
    (folder / "0" / "03.jpg").unlink()
    found = read(files, blocks)
    assert len(found) == 13
    assert [n for n, (_, data) in enumerate(found) if isinstance(data, ImageError)] == [3]


def test_a_name_that_is_no_text(folder: Path, photographs: list[bytes]) -> None:
    raw = os.fsencode(folder / "2") + b"\xff.jpg"
    Path(os.fsdecode(raw)).write_bytes(photographs[0])
    files, path = locate(str(folder))
    name, data = read(files, cut(files, path))[0]
    assert name.endswith("2\\xff.jpg")
    assert data == photographs[0]


@pytest.mark.parametrize("column", ["image", "jpeg"])
def test_rows_of_parquet_are_cut_at_their_groups(
    tmp_path: Path, photographs: list[bytes], column: str
) -> None:
    files, path = locate(str(tmp_path))
    table(tmp_path / "a.parquet", photographs[:7], 2)
    table(tmp_path / "b.parquet", [*photographs[7:], None], 6)
    blocks = cut(files, path, column, size=3)
    cuts = [(b.groups, b.first) for b in blocks if isinstance(b, ParquetRows)]
    assert cuts == [((0, 1), 0), ((2, 3), 4), ((0,), 0)]
    found = read(files, blocks)
    assert [data for _, data in found] == [*photographs, b""]
    assert found[5][0] == f"{tmp_path}/a.parquet#5"


def test_a_column_that_is_not_there_names_those_that_are(
    tmp_path: Path, photographs: list[bytes]
) -> None:
    table(tmp_path / "a.parquet", photographs, 2)
    files, path = locate(str(tmp_path))
    with pytest.raises(DataError, match=r"a\.parquet: has no column 'photo'.*image, jpeg, id"):
        cut(files, path, "photo")
    with pytest.raises(DataError, match="'id' contains int64, not the bytes"):
        cut(files, path, "id")


def test_inputs_that_hold_nothing(tmp_path: Path) -> None:
    local = LocalFileSystem()
    with pytest.raises(DataError, match="contains no photographs"):
        cut(local, str(tmp_path))
    with pytest.raises(DataError, match="no rows of Parquet"):
        cut(local, str(tmp_path), "image")
    with pytest.raises(DataError, match="no such file or folder"):
        cut(local, str(tmp_path / "gone"))
    (tmp_path / "a.parquet").write_bytes(b"no Parquet")
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read as Parquet"):
        cut(local, str(tmp_path), "image")


def test_an_address_of_nothing_that_is_known() -> None:
    with pytest.raises(DataError, match="gopher://there: not a valid URI"):
        locate("gopher://there")
