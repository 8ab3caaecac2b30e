"""A few hundred files of the fuzzer; run ``python -m tests.fuzz`` for more."""

import itertools
from pathlib import Path

import pytest

from showtell.image import read
from tests.fuzz import fuzz, mutants, parts, pictures

pytest.importorskip("resource", reason="the memory of a process is told on POSIX alone")


def test_files_are_cut_and_joined_without_loss() -> None:
    for file in pictures():
        assert b"".join(parts(file)) == file
        assert len(parts(file)) >= 2
        assert read(file, 8).shape == (8, 8, 3)


def test_a_seed_gives_the_same_files_again() -> None:
    first, again, other = (list(itertools.islice(mutants(seed), 50)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    assert fuzz(seed=0, seconds=600, files=400, found=tmp_path / "found") == []


def test_the_fuzzer_notices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a time limit of zero, files are reported and saved."""
    monkeypatch.setattr("tests.fuzz.SECONDS", -1)
    (complaint,) = fuzz(seed=0, seconds=60, files=1, found=tmp_path / "found")
    assert complaint.startswith("file 0 of seed 0: 0.")
    assert len(list((tmp_path / "found").iterdir())) == 1
