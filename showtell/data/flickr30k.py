"""Reads Kaggle's copy of Flickr30k: ``results.csv`` with cells separated by `` | ``.

This copy has no split lists, so the hash of a picture's name decides its split. One line lacks a
separator; such lines are skipped and reported.
"""

from pathlib import Path

from showtell.data.files import PICTURE_FOLDERS, find_pictures, normal, read_lines
from showtell.data.release import Layout, Release, split_by_name

FILE = "results.csv"
_HEADER = ["image_name", "comment_number", "comment"]
_FOLDERS = (*PICTURE_FOLDERS, "flickr30k-images", "flickr30k_images", ".")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|", 2)]


def _has_header(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return _cells(file.readline()) == _HEADER


def _read(root: Path) -> Release | None:
    path = root / FILE
    if not _has_header(path):
        return None
    captions, broken = [], []
    for number, line in read_lines(path):
        match _cells(line):
            case header if header == _HEADER:
                continue
            case [name, _, caption] if name:
                captions.append((normal(name), caption))
            case _:
                broken.append(f"line {number}")
    splits = {name: split_by_name(name) for name, _ in captions}
    return Release(captions, splits, find_pictures(root, _FOLDERS), broken)


FLICKR30K = Layout("flickr30k-kaggle", f"{FILE} of Flickr30k", _read)
