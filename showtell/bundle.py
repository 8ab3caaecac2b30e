"""A bundle: the folder that holds a model and everything needed to run it. Nothing is pickled.

manifest.json   format, name, licence, origin, image size, grid, scores, SHA-256 of each file
vocab.json      the words in the order of their ids
encoder.onnx    uint8 RGB -> annotations, projected annotations, h0, c0
decoder.onnx    one step: words and state -> log-probabilities, attention, gate, next state
familiar.npy    what the training photographs have in common; older bundles lack it
things.json     names of what the encoder's classifier sees, and the words for them; optional
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
    """A bundle that was read and verified.

    Attributes
    ----------
    path : its folder.
    manifest : what manifest.json says.
    vocabulary : its words.
    """

    path: Path
    manifest: Mapping[str, Any]
    vocabulary: Vocabulary

    @property
    def image_size(self) -> int:
        """Width and height in pixels that photographs are squashed to."""
        return int(self.manifest["image_size"])

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the annotations."""
        rows, cols = self.manifest["grid"]
        return int(rows), int(cols)

    @classmethod
    def load(cls, model: str | Path | None = None) -> "Bundle":
        """Read and verify a bundle.

        Parameters
        ----------
        model : its folder, ``hf://owner/name``, or None for the one that ships.

        Raises
        ------
        BundleError : it is missing, damaged, or of a newer format.
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
                f"the model was made for {manifest['vocabulary_size']}"
            )
        return bundle

    @property
    def card(self) -> str:
        """The model card.

        Raises
        ------
        BundleError : it cannot be read.
        """
        return read_file(self.path / CARD, MAX_TEXT).decode(errors="replace")


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise BundleError(f"{path}: there is no such folder; a model is the folder of a bundle")
    manifest = _read_json(path / MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        raise BundleError(f"{path / MANIFEST}: not the manifest of a bundle")
    if manifest["format"] > FORMAT:
        raise BundleError(
            f"{path}: written in format {manifest['format']}, this version reads up to {FORMAT}; "
            "upgrade showtell"
        )
    if missing := _RIGHT.keys() - manifest.keys():
        raise BundleError(f"{path / MANIFEST}: lacks {', '.join(sorted(missing))}")
    if wrong := [name for name, is_right in _RIGHT.items() if not is_right(manifest[name])]:
        raise BundleError(f"{path / MANIFEST}: not the manifest of a bundle: its {wrong[0]} is odd")
    if missing := set(REQUIRED) - manifest["sha256"].keys():
        raise BundleError(f"{path / MANIFEST}: lists no checksum of {', '.join(sorted(missing))}")
    return manifest


def _is_size(value: object) -> bool:
    return type(value) is int and 1 <= value <= 4096


# What the entries of a manifest may be: a stranger's could ask for any amount of memory.
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
    """Refuse what is nested so deeply that it could not be written again."""
    if not deeper:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _require_flat(inner, deeper - 1)


def read_file(path: Path, limit: int) -> bytes:
    """Return the contents of a file of a bundle: a regular one, inside of its folder.

    Of what the Hugging Face hub fetched, files are links to those beside the folder, which may be.

    Raises
    ------
    BundleError : it is missing, something else than that, larger than `limit`, or cannot be read.
    """
    folder = path.parent.parents[1] if path.parent.parent.name == "snapshots" else path.parent
    try:
        if not path.resolve(strict=True).is_relative_to(folder.resolve()):
            raise BundleError(f"{path}: leads out of the bundle; put the file itself there")
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{path}: not a regular file")
            if status.st_size > limit:
                raise BundleError(f"{path}: has {status.st_size:,} bytes, {limit:,} may be")
            return file.read(limit)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: missing; the folder is not a whole bundle") from error
    except (OSError, RuntimeError) as error:  # the latter of a loop of links
        reason = getattr(error, "strerror", None) or error
        raise BundleError(f"{path}: cannot be read: {reason}") from error


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would be waited for


def _verify(path: Path, name: str, digest: str) -> None:
    if name in ("", "..") or Path(name).name != name or not name.isprintable():
        raise BundleError(f"{path / MANIFEST}: names a file outside the bundle: {name!a}")
    data = read_file(path / name, MAX_GRAPH)
    if hashlib.sha256(data).hexdigest() != digest:
        raise BundleError(f"{path / name}: damaged (its checksum is wrong); copy the bundle again")
    try:
        # Of that file no checksum would be known.
        if name.endswith(".onnx") and names_another_file(data):
            raise BundleError(
                f"{path / name}: keeps weights in another file; export it as one file"
            )
    except ValueError as error:
        raise BundleError(f"{path / name}: not a graph: {error}") from error


def _read_vocabulary(path: Path) -> Vocabulary:
    try:
        return Vocabulary(tuple(_read_json(path)))
    except (TypeError, ValueError) as error:
        raise BundleError(f"{path}: not a vocabulary: {error}") from error


def _from_hub(name: str) -> Path:
    """Fetch a bundle from the Hugging Face hub, or find it where an earlier call put it."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError(f"hf://{name}", "hub") from error
    try:
        return Path(
            snapshot_download(name, allow_patterns=[MANIFEST, *REQUIRED, COMPONENTS, THINGS, CARD])
        )
    except Exception as error:  # the hub's, the network's and the file system's
        raise BundleError(f"hf://{name}: cannot be fetched: {error}") from error


def refuse_other(path: Path) -> None:
    """Raise a BundleError when `path` holds something that is no bundle."""
    if path.exists() and not (path / MANIFEST).is_file():
        raise BundleError(f"{path}: holds something else already; name a new folder")


def write(path: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Bundle:
    """Write a bundle as a whole: until everything is on disk, `path` stays as it was.

    Parameters
    ----------
    path : its folder; a bundle that is there already is replaced.
    manifest : everything but the format and the checksums, which are added here.
    files : contents of the other files by name, those of ``REQUIRED`` among them.

    Raises
    ------
    BundleError : `path` holds something that is no bundle, or cannot be written.
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
