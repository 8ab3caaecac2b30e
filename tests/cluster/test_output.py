"""A folder of blocks belongs to one run, and contains only complete blocks."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow.fs import LocalFileSystem

from showtell.batch.rows import error_row
from showtell.cluster.output import Output
from showtell.errors import OutputError

SETTINGS = {"names": "abc", "model": {"encoder.onnx": "def"}, "beam": 5}


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(LocalFileSystem(), str(tmp_path / "out"))


def test_blocks_are_found_again_and_read_as_one_table(output: Output) -> None:
    output.claim(SETTINGS, resume=False)
    output.write(0, [error_row("a.jpg", "tiny", "damaged")])
    output.write(1_234_567, [error_row("b.jpg", "tiny", "damaged")] * 2)
    assert output.finished() == {0, 1_234_567}
    assert pq.read_table(output.path)["image"].to_pylist() == ["a.jpg", "b.jpg", "b.jpg"]


def test_what_a_killed_worker_left_is_no_block(output: Output) -> None:
    output.claim(SETTINGS, resume=False)
    output.write(0, [error_row("a.jpg", "tiny", "damaged")])
    Path(output.path, ".block-000001.parquet.0a1b").write_bytes(b"PAR1 and then nothing")
    assert output.finished() == {0}
    assert pq.read_table(output.path).num_rows == 1


def test_a_run_goes_on_with_the_same_settings_alone(output: Output) -> None:
    output.claim(SETTINGS, resume=True)  # without an earlier run, this is no error
    output.claim(SETTINGS, resume=True)
    with pytest.raises(OutputError, match="add --resume"):
        output.claim(SETTINGS, resume=False)
    with pytest.raises(OutputError, match=r"other settings \(model, beam\)"):
        output.claim({**SETTINGS, "model": {}, "beam": 3}, resume=True)


def test_a_folder_that_holds_something_else_is_left_alone(output: Output) -> None:
    Path(output.path).mkdir()
    Path(output.path, "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="already contains other files"):
        output.claim(SETTINGS, resume=True)
    assert [path.name for path in Path(output.path).iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be used"):
        Output(LocalFileSystem(), str(tmp_path / "file" / "out")).claim(SETTINGS, resume=False)
