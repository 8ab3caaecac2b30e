"""Captions that a person corrected: ``corrections.jsonl``, and copies of the photographs beside it.

Each line is ``{"image": NAME, "caption": TEXT}``. Lines are only ever appended, and the last of a
photograph counts; an empty caption takes it out again. A line that cannot be read, such as the last
one after a power cut, is skipped and told.

Of ten photographs, in the order of their first corrections, the fifth is in the dev split and the
tenth in the test split; the others are for training. A photograph keeps its split when others come.
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
HELD_OUT = {5: "dev", 0: "test"}  # by the number of a photograph modulo 10; the first is 1
LONGEST = 300  # characters of a caption
MOST = 10_000  # corrections in a folder, so that nobody fills the disk: some 2 GB
SIDE = 1024  # pixels of a copy's longer side


class Corrections:
    """A folder to which corrections are appended, by any number of threads of one process.

    Parameters
    ----------
    folder : is made if it is not there.

    Raises
    ------
    OSError : it cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)
        with appending(folder / CORRECTIONS) as file:
            file.seek(0)
            self._lines = sum(1 for _ in file)

    def add(self, photograph: bytes, caption: str) -> dict[str, str]:
        """Keep a caption, and a copy of its photograph: upright, small, and without metadata.

        When this returns, both are on the disk.

        Parameters
        ----------
        photograph : bytes of a file; by them it is known again.
        caption : what it should say; white space is made single blanks.

        Returns
        -------
        What the new line says.

        Raises
        ------
        CorrectionError : the caption is empty or too long, or the folder is full.
        ImageError : the photograph cannot be used.
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
    """Append a line in one piece; one that was cut off before it is ended first."""
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
