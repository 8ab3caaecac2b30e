"""Reads a custom data set: ``captions.csv`` in a folder with pictures.

Each row is one caption. The columns are ``image`` (the file's path, relative to the folder),
``caption`` and optionally ``split`` (train, dev or val, test). Without that column, the hash of a
picture's name decides its split, which therefore does not change when pictures are added.
"""

from pathlib import Path

from showtell.data.files import find_named, line_error, normal, read_table
from showtell.data.release import SPLIT_NAMES, Layout, Release, assign, split_by_name

CAPTIONS = "captions.csv"


def _read(root: Path) -> Release | None:
    path = root / CAPTIONS
    if not path.is_file():
        return None
    captions: list[tuple[str, str]] = []
    splits: dict[str, str] = {}
    for line, row in read_table(path, "image", "caption"):
        name = normal(row["image"])
        if not name:
            raise line_error(path, line, "no image: the caption has no file name beside it")
        captions.append((name, row["caption"]))
        assign(splits, name, _split(path, line, name, row.get("split")), f"{path}, line {line}")
    return Release(captions, splits, find_named(root, splits))


def _split(path: Path, line: int, name: str, cell: str | None) -> str:
    if cell is None:
        return split_by_name(name)
    if cell.strip().lower() not in SPLIT_NAMES:
        known = ", ".join(SPLIT_NAMES)
        raise line_error(path, line, f"split {cell!r} is not one of {known}")
    return SPLIT_NAMES[cell.strip().lower()]


OWN = Layout("own", f"{CAPTIONS} beside the pictures", _read)
