"""Rows: one per photograph, with a caption or an error."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from showtell import image
from showtell.caption import Caption
from showtell.captioner import Captioner
from showtell.errors import ImageError
from showtell.limits import MAX_BYTES
from showtell.search import DEFAULTS, Search


class Row(TypedDict):
    """The result for one photograph. Either `caption` or `error` is None.

    Attributes
    ----------
    image : name of the photograph.
    caption, logprob, confidence : as in :class:`~showtell.caption.Caption`; numbers are rounded to
        six decimals.
    warning : the warnings of the caption, joined; None if there are none.
    error : why the photograph could not be captioned.
    sha256 : SHA-256 of the file, hexadecimal; None if it could not be read completely.
    model : name of the model.
    """

    image: str
    caption: str | None
    logprob: float | None
    confidence: float | None
    warning: str | None
    error: str | None
    sha256: str | None
    model: str


def caption_rows(
    captioner: Captioner,
    items: Sequence[tuple[str, bytes | Path | ImageError]],
    search: Search = DEFAULTS,
) -> list[Row]:
    """Caption photographs as a batch; one that cannot be read gets a row with the error.

    Parameters
    ----------
    captioner : the captioner.
    items : for each photograph, its name, and the bytes or the path of the file, or the error if
        the file cannot be read. All files are in memory at the same time.
    search : options of the captions.

    Returns
    -------
    One row per item, in the same order.
    """
    names, sources = [name for name, _ in items], [_content(source) for _, source in items]
    results = captioner.caption_each(sources, search)
    return [
        _row(captioner.name, name, source, result)
        for name, source, result in zip(names, sources, results, strict=True)
    ]


def _content(source: bytes | Path | ImageError) -> bytes | ImageError:
    try:
        return image.read_file(source) if isinstance(source, Path) else source
    except ImageError as error:
        return error


def _row(model: str, name: str, source: bytes | ImageError, result: Caption | ImageError) -> Row:
    sha256 = digest(source) if isinstance(source, bytes) else None
    if isinstance(result, ImageError):
        return error_row(name, model, str(result), sha256)
    return Row(
        image=name,
        caption=result.text,
        logprob=round(result.logprob, 6),
        confidence=round(result.confidence, 6),
        warning="; ".join(result.warnings) or None,
        error=None,
        sha256=sha256,
        model=model,
    )


def digest(data: bytes) -> str | None:
    """Return the SHA-256 of a file; None if it exceeds ``MAX_BYTES``, so that `data` is a part."""
    return None if len(data) > MAX_BYTES else hashlib.sha256(data).hexdigest()


def error_row(name: str, model: str, error: str, sha256: str | None = None) -> Row:
    """Return the row of a photograph that could not be captioned."""
    return Row(
        image=name,
        caption=None,
        logprob=None,
        confidence=None,
        warning=None,
        error=error,
        sha256=sha256,
        model=model,
    )
