"""Captioning folders: bad files, changes and interruptions."""

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import showtell
from showtell import image
from showtell.batch import folder, rows, sidecar, workers
from showtell.batch.folder import Summary, caption_folder
from showtell.batch.journal import Journal, path_for
from showtell.batch.rows import Row
from showtell.batch.sources import Entry
from showtell.errors import OptionError, OutputError
from showtell.search import Search

Make = Callable[[int], Path]


class Here:
    """Replaces the pool of processes: captions in this process, when called."""

    def submit(self, function: Callable, *arguments: Any) -> Future:
        done: Future = Future()
        done.set_result(function(*arguments))
        return done

    def shutdown(self, **_: object) -> None: ...


@pytest.fixture
def captioned(small_model: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Caption in this process, four photographs per chunk; list the names of those captioned."""
    seen: list[str] = []

    def caption(items: Sequence[workers.Item], search: Search) -> list[Row]:
        seen.extend(name for name, _ in items)
        return rows.caption_rows(captioner, items, search)

    captioner = showtell.load(small_model, threads=1)
    monkeypatch.setattr(workers.Workers, "_start", lambda self, n: Here())
    monkeypatch.setattr(workers, "_caption", caption)
    monkeypatch.setattr(folder, "CHUNK", 4)
    return seen


@pytest.fixture
def run(small_model: Path, captioned: list[str], tmp_path: Path) -> Callable[..., list[Row]]:
    """Caption photographs into a file, and return its rows."""

    def run(path: Path, out: str = "rows.jsonl", **options: Any) -> list[Row]:
        options = {"model": small_model, "search": Search(beam=2), "workers": 1, **options}
        caption_folder([str(path)], tmp_path / out, **options)
        return [json.loads(line) for line in (tmp_path / out).read_text().splitlines()]

    return run


def test_every_photograph_has_its_row_in_order(
    run: Callable, photographs: Make, small_model: Path, tmp_path: Path
) -> None:
    path = photographs(11)
    found = run(path)
    paths = sorted(path.rglob("*.png"))
    assert [row["image"] for row in found] == [str(p) for p in paths]
    captions = showtell.load(small_model).caption(paths, beam=2)
    assert [row["caption"] for row in found] == [caption.text for caption in captions]
    assert len({row["caption"] for row in found}) > 1
    assert not path_for(tmp_path / "rows.jsonl").exists()


def test_a_content_is_captioned_once(
    run: Callable, photographs: Make, captioned: list[str]
) -> None:
    """Copies are found in the same chunk, in one in progress, and in a finished one."""
    path = photographs(14)
    first = path / "a" / "000.png"
    copies = [path / name for name in ("a/000b.png", "a/009.png", "b/a.png", "b/z.png")]
    for copy in copies:
        shutil.copy(first, copy)
    found = {row["image"]: row for row in run(path)}
    assert len(found) == 18
    assert len(captioned) == 14
    for copy in copies:
        assert found[str(copy)] == {**found[str(first)], "image": str(copy)}


def test_bad_files_are_rows_and_the_rest_goes_on(run: Callable, photographs: Make) -> None:
    path = photographs(3)
    (path / "loop.jpg").symlink_to("loop.jpg")
    (path / "up").symlink_to(path)
    (path / "text.jpg").write_text("no photograph")
    (path / "text2.jpg").write_text("no photograph")
    (path / "line\nbreak.png").write_bytes((path / "a" / "000.png").read_bytes())
    (path / "cut.png").write_bytes((path / "a" / "000.png").read_bytes()[:45])
    os.mkfifo(path / "pipe.jpg")
    shutil.copy(path / "b" / "001.png", os.fsencode(path) + b"/\xff.png")
    found = {row["image"].removeprefix(f"{path}/"): row for row in run(path)}
    told = {name: row["error"] for name, row in found.items() if row["error"]}
    assert told.keys() == {"loop.jpg", "up", "text.jpg", "text2.jpg", "cut.png", "pipe.jpg"}
    assert "too many levels of symbolic links" in told["loop.jpg"]
    assert "not a regular file" in told["pipe.jpg"]
    assert "damaged or incomplete" in told["cut.png"]
    assert told["text.jpg"] == told["text2.jpg"]
    assert found["line\nbreak.png"]["caption"] == found["a/000.png"]["caption"]
    assert found[r"\xff.png"]["caption"] == found["b/001.png"]["caption"]


def test_files_that_vanish_and_grow(
    run: Callable, photographs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file is deleted after it was listed, another is changed after it was read."""
    path = photographs(3)
    paths = sorted(path.rglob("*.png"))
    read_file = image.read_file

    def read(name: str) -> bytes:
        data = read_file(name)
        with open(name, "ab") as file:
            file.write(b"more")
        return data

    before = rows.digest(paths[0].read_bytes())
    paths[1].unlink()
    monkeypatch.setattr(folder, "walk", lambda *_: [Entry(str(path)) for path in paths])
    monkeypatch.setattr(image, "read_file", read)
    first, gone, last = run(path)
    assert first["sha256"] == before
    assert first["caption"]
    assert last["caption"]
    assert gone["error"] == "there is no such file"


@pytest.mark.parametrize("chunks", range(5))
def test_a_run_that_was_interrupted_ends_as_one_that_was_not(
    run: Callable,
    photographs: Make,
    captioned: list[str],
    tmp_path: Path,
    chunks: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With errors and copies, and interrupted after any number of chunks."""
    path = photographs(18)
    shutil.copy(path / "a" / "002.png", path / "b" / "z.png")
    (path / "b" / "text.jpg").write_text("no photograph")
    whole = run(path, "whole.jsonl")
    captioned.clear()
    add, left = Journal.add, iter(range(chunks))

    def add_some(self: Journal, rows: Sequence) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        add(self, rows)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "add", add_some)
        with pytest.raises(KeyboardInterrupt):
            run(path)
    before = len(captioned)
    assert not (tmp_path / "rows.jsonl").exists()
    assert run(path, resume=True) == whole
    assert (tmp_path / "rows.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    committed = [row["image"] for row in whole[: 4 * chunks]]
    assert not set(captioned[before:]) & set(committed)


@pytest.fixture
def unfinished(run: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Caption photographs, and keep the journal as if the run had been killed at the end."""

    def run_and_keep(path: Path) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Journal, "delete", lambda _: None)
            run(path)

    return run_and_keep


def copy_into(source: Path, target: Path) -> None:
    """Copy the content of a photograph to another, which keeps its size and time."""
    before = target.stat()
    target.write_bytes(source.read_bytes())
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))


