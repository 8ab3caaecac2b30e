"""Corrections are saved safely, and can be read as a data set."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from showtell.data import corrections, load
from showtell.data.corrections import CORRECTIONS, LONGEST, SIDE, Corrections
from showtell.errors import CorrectionError, DataError, ImageError

Draw = Callable[..., None]


def photograph(shade: int, size: tuple[int, int] = (30, 20), **options: object) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, (10 * shade, 0, 0)).save(file, "JPEG", **options)
    return file.getvalue()


def write(folder: Path, *lines: str | dict[str, str]) -> None:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / CORRECTIONS).write_text("\n".join(texts))


def captions(folder: Path) -> dict[str, tuple[str, ...]]:
    return {p.name: p.captions for split in load(folder).splits.values() for p in split}


def test_what_is_kept_is_a_data_set(tmp_path: Path) -> None:
    album = Corrections(tmp_path / "new" / "album")
    lines = [album.add(photograph(i), f" Rex \n number\t{i} ") for i in range(11)]
    assert lines[3]["caption"] == "Rex number 3"
    data = load(tmp_path / "new" / "album")
    assert data.layout == "corrections"
    assert data.findings.sentences() == []
    for split, number in (("dev", 5), ("test", 10)):
        assert [p.name for p in data.split(split)] == [lines[number - 1]["image"]]
    assert len(data.split("train")) == 9


def test_a_photograph_keeps_its_split_when_others_come(tmp_path: Path) -> None:
    album = Corrections(tmp_path)
    for i in range(11):
        album.add(photograph(i), "a dog")
    before = load(tmp_path)
    for i in range(20):
        album.add(photograph(i), "Rex")
    after = load(tmp_path)
    for split in ("train", "dev", "test"):
        assert {p.name for p in before.split(split)} < {p.name for p in after.split(split)}


def test_too_few_corrections_are_reported(tmp_path: Path) -> None:
    Corrections(tmp_path).add(photograph(1), "a dog")
    for split in ("dev", "test"):
        with pytest.raises(DataError, match="Correct ten photographs or more"):
            load(tmp_path).split(split)


def test_the_copy_is_upright_and_small_and_knows_no_place(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    line = Corrections(tmp_path).add(photograph(9, (3000, 1500), exif=exif), "a dog")
    with Image.open(tmp_path / line["image"]) as copy:
        assert copy.size == (SIDE // 2, SIDE)
        assert dict(copy.getexif()) == {}
        assert copy.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_the_last_correction_of_a_photograph_counts(tmp_path: Path) -> None:
    album = Corrections(tmp_path)
    names = [album.add(photograph(1), caption)["image"] for caption in ("a dog", "Rex")]
    assert names[0] == names[1]
    assert captions(tmp_path) == {names[0]: ("Rex",)}
    assert len((tmp_path / CORRECTIONS).read_text().splitlines()) == 2


def test_a_torn_line_is_skipped_and_told(tmp_path: Path) -> None:
    """The next correction starts on a new line."""
    album = Corrections(tmp_path)
    first = album.add(photograph(1), "a dog")
    for torn in (b'{"image": "x.jpg", "capt', b"\0\0\0\xff\xfe", b"[" * 100_000, b"[3]"):
        with (tmp_path / CORRECTIONS).open("ab") as file:
            file.write(torn)
        second = Corrections(tmp_path).add(photograph(2), "a cat")
    assert captions(tmp_path) == {
        first["image"]: ("a dog",),
        second["image"]: ("a cat",),
    }
    assert load(tmp_path).findings.sentences() == [
        "4 lines cannot be read: they are skipped (line 2, line 4, line 6, ...)."
    ]


def test_empty_captions_and_photographs_without_a_file_are_told(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path, "a.jpg", "b.jpg")
    write(
        tmp_path,
        {"image": "a.jpg", "caption": "a dog"},
        {"image": "gone.jpg", "caption": "a cat"},
        {"image": "b.jpg", "caption": "a hen"},
        {"image": "b.jpg", "caption": " "},
        {"image": "../../etc/passwd", "caption": "a secret"},
    )
    assert captions(tmp_path) == {"a.jpg": ("a dog",)}
    told = " ".join(load(tmp_path).findings.sentences())
    assert "photograph is named but has no file: it is left out (gone.jpg)" in told
    assert "caption has no words: it is dropped (b.jpg)" in told


@pytest.mark.parametrize("caption", ["", " \n", "...", "_", "a" * (LONGEST + 1)])
def test_what_is_no_caption_is_refused(tmp_path: Path, caption: str) -> None:
    with pytest.raises(
        CorrectionError, match=f"at least one word and at most {LONGEST} characters"
    ):
        Corrections(tmp_path).add(photograph(1), caption)
    assert [path.name for path in tmp_path.iterdir()] == [CORRECTIONS]


def test_what_is_no_photograph_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="not a supported image format"):
        Corrections(tmp_path).add(b"dear diary", "a dog")
    assert (tmp_path / CORRECTIONS).read_text() == ""


def test_a_full_folder_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "MOST", 2)
    for i in range(2):
        Corrections(tmp_path).add(photograph(i), "a dog")
    with pytest.raises(CorrectionError, match="the folder has 2 corrections, the maximum"):
        Corrections(tmp_path).add(photograph(3), "a dog")
    assert len(list(tmp_path.iterdir())) == 3


def test_many_at_once(tmp_path: Path) -> None:
    album = Corrections(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: album.add(photograph(i % 5), f"dog {i}"), range(40)))
    lines = (tmp_path / CORRECTIONS).read_text().splitlines()
    assert sorted(int(json.loads(line)["caption"][4:]) for line in lines) == list(range(40))
    assert len(captions(tmp_path)) == 5


def test_a_link_is_not_appended_to(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("a person's own")
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / CORRECTIONS).symlink_to(other)
    with pytest.raises(OSError, match="It is a link"):
        Corrections(tmp_path / "album")
    assert other.read_text() == "a person's own"
