"""Reads COCO's captions: ``captions_*.json``, also in ``annotations/``, and folders of pictures.

If there are several files, "train", "val" or "test" in a file's name is its split. If there is only
one, the hash of a picture's name decides its split.
"""

from pathlib import Path
from typing import Any

from showtell.data.files import PICTURE_FOLDERS, find_named, line_error, normal, read_json
from showtell.data.release import SPLIT_NAMES, Layout, Release, assign, split_by_name

_YEARS = [f"{split}{year}" for year in (2014, 2015, 2017) for split in ("train", "val", "test")]
FOLDERS = (*_YEARS, *(f"images/{folder}" for folder in _YEARS), *PICTURE_FOLDERS, ".")
_NEED = "needs lists 'images' (id, file_name) and 'annotations' (image_id, caption), as COCO's have"


def _files(root: Path) -> list[Path]:
    folders = (root, root / "annotations")
    return [path for folder in folders for path in sorted(folder.glob("captions*.json"))]


def _read(root: Path) -> Release | None:
    files = _files(root)
    if not files:
        return None
    captions: list[tuple[str, str]] = []
    splits: dict[str, str] = {}
    for path in files:
        split = _split(path) if len(files) > 1 else None
        names, entries = _entries(path)
        for name in names:
            assign(splits, name, split or split_by_name(name), str(path))
        captions += entries
    return Release(captions, splits, find_named(root, splits, FOLDERS))


def _split(path: Path) -> str | None:
    return next((split for part, split in SPLIT_NAMES.items() if part in path.stem), None)


def _entries(path: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the names of the pictures, and (name, caption) of each annotation."""
    stored: Any = read_json(path)
    try:
        names = {image["id"]: normal(image["file_name"]) for image in stored["images"]}
        captions = [(names[a["image_id"]], a["caption"].strip()) for a in stored["annotations"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise line_error(path, 1, _NEED) from error
    return list(names.values()), captions


COCO = Layout("coco", "captions_*.json, also in annotations/", _read)
