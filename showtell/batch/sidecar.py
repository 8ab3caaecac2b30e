"""Writes captions to XMP sidecars, where photo software looks for descriptions.

The sidecar of ``photo.jpg`` is ``photo.jpg.xmp``, as in digiKam, darktable and Immich, so that two
photographs never share one. If there is only a ``photo.xmp``, as in Lightroom and Capture One, that
is used. Text that a person wrote, in a sidecar or in the photograph, is kept: only empty fields are
filled.
"""

import os
import shutil
import stat
from pathlib import Path

from showtell.atomic import replacing
from showtell.batch import written, xmp
from showtell.formats import ENDINGS

_FIELDS = (xmp.DESCRIPTION, xmp.ALT_TEXT)
_LEFT = "was not changed"


def path_for(photograph: str) -> Path:
    """Return the path of a photograph's sidecar: an existing one, or the one to create."""
    return next(iter(_there(photograph)), Path(f"{photograph}.xmp"))


def write(photograph: str, caption: str) -> str | None:
    """Write a caption to the empty fields of a photograph's sidecar.

    Returns
    -------
    Why the caption was not written to all fields; None if all fields have it now.

    Raises
    ------
    OSError : the sidecar cannot be written.
    """
    path = path_for(photograph)
    try:
        old = _read(path) if os.path.lexists(path) else xmp.NEW
        packet = xmp.parse(old)
    except ValueError:
        return f"the sidecar {_LEFT}: it is not valid XMP"
    said = _said(photograph)
    if empty := [field for field in _FIELDS if field not in said]:
        if reason := _refusal(photograph, path):
            return f"{path.name} {_LEFT}: {reason}"
        _replace(path, xmp.filled(old, packet, empty, caption))
    kept = [field.name for field in _FIELDS if said.get(field, caption) != caption]
    return f"{' and '.join(kept)} already had text, which was kept" if kept else None


def _there(photograph: str) -> list[Path]:
    """Return the existing sidecars of a photograph, in the order in which programs prefer them."""
    names = (photograph, os.path.splitext(photograph)[0])
    paths = [Path(f"{name}{ending}") for name in names for ending in (".xmp", ".XMP")]
    return [path for path in paths if os.path.lexists(path)]


def _said(photograph: str) -> dict[xmp.Property, str]:
    """Return the texts that a person wrote, from the photograph and its sidecars.

    Text in a sidecar overrides text in the photograph.
    """
    said = written.embedded(photograph)
    for path in reversed(_there(photograph)):
        try:
            said |= written.xmp_texts(_read(path), photograph)
        except ValueError:
            continue
    return said


def _refusal(photograph: str, path: Path) -> str | None:
    """Return why an existing sidecar must not be changed; None if it may be."""
    if not os.path.lexists(path):
        return None
    if not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        return "it is read-only"
    if path.stem == Path(photograph).stem:
        stem = os.path.splitext(photograph)[0]
        endings = [*ENDINGS, *map(str.upper, ENDINGS)]
        there = [name for e in endings if os.path.exists(name := f"{stem}{e}")]
        if len({os.stat(name).st_ino for name in there}) > 1:
            return "several photographs share it"
    return None


def _replace(path: Path, content: bytes) -> None:
    """Write a file atomically. An existing file keeps its mode and owner; links are followed."""
    path = Path(os.path.realpath(path))
    with replacing(path) as partial:
        partial.write_bytes(content)
        if path.exists():
            old = path.stat()
            shutil.copystat(path, partial)
            os.utime(partial)
            if hasattr(os, "chown") and (old.st_uid, old.st_gid) != (os.getuid(), os.getgid()):
                os.chown(partial, old.st_uid, old.st_gid)
                os.chmod(partial, stat.S_IMODE(old.st_mode))  # chown may have cleared bits


def _read(path: Path) -> bytes:
    if not path.is_file():  # opening a pipe would block
        raise ValueError("not a regular file")
    with path.open("rb") as file:
        return file.read(xmp.MAX_BYTES + 1)
