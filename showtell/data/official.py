"""The official splits of Flickr8k, as hashes of file names, for copies without the split lists."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("flickr8k_splits.json")
DIGITS = 8


def hash_names(names: Iterable[str]) -> str:
    """Return the SHA-256, in hex, of the sorted `names` joined by newlines."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def short_hash(name: str) -> str:
    """Return the first ``DIGITS`` hex digits of the SHA-256 of a photograph's file name."""
    return hashlib.sha256(name.encode()).hexdigest()[:DIGITS]


def split_of(name: str) -> str | None:
    """Return the official split of a photograph of Flickr8k: train, dev, test, or None."""
    return _splits().get(short_hash(name))


@cache
def full_hashes() -> Mapping[str, str]:
    """Return :func:`hash_names` of each official split."""
    hashes: dict[str, str] = _stored()["sha256"]
    return hashes


@cache
def _splits() -> Mapping[str, str]:
    return {
        digits[i : i + DIGITS]: split
        for split, digits in _stored()["names"].items()
        for i in range(0, len(digits), DIGITS)
    }


def _stored() -> dict[str, dict[str, str]]:
    stored: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return stored
