"""The supported image formats: their names, Pillow's names for them, and their extensions.

This is the only list of them. Folders, tables of captions, messages and the page use it.
"""

from collections import Counter
from pathlib import PurePath
from typing import NamedTuple


class Format(NamedTuple):
    """An image format.

    Attributes
    ----------
    name : name to display.
    pillow : Pillow's name; None if another package reads the format.
    endings : extensions of its files, in lower case.
    """

    name: str
    pillow: str | None
    endings: tuple[str, ...]


# Common formats first: they are tried in this order.
FORMATS = (
    # MPO, which many phones write, starts like a JPEG and is opened as one.
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

# RAW formats of cameras. In some of them, Pillow can read the embedded preview.
_RAW = {
    ".3fr", ".ari", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf",
    ".fff", ".gpr", ".iiq", ".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf",
    ".pef", ".ptx", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
}  # fmt: skip
_MOST = 8  # extensions that are listed in a message


def is_picture(name: str) -> bool:
    """Return whether a file is a picture, by its extension.

    False for hidden files, such as macOS's ``._*``.

    Parameters
    ----------
    name : name of the file, without its folder.
    """
    return not name.startswith(".") and _ending(name) in ENDINGS


class LeftOut:
    """Counts the files in folders that are not captioned, by extension."""

    def __init__(self) -> None:
        self._endings: Counter[str] = Counter()

    def is_picture(self, name: str) -> bool:
        """Return :func:`is_picture`, and count the file if it is neither a picture nor hidden."""
        wanted = is_picture(name)
        if not wanted and not name.startswith("."):
            self._endings[_ending(name)] += 1
        return wanted

    def sentence(self) -> str | None:
        """Return a sentence with the number of skipped files per extension; None if none."""
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