def nothing(path: Path) -> None: ...


def exchanged(path: Path) -> None:
    """Swap the contents of two photographs in different chunks."""
    first, last = path / "a" / "000.png", path / "b" / "011.png"
    copy_into(first, path / "other")
    copy_into(last, first)
    copy_into(path / "other", last)
    (path / "other").unlink()


def moved(path: Path) -> None:
    (path / "a" / "000.png").rename(path / "b" / "zzz.png")


def broken(path: Path) -> None:
    (path / "a" / "000.png").write_text("no photograph")


def mended(path: Path) -> None:
    shutil.copy(path / "a" / "000.png", path / "b" / "text.png")


def become_a_pipe(path: Path) -> None:
    (path / "a" / "000.png").unlink()
    os.mkfifo(path / "a" / "000.png")


def touched(path: Path) -> None:
    os.utime(path / "a" / "000.png", (1, 1))


def added(path: Path) -> None:
    Image.new("RGB", (3, 3)).save(path / "a" / "000a.png")


CHANGED = "of the finished photographs, {} changed and are captioned again, {} no longer exist"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (nothing, None),
        (exchanged, CHANGED.format(2, 0)),
        (moved, CHANGED.format(0, 1)),
        (broken, CHANGED.format(1, 0)),
        (mended, CHANGED.format(1, 0)),
        (become_a_pipe, CHANGED.format(1, 0)),
        (touched, None),
        (added, None),
    ],
)
def test_a_folder_that_changed_ends_as_a_run_from_nothing(
    run: Callable,
    unfinished: Callable,
    photographs: Make,
    tmp_path: Path,
    change: Callable,
    told: str | None,
) -> None:
    """Rows of deleted and of changed photographs were kept."""
    path = photographs(12)
    (path / "other").touch()
    (path / "b" / "text.png").write_text("no photograph")
    unfinished(path)
    change(path)
    said: list[str] = []
    found = run(path, resume=True, say=said.append)
    assert found == run(path, "anew.jsonl")
    about = [line for line in said if line.startswith(str(tmp_path / "rows.jsonl"))]
    assert about == ([f"{tmp_path / 'rows.jsonl'}: {told}"] if told else [])


def flipped(data: bytes) -> bytes:
    """Change a caption in the database, which does not detect it."""
    at = data.rindex(b'"caption": "') + 12
    return data[:at] + b"X" + data[at + 1 :]


