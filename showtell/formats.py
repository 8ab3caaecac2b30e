"""The formats that are read: their names, Pillow's names of them, and the endings of their files.

The one list of them: folders, tables of captions, messages and the page ask here.
"""

from collections import Counter
from pathlib import PurePath
from typing import NamedTuple


class Format(NamedTuple):
    """A format of pictures.

    Attributes
    ----------
    name : for people.
    pillow : Pillow's name; None where a package beside Pillow reads it.
    endings : of its files, in lower case.
    """

    name: str
    pillow: str | None
    endings: tuple[str, ...]


# The common ones first: that is the order in which a file is tried.
FORMATS = (
    # MPO, of many telephones, begins as a JPEG and is opened as one.
    Format("JPEG", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo")),
    Format("PNG", "PNG", (".png", ".apng")),
    Format("WebP", "WEBP", (".webp",)),
    Format("GIF", "GIF", (".gif",)),
    Format("TIFF", "TIFF", (".tif", ".tiff")),
    Format("BMP", "BMP", (".bmp", ".dib")),
    Format("AVIF", "AVIF", (".avif", ".avifs")),
    Format("HEIC", None, (".heic", ".heif", ".hif", ".heics", ".heifs")),
    Format("PPM", "PPM", (".ppm", ".pgm", ".pbm", ".pnm", ".pfm")),
)
NAMES = ", ".join(format.name for format in FORMATS)
ENDINGS = tuple(ending for format in FORMATS for ending in format.endings)

# What cameras write unprocessed. Pillow finds the embedded preview in some of them at best.
_RAW = {
    ".3fr", ".ari", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf",
    ".fff", ".gpr", ".iiq", ".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf",
    ".pef", ".ptx", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
}  # fmt: skip
_MOST = 8  # endings that a sentence counts


def is_picture(name: str) -> bool:
    """Return whether a file is a picture, by its ending; hidden files, as macOS's ``._*``, are not.

    Parameters
    ----------
    name : of the file, without its folder.
    """
    return not name.startswith(".") and _ending(name) in ENDINGS


class LeftOut:
    """Counts the files of folders that are not captioned, by ending."""

    def __init__(self) -> None:
        self._endings: Counter[str] = Counter()

    def is_picture(self, name: str) -> bool:
        """Return what :func:`is_picture` does, and count a file that is none and is not hidden."""
        wanted = is_picture(name)
        if not wanted and not name.startswith("."):
            self._endings[_ending(name)] += 1
        return wanted

    def sentence(self) -> str | None:
        """Return how many files of which endings were left out; None if there were none."""
        if not self._endings:
            return None
        ranked = sorted(self._endings.items(), key=lambda item: (-item[1], item[0]))
        parts = [f"{n:,} {ending or 'without an ending'}" for ending, n in ranked[:_MOST]]
        if others := sum(n for _, n in ranked[_MOST:]):
            parts.append(f"{others:,} others")
        total = self._endings.total()
        sentence = f"{total:,} {'file' if total == 1 else 'files'} skipped: {', '.join(parts)}"
        if _RAW & self._endings.keys():
            sentence += "; RAW files are not supported: export them as JPEG"
        return sentence


def _ending(name: str) -> str:
    return PurePath(name).suffix.lower()
