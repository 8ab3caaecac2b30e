"""Generates flickr8k_splits.json from the lists of the official release.

    python -m showtell.data.splits Flickr8k_text > showtell/data/flickr8k_splits.json

For each split, the file contains the first 8 hex digits of the SHA-256 of every file name, sorted
and joined into one string, and the SHA-256 of the sorted list of names.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from showtell.data.flickr8k import read_captions, read_splits
from showtell.data.official import hash_names, short_hash
from showtell.errors import DataError, ShowtellError


def build(folder: Path) -> dict[str, dict[str, str]]:
    """Return the content of the file.

    Parameters
    ----------
    folder : the folder with ``Flickr8k.token.txt`` and ``Flickr_8k.{train,dev,test}Images.txt``.

    Raises
    ------
    DataError : a list is invalid, or two names have the same hash.
    """
    names: dict[str, list[str]] = {}
    for name, split in read_splits(folder).items():
        names.setdefault(split, []).append(name)
    captioned = {name for name, _ in read_captions(folder)}
    _check_collisions(captioned.union(*names.values()))
    return {
        "names": {split: "".join(sorted(map(short_hash, n))) for split, n in names.items()},
        "sha256": {split: hash_names(n) for split, n in names.items()},
    }


def _check_collisions(names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(short_hash(name), name)
        if other != name:
            raise DataError(f"{name} and {other} share their hash: more digits are needed")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m showtell.data.splits Flickr8k_text > flickr8k_splits.json")
    try:
        print(json.dumps(build(Path(sys.argv[1])), indent=1))
    except ShowtellError as error:
        sys.exit(f"showtell: {error}")
