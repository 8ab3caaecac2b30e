"""A folder of your own: ``captions.csv`` beside the pictures.

Its columns are ``image`` (a file name), ``caption`` and, if you choose the splits, ``split``
(train, dev or val, test); one row a caption. Without that column the file's name decides, so that a
photograph keeps its split when others come: the first 8 hex digits of the SHA-256 of the name, as a
number modulo 10, are 0 for dev (10%), 1 for test (10%), and anything else for train.
"""

import hashlib
from pathlib import Path

from showtell.data.files import find_pictures, line_error, normal, read_table
from showtell.data.release import SPLIT_NAMES, Layout, Release, assign

CAPTIONS = "captions.csv"


def split_by_name(name: str) -> str:
    """Return the split of a file name by the rule above."""
    remainder = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 10
    return {0: "dev", 1: "test"}.get(remainder, "train")


def _recognise(root: Path) -> bool:
    return (root / CAPTIONS).is_file()


def _read(root: Path) -> Release:
    path = root / CAPTIONS
    captions: list[tuple[str, str]] = []
    splits: dict[str, str] = {}
    for line, row in read_table(path, "image", "caption"):
        name = normal(row["image"])
        captions.append((name, row["caption"]))
        assign(splits, name, _split(path, line, name, row.get("split")), f"{path}, line {line}")
    return Release(captions, splits, find_pictures(root, ["."]))


def _split(path: Path, line: int, name: str, cell: str | None) -> str:
    if cell is None:
        return split_by_name(name)
    if cell.strip() not in SPLIT_NAMES:
        known = ", ".join(SPLIT_NAMES)
        raise line_error(path, line, f"split {cell!r} is not one of {known}")
    return SPLIT_NAMES[cell.strip()]


OWN = Layout("own", f"{CAPTIONS} beside the pictures", _recognise, _read)
