"""Runs in subprocesses: killed, interrupted, on a full disk, and two at a time."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from showtell.batch import workers
from showtell.batch.folder import Summary, caption_folder
from showtell.batch.journal import path_for
from showtell.batch.rows import Row, digest
from showtell.batch.workers import Item
from showtell.search import Search

Make = Callable[[int], Path]
SHOWTELL = (
    "from showtell.batch import folder; folder.CHUNK = 4; from showtell.cli import main; main()"
)


def begin(small_model: Path, photographs: Path, out: Path, *options: str) -> subprocess.Popen:
    """Start to caption a folder, four photographs per chunk, in its own session."""
    command = [sys.executable, "-c", SHOWTELL, "caption", photographs, "--recursive", "--out", out]
    return subprocess.Popen(
        [*command, "--beam", "2", "--model", small_model, *options],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_chunks(process: subprocess.Popen, out: Path, n: int) -> None:
    """Wait until a run has finished `n` more chunks, or all chunks."""
    for _ in range(n):
        before = _changed(out)
        while _changed(out) == before and process.poll() is None:
            time.sleep(0.001)


def _changed(out: Path) -> int:
    with suppress(FileNotFoundError):
        return path_for(out).stat().st_mtime_ns
    return 0


def children(process: subprocess.Popen) -> list[int]:
    told = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(child) for child in told.split()]


def is_alive(process: int) -> bool:
    with suppress(OSError):
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    return False


def imports(process: int) -> bool:
    """Return whether a process is a worker that is still importing modules."""
    with suppress(OSError):
        is_worker = b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes()
        return is_worker and "numpy" in Path(f"/proc/{process}/maps").read_text()
    return False


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_was_not(
    small_model: Path, photographs: Make, tmp_path: Path, kills: int
) -> None:
    """SIGKILL comes at random times: between chunks, while one is written, or at the end."""
    path, whole, out = photographs(120), tmp_path / "whole.jsonl", tmp_path / "rows.jsonl"
    assert begin(small_model, path, whole).wait() == 0
    rng = random.Random(kills)
    killed, left_alone = 0, []
    while killed < 3 * kills:
        process = begin(small_model, path, out, "--resume")
        wait_for_chunks(process, out, rng.randrange(1, 8))
        time.sleep(rng.uniform(0, 0.02))
        if process.poll() is None:
            left_alone += children(process)
            process.kill()
            killed += 1
        process.communicate()
        if out.exists() and not path_for(out).exists():
            assert out.read_bytes() == whole.read_bytes()
            out.unlink()
    assert begin(small_model, path, out, "--resume").wait() == 0
    assert out.read_bytes() == whole.read_bytes()
    assert {p.name for p in tmp_path.iterdir() if p.is_file()} == {"whole.jsonl", "rows.jsonl"}
    deadline = time.monotonic() + 10
    while any(is_alive(process) for process in left_alone) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(is_alive(process) for process in left_alone)


def test_ctrl_c_keeps_what_was_finished(
    small_model: Path, photographs: Make, tmp_path: Path
) -> None:
    path, out = photographs(200), tmp_path / "rows.jsonl"
    process = begin(small_model, path, out)
    wait_for_chunks(process, out, 4)
    os.killpg(process.pid, signal.SIGINT)  # also to the workers, as a terminal does
    _, told = process.communicate()
    assert process.returncode == 130
    n = len(rows(out))
    assert 0 < n < 200
    assert n % 4 == 0
    assert told.splitlines() == [
        f"showtell: {out}: {n} captioned, 0 failed",
        "showtell: interrupted; run again with --resume to continue",
    ]
    assert begin(small_model, path, out, "--resume").wait() == 0
    assert [row["image"] for row in rows(out)] == sorted(str(p) for p in path.rglob("*.png"))


def test_ctrl_c_while_the_workers_begin(
    small_model: Path, photographs: Make, tmp_path: Path
) -> None:
    """Each of them printed a traceback."""
    process = begin(small_model, photographs(80), tmp_path / "rows.jsonl")
    while not any(imports(child) for child in children(process)) and process.poll() is None:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert len(told.splitlines()) == 2
    assert "Traceback" not in told


def test_two_processes_on_one_output(small_model: Path, photographs: Make, tmp_path: Path) -> None:
    path, out = photographs(200), tmp_path / "rows.jsonl"
    first = begin(small_model, path, out)
    wait_for_chunks(first, out, 2)
    second = begin(small_model, path, out, "--resume")
    _, told = second.communicate()
    assert second.returncode == 1
    assert told == f"showtell: {out}: another process is writing to it; wait for it to finish\n"
    assert first.wait() == 0
    assert len(rows(out)) == 200


def test_a_disk_that_is_full(small_model: Path, photographs: Make, small_disk: Path) -> None:
    path, out = photographs(120), small_disk / "rows.jsonl"
    filler = small_disk / "filler"
    filler.write_bytes(
        bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize - 32768)
    )
    full = begin(small_model, path, out)
    _, told = full.communicate()
    assert full.returncode == 1
    assert len(told.splitlines()) == 1
    assert "cannot be written" in told
    assert "full" in told or "no space left" in told
    assert "continue with --resume" in told
    assert not out.exists()
    filler.unlink()
    assert begin(small_model, path, out, "--resume").wait() == 0
    assert len({row["image"] for row in rows(out)}) == len(rows(out)) == 120


def caption_or_die(items: Sequence[Item], search: Search) -> list[Row]:
    """Caption in a worker; one photograph ends the process, as a bug in a decoder could."""
    if any(b"deadly" in data for _, data in items):
        os.kill(os.getpid(), signal.SIGSEGV)
    return workers.caption_rows(workers._captioner, items, search)


def test_a_photograph_that_ends_the_process(
    small_model: Path, photographs: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_caption", caption_or_die)
    monkeypatch.setattr("showtell.batch.folder.CHUNK", 3)
    path, out = photographs(9), tmp_path / "rows.jsonl"
    deadly = path / "b" / "deadly.jpg"
    deadly.write_bytes(b"deadly")
    summary = caption_folder([str(path)], out, model=small_model, workers=2)
    assert summary == Summary(captioned=9, failed=1, interrupted=False)
    found = {row["image"]: row for row in rows(out)}
    assert list(found) == sorted(found)
    assert "worker process crashed" in found[str(deadly)]["error"]
    assert found[str(deadly)]["sha256"] == digest(b"deadly")
