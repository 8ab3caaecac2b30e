"""Unpacks zip files from untrusted sources; nothing is written outside of the folder."""

import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from tqdm import tqdm

from showtell.errors import DownloadError


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip file into `folder`, which must be empty or not exist.

    The CRC of each file is verified. The folder ``__MACOSX/``, which macOS adds to archives, is
    skipped. Links in the archive become regular files.

    Raises
    ------
    DownloadError : the archive is damaged; the caller must delete the files unpacked so far. Or the
        archive names a path outside of the folder; nothing is unpacked.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = [m for m in zipped.infolist() if not m.filename.startswith("__MACOSX/")]
            for member in members:
                _refuse_escape(archive, member.filename)
            for member in tqdm(members, desc=f"unpacking {archive.name}", disable=None):
                zipped.extract(member, folder)
    # zipfile raises RuntimeError for a password, NotImplementedError for an unknown compression.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DownloadError(f"{archive} cannot be unpacked: {error}") from error


def _refuse_escape(archive: Path, name: str) -> None:
    windows = PureWindowsPath(name)
    if name.startswith("/") or windows.drive or "\\" in name or ".." in PurePosixPath(name).parts:
        raise DownloadError(f"{archive} names a path outside of its folder: {name!r}")
