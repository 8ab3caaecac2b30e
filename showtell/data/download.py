"""Downloads Flickr8k from a public mirror, with resume and verification.

The University of Illinois, which made Flickr8k, no longer distributes it. Jason Brownlee hosts the
two archives of the release on GitHub (``MIRROR``). We found no published SHA-256 of them. The MD5
sums below are used by two unrelated projects: torchvision for R (mlverse/torchvision,
``flickr8k_caption_dataset``) and a C++ build that downloads from the same addresses. MD5 detects
damage, but not forgery. The content is therefore also verified: the split lists and the names of
the photographs must be the official ones, there must be 40,460 captions, and the CRC of each file
must match.
"""

import hashlib
import os
import re
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError

from tqdm import tqdm

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from showtell.atomic import appending
from showtell.data import flickr8k
from showtell.data.archive import unpack
from showtell.data.files import PICTURE_FOLDERS, list_pictures
from showtell.data.official import full_hashes, hash_names, split_of
from showtell.errors import DataError, DownloadError

MIRROR = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k"
MIRROR_VARIABLE = "SHOWTELL_FLICKR8K_MIRROR"
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 18  # bytes
CAPTIONS = 40_460


def download(url: str, target: Path, checksum: str | None) -> None:
    """Download `url` to `target`, which is either complete afterwards or does not exist.

    An incomplete download is kept as ``TARGET.part``. A later call continues it if the server
    supports HTTP Range, and otherwise starts over. An existing `target` with the right checksum is
    not downloaded again.

    Parameters
    ----------
    url : http or https URL.
    target : file to write; its folder is created if needed.
    checksum : ``sha256:HEX`` or ``md5:HEX``; None if unknown.

    Raises
    ------
    DownloadError : the server cannot be reached, responds with an error, or closes the connection;
        the checksum does not match, in which case the download is deleted; or another process is
        downloading to the folder.
    """
    with _alone(target.parent):
        _download(url, target, checksum)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the folder; the system releases the lock when the process ends.

    Otherwise two downloads would write to the same partial file, and delete each other's files.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{error.filename} cannot be written: {error.strerror}") from error
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise DownloadError(
            f"{folder}: another process is downloading into it; run again when it is done"
        ) from error
    finally:
        os.close(handle)


def _download(url: str, target: Path, checksum: str | None) -> None:
    if not url.startswith(("http://", "https://")):
        raise DownloadError(f"{url} is not an http or https URL")
    if target.is_file() and _is_right(target, checksum):
        return
    part = target.with_name(target.name + ".part")
    try:
        _fetch(url, part)
        if not _is_right(part, checksum):
            part.unlink()
            raise DownloadError(f"{url}: the download does not match its checksum {checksum}")
        part.replace(target)
    except (OSError, EOFError, HTTPException, ValueError) as error:
        raise DownloadError(_reason(url, error)) from error


def _is_right(path: Path, checksum: str | None) -> bool:
    if checksum is None:
        return True
    algorithm, _, expected = checksum.partition(":")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return digest.hexdigest() == expected


