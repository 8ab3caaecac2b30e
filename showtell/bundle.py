"""Bundles: folders with a model and everything needed to run it. Nothing is pickled.

manifest.json   format, name, licence, origin, image size, grid, scores, SHA-256 of each file
vocab.json      the words in the order of their ids
encoder.onnx    uint8 RGB -> annotations, projected annotations, h0, c0
decoder.onnx    one step: words and state -> log-probabilities, attention, gate, next state
familiar.npy    principal components of the training photographs; not in older bundles
things.json     names of the classes of the encoder's classifier, and words for them; optional
README.md       the model card
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from showtell.atomic import replacing_folder
from showtell.errors import BundleError, MissingExtraError
from showtell.external import names_another_file
from showtell.vocab import Vocabulary

FORMAT = 1
SHIPPED = Path(__file__).parent / "models" / "flickr8k"
MANIFEST = "manifest.json"
COMPONENTS = "familiar.npy"
THINGS = "things.json"
CARD = "README.md"
REQUIRED = ("vocab.json", "encoder.onnx", "decoder.onnx")
MAX_TEXT = 16 * 2**20  # bytes of a manifest, a vocabulary, a card
MAX_GRAPH = 2**30


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    Attributes
    ----------
    path : the folder.
    manifest : content of manifest.json.
    vocabulary : the words of the model.
    """

    path: Path
    manifest: Mapping[str, Any]
    vocabulary: Vocabulary

    @property
    def image_size(self) -> int:
        """Width and height of the model's input, in pixels."""
        return int(self.manifest["image_size"])

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the grid of annotations."""
        rows, cols = self.manifest["grid"]
        return int(rows), int(cols)

    @classmethod
    def load(cls, model: str | Path | None = None) -> "Bundle":
        """Read a bundle and verify its checksums.

        Parameters
        ----------
        model : folder of the bundle, ``hf://owner/name`` on the Hugging Face hub, or None for the
            one that ships.

        Raises
        ------
        BundleError : the bundle is missing, damaged, or of a newer format.
        MissingExtraError : ``hf://`` was given, and the extra ``hub`` is not installed.
        """
        if isinstance(model, str) and model.startswith("hf://"):
            path = _from_hub(model.removeprefix("hf://"))
        else:
            path = Path(model or SHIPPED)
        manifest = _read_manifest(path)
        for name, digest in manifest["sha256"].items():
            _verify(path, name, digest)
        bundle = cls(path, manifest, _read_vocabulary(path / "vocab.json"))
        if len(bundle.vocabulary) != manifest["vocabulary_size"]:
            raise BundleError(
                f"{path}: vocab.json has {len(bundle.vocabulary)} words, "
                f"but the manifest says {manifest['vocabulary_size']}; export the bundle again"
            )
        return bundle

    @property
    def card(self) -> str:
        """The model card, as Markdown.

        Raises
        ------
        BundleError : the card cannot be read.
        """
        return read_file(self.path / CARD, MAX_TEXT).decode(errors="replace")


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise BundleError(f"{path}: there is no such folder; give the folder of a bundle")
    manifest = _read_json(path / MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        raise BundleError(f"{path / MANIFEST}: not the manifest of a bundle")
    if manifest["format"] > FORMAT:
        raise BundleError(
            f"{path}: the bundle has format {manifest['format']}, but this version reads formats "
            f"up to {FORMAT}; upgrade showtell"
        )
    if missing := _RIGHT.keys() - manifest.keys():
        raise BundleError(
            f"{path / MANIFEST}: {', '.join(sorted(missing))} is missing; export the bundle again"
        )
    if wrong := [name for name, is_right in _RIGHT.items() if not is_right(manifest[name])]:
        raise BundleError(f"{path / MANIFEST}: {wrong[0]} is invalid; export the bundle again")
    if missing := set(REQUIRED) - manifest["sha256"].keys():
        raise BundleError(f"{path / MANIFEST}: has no checksum for {', '.join(sorted(missing))}")
    return manifest


def _is_size(value: object) -> bool:
    return type(value) is int and 1 <= value <= 4096


# Valid entries of a manifest. Untrusted values could otherwise demand any amount of memory.
_RIGHT: dict[str, Callable[[Any], bool]] = {
    "name": lambda value: isinstance(value, str) and value.isprintable(),
    "image_size": _is_size,
    "grid": lambda value: isinstance(value, list) and len(value) == 2 and all(map(_is_size, value)),
    "vocabulary_size": lambda value: type(value) is int,
    "sha256": lambda value: isinstance(value, dict),
}


def _read_json(path: Path) -> Any:
    try:
        content = json.loads(read_file(path, MAX_TEXT).decode("utf-8"))
        _require_flat(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: cannot be read: {error}") from error
    return content


def _require_flat(value: Any, deeper: int = 32) -> None:
    """Raise a ValueError if `value` is nested too deeply to be written again."""
    if not deeper:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _require_flat(inner, deeper - 1)


def read_file(path: Path, limit: int) -> bytes:
    """Return the content of a file of a bundle.

    Links out of the bundle are refused, except those in the cache of the Hugging Face hub.

    Parameters
    ----------
    path : a regular file inside the bundle's folder.
    limit : maximum size in bytes.

    Raises
    ------
    BundleError : the file is missing, not a regular file, outside the bundle, larger than `limit`,
        or cannot be read.
    """
    folder = path.parent.parents[1] if path.parent.parent.name == "snapshots" else path.parent
    try:
        if not path.resolve(strict=True).is_relative_to(folder.resolve()):
            raise BundleError(
                f"{path}: is a link out of the bundle; replace it with the file itself"
            )
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{path}: not a regular file")
            if status.st_size > limit:
                raise BundleError(
                    f"{path}: has {status.st_size:,} bytes; at most {limit:,} are allowed"
                )
            return file.read(limit)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: missing; the bundle is incomplete") from error
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = getattr(error, "strerror", None) or error
        raise BundleError(f"{path}: cannot be read: {reason}") from error


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # do not wait for a pipe's writer


def _verify(path: Path, name: str, digest: str) -> None:
    if name in ("", "..") or Path(name).name != name or not name.isprintable():
        raise BundleError(f"{path / MANIFEST}: names a file outside the bundle: {name!a}")
    data = read_file(path / name, MAX_GRAPH)
    if hashlib.sha256(data).hexdigest() != digest:
        raise BundleError(f"{path / name}: damaged (wrong checksum); copy the bundle again")
    try:
        # The manifest would have no checksum for that file.
        if name.endswith(".onnx") and names_another_file(data):
            raise BundleError(
                f"{path / name}: stores weights in another file; export it as one file"
            )
    except ValueError as error:
        raise BundleError(f"{path / name}: not an ONNX graph: {error}") from error


def _read_vocabulary(path: Path) -> Vocabulary:
    try:
        return Vocabulary(tuple(_read_json(path)))
    except (TypeError, ValueError) as error:
        raise BundleError(f"{path}: not a vocabulary: {error}") from error


def _from_hub(name: str) -> Path:
    """Download a bundle from the Hugging Face hub, or return its path in the cache."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError(f"hf://{name}", "hub") from error
    try:
        return Path(
            snapshot_download(name, allow_patterns=[MANIFEST, *REQUIRED, COMPONENTS, THINGS, CARD])
        )
    except Exception as error:  # errors of the hub, the network and the file system
        raise BundleError(f"hf://{name}: cannot be downloaded: {error}") from error


def refuse_other(path: Path) -> None:
    """Raise a BundleError if `path` exists and is not a bundle."""
    if path.exists() and not (path / MANIFEST).is_file():
        raise BundleError(f"{path}: already contains other files; choose a new folder")


def write(path: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Bundle:
    """Write a bundle atomically: `path` does not change until all files are written.

    Parameters
    ----------
    path : folder of the bundle. An existing bundle is replaced.
    manifest : entries of the manifest, except the format and the checksums, which are added.
    files : contents of the other files by name, including those of ``REQUIRED``.

    Returns
    -------
    The new bundle.

    Raises
    ------
    BundleError : `path` exists and is not a bundle, or cannot be written.
    """
    refuse_other(path)
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    manifest = {"format": FORMAT, **manifest, "sha256": sums}
    try:
        with replacing_folder(path) as new:
            for name, data in files.items():
                (new / name).write_bytes(data)
            text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
            (new / MANIFEST).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BundleError(f"{path}: cannot be written: {error.strerror}") from error
    return Bundle.load(path)
