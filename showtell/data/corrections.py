"""Corrected captions: ``corrections.jsonl`` in a folder with copies of the photographs.

Each line is ``{"image": NAME, "caption": TEXT}``. Lines are only appended, and the last line of a
photograph counts; an empty caption removes the photograph. Lines that cannot be read, such as an
incomplete last line after a power failure, are skipped and reported.

In the order of their first corrections, the fifth of every ten photographs is in the dev split, the
tenth in the test split, and the others in the train split. New photographs do not change the splits
of earlier ones.
"""

import hashlib
import json
import os
from io import BytesIO
from pathlib import Path
from threading import Lock

from showtell import image
from showtell.atomic import appending, replacing
from showtell.data.files import find_pictures, normal
from showtell.data.release import Layout, Release, has_words
from showtell.errors import CorrectionError

CORRECTIONS = "corrections.jsonl"
HELD_OUT = {5: "dev", 0: "test"}  # split by number of the photograph (from 1) modulo 10
LONGEST = 300  # maximum number of characters of a caption
MOST = 10_000  # maximum number of corrections in a folder, some 2 GB, to protect the disk
SIDE = 1024  # pixels of a copy's longer side


class Corrections:
    """A folder of corrections. Threads of one process may share it.

    Parameters
    ----------
    folder : the folder; created if it does not exist.

    Raises
    ------
    OSError : the folder is not writable.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)
        with appending(folder / CORRECTIONS) as file:
            file.seek(0)
            self._lines = sum(1 for _ in file)

    def add(self, photograph: bytes, caption: str) -> dict[str, str]:
        """Save a caption and a copy of its photograph: upright, small and without metadata.

        Both have been written to the disk when this returns.

        Parameters
        ----------
        photograph : bytes of the file. Their hash identifies the photograph.
        caption : the corrected caption; each run of white space becomes a single space.

        Returns
        -------
        The content of the new line.

        Raises
        ------
        CorrectionError : the caption is empty or too long, or the folder is full.
        ImageError : the photograph cannot be read.
        """
        if not has_words(caption) or len(caption) > LONGEST:
            raise CorrectionError(
                f"the caption must have at least one word and at most {LONGEST} characters"
            )
        caption = " ".join(caption.split())
        name = f"{hashlib.sha256(photograph).hexdigest()[:16]}.jpg"
        copy = b"" if (self._folder / name).exists() else _copy(photograph)
        line = {"image": name, "caption": caption}
        with self._lock:
            if self._lines >= MOST:
                raise CorrectionError(
                    f"the folder has {MOST:,} corrections, the maximum: use a new one"
                )
            if copy:
                with replacing(self._folder / name) as partial:
                    partial.write_bytes(copy)
                    _sync(partial)
            _append(self._folder / CORRECTIONS, json.dumps(line))
            self._lines += 1
        return line


def _copy(photograph: bytes) -> bytes:
    picture = image.open_upright(photograph, at_least=SIDE // 2)
    picture.thumbnail((SIDE, SIDE))
    file = BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _append(path: Path, line: str) -> None:
    """Append a line with a single write; if the last line is incomplete, end it first."""
    with appending(path, buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        start = "" if file.read(1) in (b"", b"\n") else "\n"
        file.write(f"{start}{line}\n".encode())
        os.fsync(file.fileno())


def _read(root: Path) -> Release | None:
    path = root / CORRECTIONS
    if not path.is_file():
        return None
    captions: dict[str, str] = {}
    broken = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        match _parsed(line):
            case {"image": str(name), "caption": str(caption)}:
                captions[normal(name)] = caption
            case _ if line.strip():
                broken.append(f"line {number}")
    splits = {name: HELD_OUT.get(i % 10, "train") for i, name in enumerate(captions, start=1)}
    return Release(list(captions.items()), splits, find_pictures(root, ["."]), broken)


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


CORRECTED = Layout("corrections", f"{CORRECTIONS} beside the pictures", _read)
