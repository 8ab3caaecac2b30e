"""Folders are captioned whole, whatever is in them."""

import errno
import json
import os
import shutil
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
from showtell.batch.sources import Found
from showtell.errors import OutputError
from showtell.search import Search

Make = Callable[[int], Path]


class Here:
    """A pool of processes that is none: whoever asks has to wait."""

    def submit(self, function: Callable, *arguments: Any) -> Future:
        done: Future = Future()
        done.set_result(function(*arguments))
        return done

    def shutdown(self, **_: object) -> None: ...


@pytest.fixture
def captioned(small_model: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have photographs captioned in this process, four a chunk; names of those that were."""
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
    """Caption the photographs into a file, and return its rows."""

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
    """In its own chunk, in one that is on its way, and in one that was finished long before."""
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
    assert "ends too early" in told["cut.png"]
    assert told["text.jpg"] == told["text2.jpg"]
    assert found["line\nbreak.png"]["caption"] == found["a/000.png"]["caption"]
    assert found[r"\xff.png"]["caption"] == found["b/001.png"]["caption"]


def test_files_that_vanish_and_grow(
    run: Callable, photographs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is deleted when it was seen, another is written to when it was read."""
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
    monkeypatch.setattr(folder, "walk", lambda _: [Found(str(path)) for path in paths])
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
    """Of one with errors and copies, after any number of its chunks."""
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


def test_new_photographs_go_behind_those_that_were_finished(
    run: Callable, photographs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photographs(6)
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "delete", lambda _: None)
        run(path)
    Image.new("RGB", (3, 3)).save(path / "a" / "new.png")
    (path / "b" / "001.png").unlink()
    names = [Path(row["image"]).name for row in run(path, resume=True)]
    assert names == ["000.png", "002.png", "004.png", "001.png", "003.png", "005.png", "new.png"]


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


def test_folders_are_entered_when_asked_to(run: Callable, photographs: Make) -> None:
    (row,) = run(photographs(2), recursive=False)
    assert row["error"] == "it is a folder, not a photograph"


def test_a_chunk_is_bounded_in_bytes(
    run: Callable, photographs: Make, captioned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty-two large photographs together would be a gigabyte."""
    sizes: list[int] = []
    caption = workers._caption

    def sized(items: Sequence[workers.Item], search: Search) -> list[Row]:
        sizes.append(sum(len(data) for _, data in items))
        return caption(items, search)

    monkeypatch.setattr(workers, "_caption", sized)
    monkeypatch.setattr(folder, "CHUNK_BYTES", 1)
    assert len(run(photographs(5))) == len(sizes) == 5


def test_sidecars_that_cannot_be_written(
    run: Callable, photographs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one may not write, the others are written; a full disk is full for all of them."""
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
    assert [line.partition(": ")[2] for line in told] == ["its sidecar may not be written"] * 2
