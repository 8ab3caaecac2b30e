"""The three output formats."""

import csv
import json
from pathlib import Path

import pytest

from showtell.batch import output
from showtell.batch.rows import Row, error_row
from showtell.errors import MissingExtraError, OutputError

ROWS: list[Row] = [
    {**error_row('a "b",\nc.jpg', "m", ""), "caption": "a dog", "error": None, "logprob": -1.25},
    error_row("=cmd|'/c calc'!A0.jpg", "m", "it cannot be read", "12ab"),
    error_row("-1.jpg", "m", "@"),
]


def test_json_lines(tmp_path: Path) -> None:
    output.write(tmp_path / "rows.jsonl", ROWS)
    lines = (tmp_path / "rows.jsonl").read_text().split("\n")
    assert [json.loads(line) for line in lines[:-1]] == ROWS
    assert lines[-1] == ""


def test_csv_is_one_that_a_spreadsheet_may_open(tmp_path: Path) -> None:
    """File names that look like formulas are escaped; negative numbers are not."""
    output.write(tmp_path / "rows.csv", ROWS)
    text = (tmp_path / "rows.csv").read_bytes().decode()
    assert text.startswith("\ufeffimage,caption,")
    header, *cells = csv.reader(text.removeprefix("\ufeff").splitlines(keepends=True))
    told = [dict(zip(header, row, strict=True)) for row in cells]
    assert told[0]["image"] == ROWS[0]["image"]
    assert told[0]["logprob"] == "-1.25"
    assert [row["image"] for row in told[1:]] == ["'=cmd|'/c calc'!A0.jpg", "'-1.jpg"]
    assert told[1]["caption"] == ""
    assert told[2]["error"] == "'@"


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    monkeypatch.setattr(output, "_ROWS_OF_A_GROUP", 2)
    output.write(tmp_path / "rows.parquet", ROWS)
    assert parquet.read_table(tmp_path / "rows.parquet").to_pylist() == ROWS
    output.write(tmp_path / "none.parquet", [])
    assert parquet.read_table(tmp_path / "none.parquet").column_names == list(output.COLUMNS)


def test_what_could_not_be_written_in_the_end_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(OutputError, match=r"rows\.xls: the file name must end in \.jsonl or \.csv"):
        output.require_format(Path("rows.xls"))
    monkeypatch.setattr(output, "find_spec", lambda name: None)
    output.require_format(Path("rows.csv"))
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[parquet\]'"):
        output.require_format(Path("rows.parquet"))


def test_an_old_file_stays_when_a_new_one_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(OutputError, match=r"cannot be written: is a directory; .*--resume"):
        output.write(path, ROWS)
    assert [*tmp_path.rglob("*")] == [path, path / "old"]