def _reason(url: str, error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"{url} responded with {error.code} {error.reason}"
    if isinstance(error, URLError):
        return f"{url} cannot be reached: {error.reason}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be written: {error.strerror}"
    return f"{url}: {error}; run again to continue the download"


def _fetch(url: str, part: Path) -> None:
    have = _size(part)
    try:
        response = _open(url, have)
    except HTTPError as error:
        if error.code != 416 or not have:
            raise
        if error.headers["Content-Range"] == f"bytes */{have}":
            return  # complete: the last run ended before the file was verified
        part.unlink()  # longer than the file on the server, which must have changed
        return _fetch(url, part)
    with response, appending(part) as file:
        start, total = _extent(response)
        if start != have:
            file.seek(0)
            file.truncate()
        if start not in (0, have):
            raise DownloadError(f"{url}: the server sent the wrong part of the file; run again")
        _copy(response, file, total)


def _size(part: Path) -> int:
    """Return the size of the partial download in bytes; 0 if there is none."""
    if not os.path.lexists(part):
        return 0
    with appending(part) as file:
        return file.seek(0, os.SEEK_END)


def _open(url: str, have: int) -> HTTPResponse:
    headers = {"User-Agent": "showtell"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    response: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    return response


def _extent(response: HTTPResponse) -> tuple[int, int | None]:
    """Return the offset of the body in the file, and the file's size or None if unknown."""
    if response.status == 206:
        start, _, size = re.split("[-/]", (response.headers["Content-Range"] or "").lower()[6:])
        return int(start), None if size == "*" else int(size)
    size = response.headers["Content-Length"]
    return 0, None if size is None else int(size)


def _copy(response: HTTPResponse, file: BinaryIO, total: int | None) -> None:
    bar = tqdm(
        desc=Path(file.name).stem,
        initial=file.tell(),
        total=total,
        unit="B",
        unit_scale=True,
        disable=None,
    )
    with bar:
        # read1, unlike read, returns what is available, so little is lost if the connection fails.
        while chunk := response.read1(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and file.tell() != total:
        raise EOFError(f"the download stopped after {file.tell():,} of {total:,} bytes")


@dataclass(frozen=True)
class Archive:
    """One of the release's two zip files.

    Attributes
    ----------
    name : name of the file on the mirror.
    checksum : checksum of the file on ``MIRROR``. Other mirrors may have archived the same files
        again.
    folder : folder for its content. The archive may contain this folder or only its content.
    check : raises a DataError if the unpacked folder is not that of the release.
    """

    name: str
    checksum: str
    folder: str
    check: Callable[[Path], None]


def fetch_flickr8k(root: str | os.PathLike[str], mirror: str | None = None) -> None:
    """Download Flickr8k (1.1 GB) to `root`, in the layout of its release.

    What `root` already contains is not downloaded again. A folder appears only when it is complete
    and verified; then its archive is deleted.

    Parameters
    ----------
    root : folder, created if needed. While unpacking, it takes 2.3 GB.
    mirror : URL of the folder with the two archives. By default, the value of the environment
        variable ``SHOWTELL_FLICKR8K_MIRROR``, or else ``MIRROR``.

    Raises
    ------
    DownloadError : see :func:`download`; also if the download is not Flickr8k.
    """
    root = Path(root)
    mirror = (mirror or os.environ.get(MIRROR_VARIABLE) or MIRROR).rstrip("/")
    with _alone(root):
        if flickr8k.text_folder(root) is None:
            _install(root, mirror, TEXT)
        if not any((root / folder).is_dir() for folder in PICTURE_FOLDERS):
            _install(root, mirror, PHOTOGRAPHS)


def _install(root: Path, mirror: str, archive: Archive) -> None:
    zipped = root / archive.name
    _download(f"{mirror}/{archive.name}", zipped, archive.checksum if mirror == MIRROR else None)
    try:
        with tempfile.TemporaryDirectory(dir=root, prefix=".showtell-unpacking-") as scratch:
            staging = Path(scratch, "unpacked")
            unpack(zipped, staging)
            inside = staging / archive.folder
            source = inside if inside.is_dir() else staging
            archive.check(source)
            source.rename(root / archive.folder)
    except DataError as error:
        zipped.unlink()  # so that the next run downloads it again
        raise DownloadError(
            f"{mirror}/{archive.name} is not the original release: {error}"
        ) from error
    except OSError as error:
        raise DownloadError(f"{zipped} cannot be unpacked: {error}") from error
    zipped.unlink()


def _check_text(folder: Path) -> None:
    _check_splits(flickr8k.read_splits(folder))
    lines = sum(1 for _ in flickr8k.read_captions(folder))
    if lines != CAPTIONS:
        raise DataError(f"it has {lines:,} captions, not {CAPTIONS:,}")


def _check_photographs(folder: Path) -> None:
    splits = {name: split_of(name) for name in list_pictures(folder)}
    _check_splits({name: split for name, split in splits.items() if split})


def _check_splits(splits: dict[str, str]) -> None:
    for split, expected in full_hashes().items():
        if hash_names(name for name in splits if splits[name] == split) != expected:
            raise DataError(f"its {split} photographs are not those of the official split")


TEXT = Archive(
    "Flickr8k_text.zip", "md5:bf6c1abcb8e4a833b7f922104de18627", "Flickr8k_text", _check_text
)
PHOTOGRAPHS = Archive(
    "Flickr8k_Dataset.zip",
    "md5:f18a1e2920de5bd84dae7cf08ec78978",
    "Flicker8k_Dataset",
    _check_photographs,
)
