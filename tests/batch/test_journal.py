"""The journal of a run."""

from contextlib import closing
from pathlib import Path

import pytest

from showtell.batch.journal import Journal, path_for
from showtell.batch.rows import error_row
from showtell.errors import OutputError

SETTINGS = {"paths": ["a"], "beam": 5}


def row(name: str, sha256: str | None = None) -> tuple[str, None, dict]:
    return name, None, error_row(name, "m", "broken", sha256)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output with three finished rows."""
    out = tmp_path / "new" / "rows.csv"
    with closing(Journal(out, SETTINGS, resume=False)) as journal:
        journal.add([row("b", "1"), row("a", "2")])
        journal.add([row("\udcff", None)])
    return out


def test_rows_keep_their_order(out: Path) -> None:
    with closing(Journal(out, SETTINGS, resume=True)) as journal:
        journal.add([row("c", "1"), row("a", "3")])
        assert [kept["image"] for kept in journal] == ["b", "a", "\udcff", "c"]
        assert len(journal) == 4
        assert journal.has("\udcff")
        assert not journal.has("d")
        assert (journal.same("1") or {})["image"] == "b"
        assert journal.same("3") is None, "a path that has a row keeps it"


def test_a_run_that_nobody_asked_to_go_on_with_is_not_lost(out: Path) -> None:
    with pytest.raises(OutputError, match=r"unfinished run; .* --resume, or delete .*unfinished"):
        Journal(out, SETTINGS, resume=False)
    assert len(Journal(out, SETTINGS, resume=True)) == 3


def test_a_run_goes_on_with_what_it_was_begun_with(out: Path) -> None:
    with pytest.raises(OutputError, match=r"has other settings \(beam\); use the same"):
        Journal(out, {**SETTINGS, "beam": 3}, resume=True)


def test_only_one_writes(out: Path) -> None:
    with closing(Journal(out, SETTINGS, resume=True)):
        for resume in (False, True):
            with pytest.raises(OutputError, match="another process is writing to it"):
                Journal(out, SETTINGS, resume)
    Journal(out, SETTINGS, resume=True).close()


@pytest.mark.parametrize("resume", [False, True])
def test_a_finished_output_is_not_replaced(tmp_path: Path, resume: bool) -> None:
    out = tmp_path / "rows.csv"
    out.write_text("finished")
    with pytest.raises(OutputError, match="already exists; delete it"):
        Journal(out, SETTINGS, resume)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_something_else_in_its_place_is_told(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    path_for(out).write_text("no database " * 100)
    with pytest.raises(OutputError, match="unfinished: damaged: file is not a database; delete it"):
        Journal(out, SETTINGS, resume=True)
    assert path_for(out).read_text().startswith("no database")


def test_nothing_is_left_of_a_journal_that_is_deleted(out: Path) -> None:
    with closing(Journal(out, SETTINGS, resume=True)) as journal:
        journal.add([row("c")])
        journal.delete()
    assert list(out.parent.iterdir()) == []
