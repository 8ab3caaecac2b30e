"""Reads Flickr8k (Hodosh, Young and Hockenmaier, 2013): the original release, and Kaggle's copy.

The release has the photographs in ``Flicker8k_Dataset/`` (its spelling), and text files in
``Flickr8k_text/`` or, as the archive unpacks them, next to it. Kaggle's copy has ``Images/`` and
``captions.txt`` but no split lists; this package contains the official splits as hashes.
"""

from collections.abc import Iterator
from pathlib import Path

from showtell.data import official
from showtell.data.dataset import SPLITS
from showtell.data.files import find_pictures, line_error, normal, read_lines, read_table
from showtell.data.release import Layout, Release, assign

TEXT_FOLDER = "Flickr8k_text"
TOKENS = "Flickr8k.token.txt"
CAPTIONS = "captions.txt"


def text_folder(root: Path) -> Path | None:
    """Return the folder with the release's text files: ``Flickr8k_text`` or `root`, or None."""
    folders = (root / TEXT_FOLDER, root)
    return next((folder for folder in folders if (folder / TOKENS).is_file()), None)


def read_captions(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, caption) from the lines ``NAME#K<TAB>CAPTION`` of ``Flickr8k.token.txt``.

    Raises
    ------
    DataError : a line has no tab or no number.
    """
    path = folder / TOKENS
    for number, line in read_lines(path):
        key, tab, caption = line.partition("\t")
        name, mark, _ = key.rpartition("#")
        if not (tab and mark):
            raise line_error(path, number, "not of the form NAME#NUMBER<TAB>CAPTION")
        yield normal(name), caption


def read_splits(folder: Path) -> dict[str, str]:
    """Return the split of each name in ``Flickr_8k.{train,dev,test}Images.txt``.

    Raises
    ------
    DataError : a list is missing, or a photograph is in two lists.
    """
    splits: dict[str, str] = {}
    for split in SPLITS:
        path = folder / f"Flickr_8k.{split}Images.txt"
        for number, name in read_lines(path):
            assign(splits, normal(name), split, f"{path}, line {number}")
    return splits


def _read_released(root: Path) -> Release | None:
    folder = text_folder(root)
    if folder is None:
        return None
    return Release(list(read_captions(folder)), read_splits(folder), find_pictures(root))


def _read_kaggle(root: Path) -> Release | None:
    if not (root / CAPTIONS).is_file():
        return None
    rows = read_table(root / CAPTIONS, "image", "caption")
    captions = [(normal(row["image"]), row["caption"]) for _, row in rows]
    splits = {name: split for name, _ in captions if (split := official.split_of(name))}
    return Release(captions, splits, find_pictures(root))


RELEASED = Layout("flickr8k", f"{TEXT_FOLDER}/{TOKENS} or {TOKENS}", _read_released)
KAGGLE = Layout("flickr8k-kaggle", f"{CAPTIONS} with Images/", _read_kaggle)
