"""Input and output on an S3 server on this machine."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from pyarrow.fs import FileSystem

import showtell
from showtell.batch import caption_rows
from showtell.batch.rows import error_row
from showtell.cli import main
from showtell.cluster.output import Output
from showtell.cluster.source import cut, locate
from showtell.errors import DataError, ImageError, OutputError

pytest.importorskip("ray", reason="the extra cluster brings Ray")
boto3 = pytest.importorskip("boto3", reason="moto brings it, an S3 server")
moto = pytest.importorskip("moto.server", reason="moto is an S3 server")

# Tests do not use the credentials and settings of the developer's machine.
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "showtell",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of an S3 server, which is also set in the environment."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(server: str) -> Iterator[Any]:
    """A client of the empty bucket ``bucket``."""
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="bucket")
    yield client
    urlopen(Request(f"{server}/moto-api/reset", method="POST"))


def fill(store: Any, objects: dict[str, bytes], **options: str) -> None:
    for key, data in objects.items():
        store.put_object(Bucket="bucket", Key=key, Body=data, **options)


def let_in(server: str, everybody: bool) -> None:
    """Make the server accept all credentials, or none."""
    kind = {"Content-Type": "text/plain"}
    data = b"inf" if everybody else b"0"
    urlopen(Request(f"{server}/moto-api/reset-auth", data, kind, method="POST"))


def read(uri: str) -> list[tuple[str, bytes | ImageError]]:
    files, path = locate(uri)
    return [item for block in cut(files, path) for batch in block.batches(files) for item in batch]


def test_a_run_is_stopped_and_goes_on(
    store: Any, photographs: list[bytes], stranger: dict[str, str]
) -> None:
    """Ctrl+C ends the run before the last of six blocks; some photographs are damaged."""
    kinds = [*photographs, photographs[0][:300]]
    objects = {f"photographs/{n:03}.jpg": kinds[n % 13] for n in range(164)}
    fill(store, objects)
    code = "from showtell.cluster import connection as c; c.OWN_CLUSTER['num_cpus'] = 1; "
    code += "from showtell.cli import main; main()"
    places = ["s3://bucket/photographs", "--out", "s3://bucket/out"]
    command = [sys.executable, "-c", code, "caption", *places, "--engine", "ray"]
    options: dict[str, Any] = {"stderr": subprocess.PIPE, "text": True}
    # For busy machines: long timeouts, and normal priority for Ray's workers.
    busy = {"RAY_raylet_start_wait_time_s": "170", "RAY_worker_niceness": "0"}
    options["env"] = {**stranger, **busy}

    with subprocess.Popen(command, **options) as run:
        while run.poll() is None and not blocks(store):
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        assert "Aborted!" in run.communicate()[1]
    done = blocks(store)
    assert 1 <= len(done) < 6
    again = subprocess.run([*command, "--resume"], **options)
    assert again.returncode == 1, again.stderr
    assert len(blocks(store)) == 6
    assert blocks(store).items() >= done.items(), "a block that was there was written again"

    bucket, path = FileSystem.from_uri("s3://bucket/out")
    rows = pq.read_table(path, filesystem=bucket).to_pylist()
    assert [row["image"] for row in rows] == [f"s3://bucket/{key}" for key in objects]
    alone = caption_rows(showtell.load(threads=1), [("", data) for data in kinds])
    expected = [alone[kinds.index(data)] for data in objects.values()]
    assert [{**row, "image": ""} for row in rows] == expected


def blocks(store: Any) -> dict[str, object]:
    """Return the keys of the finished blocks, and when they were written."""
    found = store.list_objects_v2(Bucket="bucket", Prefix="out/block-").get("Contents", ())
    return {item["Key"]: item["LastModified"] for item in found}


def test_names_are_found_as_they_are_typed(store: Any, photographs: list[bytes]) -> None:
    """Spaces and non-ASCII letters were refused, and names were cut off at a #."""
    keys = ["my photos/été #1/50% é.jpg", "my photos/été #1/a.jpg"]
    fill(store, dict.fromkeys([*keys, "my photos/b.jpg"], photographs[0]))
    found = [(f"s3://bucket/{key}", photographs[0]) for key in keys]
    assert read("s3://bucket/my photos/été #1") == found
    assert read("s3://bucket/my%20photos/%C3%A9t%C3%A9%20%231/") == found


