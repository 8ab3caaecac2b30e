"""Reads Hugging Face's image folders: ``metadata.jsonl`` or ``metadata.csv`` with the pictures.

A row has a ``file_name`` and a ``text``, ``caption`` or list of ``captions``. Folders named after
splits, such as ``train`` and ``validation``, have one file each. In other folders, the hash of a
picture's name decides its split.
"""

import json
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from showtell.data.files import find_named, line_error, normal, read_lines, read_table
from showtell.data.release import SPLIT_NAMES, Layout, Release, assign, split_by_name

FILES = ("metadata.jsonl", "metadata.csv")
_FOLDERS = (".", *SPLIT_NAMES)
_TEXTS = ("text", "caption", "captions")


def _tables(root: Path) -> list[tuple[str, Path]]:
    """Return the name of each folder with a metadata file, and the file."""
    paths = [(folder, root / folder / name) for folder in _FOLDERS for name in FILES]
    return [(folder, path) for folder, path in paths if path.is_file()]


def _read(root: Path) -> Release | None:
    tables = _tables(root)
    if not tables:
        return None
    captions: list[tuple[str, str]] = []
    splits: dict[str, str] = {}
    for folder, path in tables:
        for line, row in _rows(path):
            name, texts = _entry(path, line, row)
            name = normal(posixpath.join(folder, name))
            split = SPLIT_NAMES.get(folder) or split_by_name(name)
            assign(splits, name, split, f"{path}, line {line}")
            captions += [(name, text) for text in texts]
    return Release(captions, splits, find_named(root, splits))


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if path.suffix == ".csv":
        yield from read_table(path, "file_name")
        return
    for line, text in read_lines(path):
        try:
            yield line, json.loads(text)
        except (ValueError, RecursionError) as error:
            raise line_error(path, line, f"not JSON: {error}") from error


def _entry(path: Path, line: int, row: Any) -> tuple[str, list[str]]:
    if isinstance(row, dict) and isinstance(name := row.get("file_name"), str) and normal(name):
        texts = next((row[key] for key in _TEXTS if row.get(key) is not None), None)
        texts = [texts] if isinstance(texts, str) else texts
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            return name, texts
    raise line_error(path, line, f"needs 'file_name' and one of {', '.join(_TEXTS)}")


HUGGING_FACE = Layout("hugging-face", " or ".join(FILES), _read)
