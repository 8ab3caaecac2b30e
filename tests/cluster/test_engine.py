"""A real cluster with two workers on this machine; one worker is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import showtell
from showtell.batch import caption_rows
from showtell.cli import main
from showtell.errors import OptionError, OutputError
from showtell.search import Search

engine = pytest.importorskip(
    "showtell.cluster.engine", reason="the extra cluster brings Ray", exc_type=ImportError
)
from showtell.cluster import connection  # noqa: E402

ray = engine.ray


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        # Ray lowers the priority of its workers, so other tests would slow them down.
        patch.setenv("RAY_worker_niceness", "0")
        patch.setattr(connection, "OWN_CLUSTER", {**connection.OWN_CLUSTER, "num_cpus": 2})
        assert connection.connect() == 2
        yield
        ray.shutdown()


def test_the_cluster_is_of_this_machine_alone_and_tells_nobody(cluster: None) -> None:
    assert [node["NodeManagerAddress"] for node in ray.nodes()] == ["127.0.0.1"]
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def workers() -> list[int]:
    """Return the descendants of this process that caption."""
    parents, found = {}, []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rpartition(")")[2].split()[1]
                )
                if (entry / "cmdline").read_bytes().startswith(b"ray::MapWorker"):
                    found.append(int(entry.name))
            except OSError:
                continue  # it has ended
    # A process of Ray is in between.
    return [pid for pid in found if parents.get(parents[pid]) == os.getpid()]


def kill_one(out: Path, killed: list[int]) -> None:
    """Kill a worker when the first block is finished."""
    while not list(out.glob("block-*")):
        time.sleep(0.01)
    killed += workers()[:1]
    os.kill(killed[0], signal.SIGKILL)
    killed += [len(list(out.glob("block-*")))]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc tells who the workers are")
def test_nothing_is_lost_when_a_worker_is_killed(
    cluster: None, folder: Path, tmp_path: Path
) -> None:
    out, killed = tmp_path / "out", []
    Thread(target=kill_one, args=(out, killed), daemon=True).start()
    search = Search(beam=20, max_length=40)  # slow enough
    tally = engine.run(str(folder), str(out), size=1, search=search)
    assert killed[1] < 13, "every block was finished already"
    assert tally == engine.Tally(photographs=13, errors=1)
    rows = pq.read_table(out).to_pylist()
    files = sorted(folder.rglob("*.jpg"))
    alone = [caption_rows(showtell.load(threads=1), [(str(f), f)], search)[0] for f in files]
    assert rows == alone

    (out / "block-000004.parquet").unlink()
    again = engine.run(str(folder), str(out), size=1, resume=True, search=search)
    assert again == engine.Tally(photographs=1, errors=0)
    assert pq.read_table(out).to_pylist() == alone


def test_what_cannot_be_mentioned_is_refused_before_anything_is_written(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="'zebraz'"):
        engine.run(str(folder), str(tmp_path / "out"), search=Search(mention="zebraz"))
    assert not (tmp_path / "out").exists()


def test_parquet_on_the_command_line(
    cluster: None, photographs: list[bytes], tmp_path: Path
) -> None:
    table = pa.table({"id": range(4), "jpeg": [photographs[0], b"none", None, photographs[1]]})
    pq.write_table(table, tmp_path / "photographs.parquet", row_group_size=2)
    arguments = ["caption", str(tmp_path / "photographs.parquet"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*arguments, "--engine", "ray", "--column", "jpeg"])
    assert result.exit_code == 1, result.output
    assert "2 captioned, 2 failed" in result.stderr
    rows = pq.read_table(tmp_path / "out").to_pylist()
    assert [row["error"] is None for row in rows] == [True, False, False, True]
    assert rows[2]["error"] == "the file is empty"
    assert rows[3]["image"].endswith("photographs.parquet#3")


def test_blocks_that_cannot_be_done_are_told_and_the_others_are_written(
    cluster: None, photographs: list[bytes], tmp_path: Path
) -> None:
    for name in "ab":
        pq.write_table(pa.table({"jpeg": photographs}), tmp_path / f"{name}.parquet")
    whole = (tmp_path / "b.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(whole[:4] + b"\xff" * 500 + whole[504:])
    with pytest.raises(
        OutputError, match=r"1 of 2 blocks are missing \(1\): .*b\.parquet: cannot be"
    ):
        engine.run(
            str(tmp_path), str(tmp_path / "out"), column="jpeg", search=Search(beam=1), size=12
        )
    assert len(pq.read_table(tmp_path / "out")) == 12


def test_a_cluster_writes_nothing_into_the_home(
    folder: Path, tmp_path: Path, stranger: dict[str, str]
) -> None:
    code = "from showtell.cluster import connection as c; c.OWN_CLUSTER['num_cpus'] = 2; "
    code += "from showtell.cli import main; main()"
    arguments = ["caption", folder, "--engine", "ray", "--out", tmp_path / "out", "--beam", "1"]
    command = [sys.executable, "-c", code, *arguments]
    env = {**stranger, "RAY_raylet_start_wait_time_s": "170"}  # for busy machines
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert "12 captioned, 1 failed" in done.stderr