def test_what_is_hidden_or_no_photograph_is_left_out(store: Any, photographs: list[bytes]) -> None:
    hidden = ["p/.thumbs/a.jpg", "p/._b.jpg"]
    fill(store, dict.fromkeys(["p/", "p/a.jpg", "p/notes.txt", *hidden], photographs[0]))
    assert [name for name, _ in read("s3://bucket/p")] == ["s3://bucket/p/a.jpg"]
    assert [name for name, _ in read("s3://bucket")] == ["s3://bucket/p/a.jpg"]


def test_an_object_that_cannot_be_read_is_told_in_its_place(
    store: Any, photographs: list[bytes]
) -> None:
    fill(store, {f"p/{n}.jpg": photographs[n] for n in range(3)})
    fill(store, {"p/3.jpg": photographs[3]}, StorageClass="GLACIER")
    files, path = locate("s3://bucket/p")
    (block,) = cut(files, path)
    store.delete_object(Bucket="bucket", Key="p/1.jpg")
    ((first, gone, third, frozen),) = block.batches(files)
    assert [first[1], third[1]] == [photographs[0], photographs[2]]
    assert [name for name, _ in (gone, frozen)] == ["s3://bucket/p/1.jpg", "s3://bucket/p/3.jpg"]
    assert "it cannot be read" in str(gone[1])
    assert "it cannot be read" in str(frozen[1])


def test_a_store_that_fails_is_no_flaw_of_its_photographs(
    server: str, store: Any, photographs: list[bytes]
) -> None:
    """When credentials expired during a run, each photograph got a permanent error row."""
    fill(store, {"p/0.jpg": photographs[0]})
    files, path = locate("s3://bucket/p")
    (block,) = cut(files, path)
    output = Output(*locate("s3://bucket/out"))
    let_in(server, everybody=False)
    try:
        with pytest.raises(DataError, match=r"s3://bucket/p: cannot be reached: .*credentials"):
            next(block.batches(files))
        with pytest.raises(OutputError, match=r"s3://bucket/out/block-000000\.parquet: cannot be"):
            output.write(0, [error_row("a.jpg", "tiny", "damaged")])
    finally:
        let_in(server, everybody=True)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://nobucket/p", "s3://nobucket/p: cannot be listed: .*bucket does not exist.*; check"),
        ("s3://bucket/gone", "s3://bucket/gone: there is no such file or folder"),
        ("s3://bucket/texts", "s3://bucket/texts: contains no photographs"),
        ("s3:///p", "s3:///p: not a valid URI: Missing bucket name"),
        ("s3://bucket/100%", "s3://bucket/100%: not a valid URI"),
    ],
)
def test_places_that_hold_nothing(store: Any, uri: str, reason: str) -> None:
    fill(store, {"texts/a.txt": b"text"})
    with pytest.raises(DataError, match=reason):
        read(uri)


def test_places_that_cannot_be_written(store: Any) -> None:
    output = Output(*locate("s3://nobucket/out"))
    with pytest.raises(OutputError, match="s3://nobucket/out: cannot be used: Bucket 'nobucket'"):
        output.claim({}, resume=False)
    fill(store, {"out/thesis.txt": b"mine"})
    with pytest.raises(OutputError, match="s3://bucket/out: already contains other files"):
        Output(*locate("s3://bucket/out")).claim({}, resume=True)


def test_credentials_that_are_not_taken(
    server: str, store: Any, photographs: list[bytes], tmp_path: Path
) -> None:
    fill(store, {"p/0.jpg": photographs[0]})
    arguments = ["s3://bucket/p", "--engine", "ray", "--out", str(tmp_path / "out")]
    let_in(server, everybody=False)
    try:
        result = CliRunner().invoke(main, ["caption", *arguments])
    finally:
        let_in(server, everybody=True)
    assert result.exit_code == 1
    assert "s3://bucket/p: cannot be listed: " in result.stderr
    assert "check its name, the endpoint and the credentials" in result.stderr
    assert not (tmp_path / "out").exists()
