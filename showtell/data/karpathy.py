"""Reads Karpathy's JSON files with the captions and splits of Flickr8k, Flickr30k or COCO.

The photographs are in the same folder or in one of the usual ones. The split ``val`` is named dev
here, and COCO's ``restval`` is part of train.
"""

from pathlib import Path
from typing import Any

from showtell.data.files import PICTURE_FOLDERS, find_pictures, normal, read_json
from showtell.data.release import SPLIT_NAMES, Layout, Release, assign
from showtell.errors import DataError

FILES = ("dataset_flickr8k.json", "dataset_flickr30k.json", "dataset_coco.json")
FOLDERS = (".", *PICTURE_FOLDERS, "flickr30k-images", "train2014", "val2014")


def _read(root: Path) -> Release | None:
    path = next((root / name for name in FILES if (root / name).is_file()), None)
    if path is None:
        return None
    captions: list[tuple[str, str]] = []
    splits: dict[str, str] = {}
    for number, image in enumerate(_images(path), start=1):
        where = f"{path}, image {number}"
        name, split, sentences = _entry(image, where)
        assign(splits, name, split, where)
        captions.extend((name, sentence) for sentence in sentences)
    return Release(captions, splits, find_pictures(root, FOLDERS))


def _images(path: Path) -> list[Any]:
    stored = read_json(path)
    images = stored.get("images") if isinstance(stored, dict) else None
    if not isinstance(images, list):
        raise DataError(f"{path}, line 1: no list 'images', which Karpathy's files have")
    return images


def _entry(image: Any, where: str) -> tuple[str, str, list[str]]:
    try:
        name, split = normal(image["filename"]), SPLIT_NAMES[image["split"]]
        return name, split, [sentence["raw"].strip() for sentence in image["sentences"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{where}: needs 'filename', 'sentences' with a 'raw' each, "
            f"and a 'split' that is one of {', '.join(SPLIT_NAMES)}"
        ) from error


KARPATHY = Layout("karpathy", " or ".join(FILES), _read)
