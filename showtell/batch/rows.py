"""Rows: what is told of each of many photographs, good or bad."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np

from showtell import image
from showtell.captioner import BEAM, Caption, Captioner
from showtell.decoding import MAX_LENGTH
from showtell.errors import ImageError
from showtell.limits import MAX_BYTES
from showtell.runtime import State


class Row(TypedDict):
    """One photograph of many; either `caption` or `error` is None.

    Attributes
    ----------
    image : its name.
    caption, logprob, confidence : as in :class:`~showtell.captioner.Caption`, six decimals.
    warning : what a reader should know of the photograph; None as a rule.
    error : why it could not be captioned.
    sha256 : of the file's bytes, hexadecimal; None where they could not be read in full.
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
    items: Sequence[tuple[str, bytes | Path]],
    *,
    beam: int = BEAM,
    max_length: int = MAX_LENGTH,
) -> list[Row]:
    """Caption photographs together; one that cannot be used is a row that tells why.

    Parameters
    ----------
    captioner : who captions.
    items : name, and the bytes or the path of the file, of each photograph. All are in memory
        together if they are bytes.
    beam, max_length : as in :meth:`~showtell.captioner.Captioner.caption`.

    Returns
    -------
    One row an item, in their order.
    """
    rows: list[Row] = []
    states: dict[int, State] = {}
    for i, (name, source) in enumerate(items):
        row = _empty(name, captioner.name)
        rows.append(row)
        try:
            data = source if isinstance(source, bytes) else image.read_file(source)
            row["sha256"] = digest(data)
            pixels, warnings = image.read_and_warn(data, captioner.bundle.image_size)
        except ImageError as error:
            row["error"] = str(error)
            continue
        row["warning"] = "; ".join(warnings) or None
        # One by one, which takes no longer on one thread, and a fourth of the memory.
        states[i] = captioner.encode([pixels])
    if states:
        together = State(*map(np.concatenate, zip(*states.values(), strict=True)))
        captions = captioner.decode(together, beam=beam, max_length=max_length)
        for i, caption in zip(states, captions, strict=True):
            _fill(rows[i], caption)
    return rows


def digest(data: bytes) -> str | None:
    """Return the SHA-256 of a file; None of one over the limit, of which `data` is a part."""
    return None if len(data) > MAX_BYTES else hashlib.sha256(data).hexdigest()


def error_row(name: str, model: str, error: str, sha256: str | None = None) -> Row:
    """Return the row of a photograph that could not be captioned."""
    return {**_empty(name, model), "error": error, "sha256": sha256}


def _empty(name: str, model: str) -> Row:
    return Row(
        image=name,
        caption=None,
        logprob=None,
        confidence=None,
        warning=None,
        error=None,
        sha256=None,
        model=model,
    )


def _fill(row: Row, caption: Caption) -> None:
    row["caption"] = caption.text
    row["warning"] = "; ".join(filter(None, (row["warning"], *caption.warnings))) or None
    row["logprob"] = round(caption.logprob, 6)
    row["confidence"] = round(caption.confidence, 6)
