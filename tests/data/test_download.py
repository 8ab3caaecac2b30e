"""Downloads from a local server with and without ranges, with interruptions and errors."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from showtell.data import download as module
from showtell.data import load
from showtell.data.download import download, fetch_flickr8k
from showtell.data.official import full_hashes
from showtell.errors import DownloadError

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Server(ThreadingHTTPServer):
    """Serves `files`; the attributes change its behaviour."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"file.zip": CONTENT}
        self.ranges = True  # whether Range is supported
        self.shift = 0  # offset of the range in responses
        self.cut: int | None = None  # bytes after which the connection is closed
        self.stall: int | None = None  # bytes after which the server waits for `go_on`
        self.go_on = threading.Event()
        self.asked: list[str | None] = []  # Range header of each request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        content = self.server.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        start = int(asked[6:-1]) if asked and self.server.ranges else 0
        if start >= len(content):
            self.head(416, 0, f"bytes */{len(content)}")
            return
        start += self.server.shift if start else 0
        extent = f"bytes {start}-{len(content) - 1}/{len(content)}" if start else None
        self.head(206 if start else 200, len(content) - start, extent)
        self.body(content[start:])

    def head(self, status: int, length: int, extent: str | None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        if extent:
            self.send_header("Content-Range", extent)
        self.end_headers()

    def body(self, content: bytes) -> None:
        stall = self.server.stall
        if stall is not None:
            self.wfile.write(content[:stall])
            self.server.go_on.wait(20)
            return
        self.wfile.write(content[: self.server.cut])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "file.zip"


def part_of(target: Path, content: bytes) -> Path:
    part = target.with_name("file.zip.part")
    part.parent.mkdir()
    part.write_bytes(content)
    return part


def get(server: Server, target: Path, checksum: str | None = SHA256) -> None:
    download(f"{server.url}/file.zip", target, checksum)


@pytest.mark.parametrize("checksum", [SHA256, f"md5:{hashlib.md5(CONTENT).hexdigest()}", None])
def test_download(server: Server, target: Path, checksum: str | None) -> None:
    get(server, target, checksum)
    assert target.read_bytes() == CONTENT
    assert [p.name for p in target.parent.iterdir()] == ["file.zip"]


def test_nothing_is_done_when_it_is_there(server: Server, target: Path) -> None:
    get(server, target)
    get(server, target)
    assert len(server.asked) == 1


def test_another_file_of_that_name_is_replaced(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"something else")
    get(server, target)
    assert target.read_bytes() == CONTENT


def test_cut_is_told_and_then_resumed(server: Server, target: Path) -> None:
    server.cut = 300_000
    with pytest.raises(DownloadError, match=r"stopped after 300,000 of 1,048,576 bytes; run again"):
        get(server, target)
    assert not target.exists()
    with pytest.raises(DownloadError, match="stopped after 600,000"):
        get(server, target)
    server.cut = None
    get(server, target)
    assert server.asked == [None, "bytes=300000-", "bytes=600000-"]
    assert target.read_bytes() == CONTENT


def test_server_without_ranges_starts_over(server: Server, target: Path) -> None:
    """The whole file replaces the partial one, and is not appended to it."""
    part_of(target, CONTENT[:1000])
    server.ranges = False
    get(server, target, None)
    assert server.asked == ["bytes=1000-"]
    assert target.read_bytes() == CONTENT


def test_part_that_is_whole_is_not_fetched_again(server: Server, target: Path) -> None:
    """The last run was killed after the last byte, before the file was renamed."""
    part_of(target, CONTENT)
    get(server, target)
    assert server.asked == [f"bytes={len(CONTENT)}-"]
    assert target.read_bytes() == CONTENT


def test_part_that_is_longer_than_the_file_is_dropped(server: Server, target: Path) -> None:
    part_of(target, b"of an older, longer file" * 100_000)
    get(server, target)
    assert server.asked[1:] == [None]
    assert target.read_bytes() == CONTENT


def test_part_of_another_file_is_found_by_its_checksum(server: Server, target: Path) -> None:
    part = part_of(target, b"of another file")
    with pytest.raises(DownloadError, match=r"does not match its checksum sha256"):
        get(server, target)
    assert not part.exists()
    get(server, target)
    assert target.read_bytes() == CONTENT


def test_wrong_range_is_not_believed(server: Server, target: Path) -> None:
    part = part_of(target, CONTENT[:1000])
    server.shift = 7
    with pytest.raises(DownloadError, match="sent the wrong part"):
        get(server, target)
    assert part.read_bytes() == b""
    server.shift = 0
    get(server, target)
    assert target.read_bytes() == CONTENT


def test_wrong_bytes_are_deleted(server: Server, target: Path) -> None:
    server.files["file.zip"] = b"<html>please log in</html>"
    with pytest.raises(DownloadError, match="does not match its checksum"):
        get(server, target)
    assert list(target.parent.iterdir()) == []


def test_stall_is_an_error_and_keeps_what_has_come(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 2.0)
    server.stall = 200_000
    with pytest.raises(DownloadError, match="timed out; run again"):
        get(server, target)
    assert target.with_name("file.zip.part").stat().st_size == 200_000


def test_refusal(server: Server, target: Path) -> None:
    with pytest.raises(DownloadError, match=r"/other\.zip responded with 404 Not Found"):
        download(f"{server.url}/other.zip", target, None)


def test_no_server(target: Path) -> None:
    with Server() as closed:
        url = closed.url
    with pytest.raises(DownloadError, match=r"cannot be reached: .*refused"):
        download(url, target, None)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a", "a.zip", "http://[a/"])
def test_address_that_cannot_be(url: str, target: Path) -> None:
    with pytest.raises(DownloadError):
        download(url, target, None)
    assert not target.exists()


def test_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DownloadError, match=r"taken cannot be written: File exists"):
        get(server, tmp_path / "taken" / "file.zip")


