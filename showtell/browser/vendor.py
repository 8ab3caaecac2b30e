"""ONNX Runtime for browsers: fetched by npm from the registry that it is set to, and verified."""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from base64 import b64encode
from pathlib import Path

from showtell.errors import PageError

PACKAGE = "onnxruntime-web@1.30.0"
# Of the package as it was published, in the form in which npm tells it: dist.integrity.
INTEGRITY = (
    "sha512-"
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
# Of all that it holds the part without a GPU, by our names: web servers know what .js is.
SCRIPT, WASM = "onnxruntime.js", "onnxruntime.wasm"
_FILES = {SCRIPT: "ort.wasm.bundle.min.mjs", WASM: "ort-wasm-simd-threaded.wasm"}

_SECONDS = 600  # that npm may take


def fetch() -> dict[str, bytes]:
    """Return the contents of ``SCRIPT`` and ``WASM`` by name; npm keeps what it has fetched once.

    Raises
    ------
    PageError : there is no npm, it cannot fetch the package, or what came is another one.
    """
    with tempfile.TemporaryDirectory() as scratch:
        archive = _pack(Path(scratch))
        _verify(archive)
        with tarfile.open(archive) as package:
            return {name: _extract(package, there) for name, there in _FILES.items()}


def _pack(folder: Path) -> Path:
    """Let npm put the package into `folder`, as one file."""
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
