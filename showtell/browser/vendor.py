"""Downloads ONNX Runtime for browsers with npm, and verifies its checksum."""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from base64 import b64encode
from pathlib import Path

from showtell.errors import PageError

PACKAGE = "onnxruntime-web@1.30.0"
# Checksum of the published package, in npm's format (dist.integrity).
INTEGRITY = (
    "sha512-"
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
# The files of the variant without a GPU, by the names that the page uses: not all web servers know
# the type of .mjs.
SCRIPT, WASM = "onnxruntime.js", "onnxruntime.wasm"
_FILES = {SCRIPT: "ort.wasm.bundle.min.mjs", WASM: "ort-wasm-simd-threaded.wasm"}

_SECONDS = 600  # time limit for npm


def fetch() -> dict[str, bytes]:
    """Return the contents of ``SCRIPT`` and ``WASM`` by name. npm caches the download.

    Raises
    ------
    PageError : npm is not installed, the download fails, or its checksum is wrong.
    """
    with tempfile.TemporaryDirectory() as scratch:
        archive = _pack(Path(scratch))
        _verify(archive)
        with tarfile.open(archive) as package:
            return {name: _extract(package, there) for name, there in _FILES.items()}


def _pack(folder: Path) -> Path:
    """Download the package as an archive to `folder` with npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise PageError(f"npm is not installed; it is required to download {PACKAGE}")
    command = [npm, "pack", PACKAGE, "--prefer-offline", "--ignore-scripts", "--silent"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise PageError(f"npm could not download {PACKAGE} within {_SECONDS} s") from error
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise PageError(f"npm could not download {PACKAGE}; run `npm pack {PACKAGE}` to see why")
    return archives[0]


def _verify(archive: Path) -> None:
    digest = hashlib.sha512(archive.read_bytes()).digest()
    if f"sha512-{b64encode(digest).decode()}" != INTEGRITY:
        raise PageError(
            f"{PACKAGE}: the download has the wrong checksum; clear npm's cache and try again"
        )


def _extract(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(f"package/dist/{name}")
    assert file is not None, "the checksum says what the package holds"
    return file.read()