def test_killed_download_is_resumed(server: Server, target: Path) -> None:
    server.stall = 500_000
    code = "import sys; from showtell.data.download import download; download(*sys.argv[1:2], "
    code += "__import__('pathlib').Path(sys.argv[2]), sys.argv[3])"
    command = [sys.executable, "-c", code, f"{server.url}/file.zip", os.fspath(target), SHA256]
    process = subprocess.Popen(command)
    part = target.with_name("file.zip.part")
    wait_for(lambda: part.exists() and part.stat().st_size > 400_000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    have = part.stat().st_size
    server.stall = None
    get(server, target)
    assert server.asked == [None, f"bytes={have}-"]
    assert target.read_bytes() == CONTENT


@pytest.mark.skipif(module.fcntl is None, reason="no locks on folders here")
def test_two_at_once_in_one_folder(server: Server, target: Path) -> None:
    """Both wrote to the same partial file."""
    server.stall = 500_000
    pool = ThreadPoolExecutor(1)
    first = pool.submit(get, server, target)
    part = target.with_name("file.zip.part")
    wait_for(lambda: part.exists() and part.stat().st_size > 400_000)
    with pytest.raises(DownloadError, match="another process is downloading into it; run again"):
        get(server, target)
    with pytest.raises(DownloadError, match="another process is downloading into it; run again"):
        fetch_flickr8k(target.parent, server.url)
    server.stall = None
    server.go_on.set()
    with pytest.raises(DownloadError, match="stopped after"):
        first.result(60)
    get(server, target)
    assert target.read_bytes() == CONTENT


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def pack(path: Path, files: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return path.read_bytes()


def mirror_of(release: Path, tmp_path: Path) -> dict[str, bytes]:
    """Archive a release as the mirror does: texts at the top level, photographs in a folder."""
    text = {p.name: p.read_bytes() for p in (release / "Flickr8k_text").iterdir()}
    photographs = {
        f"Flicker8k_Dataset/{p.name}": b"a JPEG" for p in (release / "Flicker8k_Dataset").iterdir()
    }
    return {
        "Flickr8k_text.zip": pack(tmp_path / "t.zip", {**text, "__MACOSX/._readme.txt": b""}),
        "Flickr8k_Dataset.zip": pack(tmp_path / "p.zip", photographs),
    }


def test_fetch_of_the_real_texts(
    server: Server, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files = mirror_of(shared / "flickr8k", tmp_path)
    monkeypatch.setenv("SHOWTELL_FLICKR8K_MIRROR", f"{server.url}/")
    root = tmp_path / "flickr8k"
    fetch_flickr8k(root)
    assert sorted(p.name for p in root.iterdir()) == ["Flicker8k_Dataset", "Flickr8k_text"]
    dataset = load(root)
    assert {s: dataset.split_hash(s) for s in dataset.splits} == full_hashes()
    fetch_flickr8k(root)
    assert len(server.asked) == 2


def test_fetch_of_too_few_captions(server: Server, shared: Path, tmp_path: Path) -> None:
    server.files = mirror_of(shared / "flickr8k", tmp_path)
    text = {
        p.name: p.read_bytes()[: 100_000 if "token" in p.name else None]
        for p in (shared / "flickr8k" / "Flickr8k_text").iterdir()
    }
    server.files["Flickr8k_text.zip"] = pack(tmp_path / "t.zip", text)
    with pytest.raises(
        DownloadError, match=r"is not the original release: it has [\d,]+ captions, not 40,460"
    ):
        fetch_flickr8k(tmp_path / "flickr8k", server.url)


def test_fetch_of_other_photographs(server: Server, shared: Path, tmp_path: Path) -> None:
    """The valid texts are kept; the photographs are deleted, so that a rerun starts clean."""
    server.files = mirror_of(shared / "flickr8k", tmp_path)
    server.files["Flickr8k_Dataset.zip"] = pack(
        tmp_path / "p.zip", {"Flicker8k_Dataset/a.jpg": b""}
    )
    with pytest.raises(
        DownloadError, match=r"Flickr8k_Dataset\.zip is not the original release: its train"
    ):
        fetch_flickr8k(tmp_path / "flickr8k", server.url)
    assert [p.name for p in (tmp_path / "flickr8k").iterdir()] == ["Flickr8k_text"]


def test_fetch_of_another_release(server: Server, release: Path, tmp_path: Path) -> None:
    server.files = mirror_of(release, tmp_path)
    with pytest.raises(DownloadError, match=r"its train photographs are not those of the official"):
        fetch_flickr8k(tmp_path / "flickr8k", server.url)
    assert list((tmp_path / "flickr8k").iterdir()) == []


def test_fetch_of_a_damaged_archive(server: Server, tmp_path: Path) -> None:
    server.files = {"Flickr8k_text.zip": b"<html>please log in</html>"}
    with pytest.raises(DownloadError, match="File is not a zip file"):
        fetch_flickr8k(tmp_path / "flickr8k", server.url)
    assert list((tmp_path / "flickr8k").iterdir()) == []


def test_archives_of_the_public_mirror_must_have_their_checksum(
    server: Server, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIRROR", server.url)
    monkeypatch.delenv("SHOWTELL_FLICKR8K_MIRROR", raising=False)
    server.files = mirror_of(release, tmp_path)
    with pytest.raises(DownloadError, match=re.escape("md5:bf6c1abcb8e4a833b7f922104de18627")):
        fetch_flickr8k(tmp_path / "flickr8k")
    assert list((tmp_path / "flickr8k").iterdir()) == []


def test_folder_that_is_in_the_way(server: Server, shared: Path, tmp_path: Path) -> None:
    """An existing text folder without captions is neither used nor overwritten."""
    server.files = mirror_of(shared / "flickr8k", tmp_path)
    mine = tmp_path / "flickr8k" / "Flickr8k_text" / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(DownloadError, match="not empty"):
        fetch_flickr8k(tmp_path / "flickr8k", server.url)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_part_that_is_no_file_is_refused(server: Server, target: Path, kind: str) -> None:
    """Data was appended to the target of a link, and a pipe blocked."""
    part = part_of(target, b"")
    part.unlink()
    other = target.with_name("other")
    other.write_text("a person's own")
    part.symlink_to(other) if kind == "link" else os.mkfifo(part)
    with pytest.raises(DownloadError, match=r"file\.zip\.part cannot be written: It is"):
        get(server, target)
    assert other.read_text() == "a person's own"


def test_a_folder_of_another_is_not_unpacked_into(
    server: Server, shared: Path, tmp_path: Path
) -> None:
    """An existing folder with the name of the scratch folder was emptied; a link was followed."""
    server.files = mirror_of(shared / "flickr8k", tmp_path)
    root = tmp_path / "flickr8k"
    own = root / "Flickr8k_text.unpacking"
    own.mkdir(parents=True)
    (own / "thesis.tex").write_text("years of work")
    fetch_flickr8k(root, server.url)
    assert (own / "thesis.tex").read_text() == "years of work"
    assert len([*root.iterdir()]) == 3