@pytest.mark.parametrize(
    ("damage", "is_used"),
    [
        (lambda data: data + b"garbage" * 1000, True),
        (flipped, True),
        (lambda data: data[: len(data) // 2], False),
        (lambda data: b"garbage" * 1000, False),
        (lambda data: data[:100] + b"\xff" * 3000 + data[3100:], False),
    ],
)
def test_a_damaged_journal_is_used_or_told(
    run: Callable, unfinished: Callable, photographs: Make, tmp_path: Path, damage, is_used: bool
) -> None:
    path = photographs(12)
    unfinished(path)
    journal = path_for(tmp_path / "rows.jsonl")
    journal.write_bytes(damage(journal.read_bytes()))
    if is_used:
        assert run(path, resume=True) == run(path, "anew.jsonl")
    else:
        with pytest.raises(OutputError, match=r"unfinished: damaged: .*; delete it to start again"):
            run(path, resume=True)


@pytest.mark.parametrize("name", ["rows.jsonl.unfinished", "rows.jsonl.unfinished-journal"])
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder"])
def test_what_is_in_the_way_of_the_journal_is_left_alone(
    run: Callable, photographs: Make, tmp_path: Path, name: str, kind: str
) -> None:
    """A database was written to an empty file that was the target of a link."""
    other, path = tmp_path / "other", tmp_path / name
    if kind == "link":
        other.touch()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(other)
    with pytest.raises(OutputError, match=f"{name}: (already exists|not a regular file)"):
        run(photographs(2), resume=True)
    assert os.path.lexists(path)
    assert other.exists() == (kind == "link")
    assert not other.exists() or other.read_bytes() == b""


def test_all_that_is_wrong_is_told(
    small_model: Path, captioned: list[str], photographs: Make, tmp_path: Path
) -> None:
    path = photographs(2)
    (path / "text.jpg").write_text("no photograph")
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(path / "two.gif", save_all=True, append_images=frames[1:])
    told: list[str] = []
    summary = caption_folder(
        [str(path), "gone.jpg"], tmp_path / "rows.csv", model=small_model, say=told.append
    )
    assert summary == Summary(captioned=3, failed=2, interrupted=False)
    assert [line.partition(": ")[0] for line in told] == [
        str(path / "text.jpg"),
        str(path / "two.gif"),
        "gone.jpg",
    ]


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (Search(mention="zebra"), "'zebra'"),
        (Search(mention=["red", "blue"], max_length=1), "2 words"),
    ],
)
def test_what_cannot_be_mentioned_is_refused_before_a_journal_is_there(
    run: Callable, photographs: Make, tmp_path: Path, search: Search, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        run(photographs(2), search=search)
    assert [path.name for path in tmp_path.iterdir()] == ["photographs"]


def test_folders_are_entered_when_asked_to(run: Callable, photographs: Make) -> None:
    (row,) = run(photographs(2), recursive=False)
    assert row["error"] == "it is a folder, not a photograph"


def test_a_chunk_is_bounded_in_bytes(
    run: Callable, photographs: Make, captioned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty-two large photographs would take a gigabyte."""
    sizes: list[int] = []
    caption = workers._caption

    def sized(items: Sequence[workers.Item], search: Search) -> list[Row]:
        sizes.append(sum(len(data) for _, data in items))
        return caption(items, search)

    monkeypatch.setattr(workers, "_caption", sized)
    monkeypatch.setattr(folder, "CHUNK_BYTES", 1)
    assert len(run(photographs(5))) == len(sizes) == 5


def test_a_read_only_disk_costs_the_sidecars_alone(
    run: Callable, photographs: Make, small_disk: Path
) -> None:
    """It ended the run, but a folder without write permission did not."""
    shutil.copytree(photographs(2), small_disk / "photographs")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    told: list[str] = []
    found = run(small_disk, sidecars=True, say=told.append)
    assert all(row["caption"] for row in found)
    reason = "the sidecar cannot be written: read-only file system"
    assert [line.partition(": ")[2] for line in told] == [reason] * 2


def test_sidecars_that_cannot_be_written(
    run: Callable, photographs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without permission for one sidecar, the others are written; a full disk is an error."""
    path, told = photographs(2), []

    def fail(number: int) -> Callable:
        def write(photograph: str, caption: str) -> str:
            raise OSError(number, os.strerror(number))

        return write

    monkeypatch.setattr(sidecar, "write", fail(errno.ENOSPC))
    with pytest.raises(OutputError, match=r"000\.png\.xmp: cannot be written: no space left"):
        run(path, sidecars=True)
    monkeypatch.setattr(sidecar, "write", fail(errno.EACCES))
    assert all(row["caption"] for row in run(path, sidecars=True, resume=True, say=told.append))
    assert [line.partition(": ")[2] for line in told] == [
        "the sidecar cannot be written: permission denied"
    ] * 2
