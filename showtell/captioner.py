"""Captioner: photographs in, captions out."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np

from showtell import image
from showtell.bundle import Bundle
from showtell.decoding import MAX_LENGTH, Hypothesis, beam_search
from showtell.errors import ImageError
from showtell.runtime import Runtime, State
from showtell.vocab import detokenize

BEAM = 5
BATCH = 32


@dataclass(frozen=True, eq=False)
class Caption:
    """A caption, and where the model looked for each of its words.

    Attributes
    ----------
    text : the caption as a sentence is written, in lower case.
    words : its words.
    logprob : natural logarithm of its probability, that of its end included.
    confidence : geometric mean of the words' probabilities, the end included; 0..1.
    attention : (words, rows, cols) float32; each map sums to 1 and covers the whole photograph.
    probabilities : (words,) float32, of each word behind those before it.
    gates : (words,) float32, the gate β of each word (Xu et al., 2015, section 4.2.1).
    model : name of the model.
    alternatives : what else the beam search found, the best first; they have none themselves.
    warnings : what a reader should know of the photograph, as that it has more frames than one.
    """

    text: str
    words: tuple[str, ...]
    logprob: float
    confidence: float
    attention: np.ndarray
    probabilities: np.ndarray
    gates: np.ndarray
    model: str
    alternatives: tuple["Caption", ...] = ()
    warnings: tuple[str, ...] = ()

    def to_dict(
        self, image: str | None = None, *, attention: bool = True, alternatives: bool = False
    ) -> dict[str, Any]:
        """Return what ``showtell caption --json`` prints, in plain types.

        Parameters
        ----------
        image : name of the photograph.
        attention : whether to tell the maps: rows * cols numbers a word.
        alternatives : whether to tell the alternatives, each as the caption is told itself.
        """
        told: dict[str, Any] = {
            "image": image,
            **self._sentence(attention),
            "grid": list(self.attention.shape[1:]),
            "model": self.model,
            "warnings": list(self.warnings),
        }
        if alternatives:
            told["alternatives"] = [other._sentence(attention) for other in self.alternatives]
        return told

    def _sentence(self, attention: bool) -> dict[str, Any]:
        told = {
            "caption": self.text,
            "words": list(self.words),
            "logprob": self.logprob,
            "confidence": self.confidence,
            "probabilities": _rounded(self.probabilities),
            "gates": _rounded(self.gates),
        }
        if attention:
            n = len(self.words)
            told["attention"] = _rounded(self.attention.reshape(n, -1)) if n else []
        return told


def _rounded(values: np.ndarray) -> list[Any]:
    """Return nested lists of what float32 holds, six decimals: a third of the digits of float64."""
    return np.round(values.astype(np.float64), 6).tolist()


class Captioner:
    """Captions photographs with the model of a bundle; make one and keep it.

    Parameters
    ----------
    bundle : the model.
    threads : how many a single photograph may use; None is one for each core.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.bundle = bundle
        self.name: str = bundle.manifest["name"]
        self.runtime = Runtime(bundle, threads)

    @overload  # a string is an iterable too, but the first signature comes first
    def caption(  # type: ignore[overload-overlap]
        self, source: image.Source, *, beam: int = ..., max_length: int = ...
    ) -> Caption: ...
    @overload
    def caption(
        self, source: Iterable[image.Source], *, beam: int = ..., max_length: int = ...
    ) -> list[Caption]: ...
    def caption(
        self,
        source: image.Source | Iterable[image.Source],
        *,
        beam: int = BEAM,
        max_length: int = MAX_LENGTH,
    ) -> Caption | list[Caption]:
        """Caption one photograph, or several together.

        Parameters
        ----------
        source : a path, the bytes of a file, a Pillow image, or a uint8 array (H, W, 3);
            or a list of those.
        beam : width of the beam search, 1 or more; 1 is greedy.
        max_length : words at most, 1 or more.

        Raises
        ------
        ImageError : a photograph cannot be used.
        """
        if beam < 1 or max_length < 1:
            raise ValueError(f"beam and max_length are 1 or more, not {beam} and {max_length}")
        if isinstance(source, image.Source):
            return self._caption([source], beam, max_length)[0]
        sources = list(source)
        chunks = (sources[i : i + BATCH] for i in range(0, len(sources), BATCH))
        return [caption for chunk in chunks for caption in self._caption(chunk, beam, max_length)]

    def caption_each(
        self,
        sources: Iterable[image.Source],
        *,
        beam: int = BEAM,
        max_length: int = MAX_LENGTH,
    ) -> list[Caption | ImageError]:
        """Caption several photographs together; of one that cannot be used, return the error.

        Options are those of :meth:`caption`.
        """
        read = [self._try_to_read(source) for source in sources]
        pixels = [got[0] for got in read if not isinstance(got, ImageError)]
        captions = iter(self.caption(pixels, beam=beam, max_length=max_length))
        return [
            got if isinstance(got, ImageError) else replace(next(captions), warnings=got[1])
            for got in read
        ]

    def encode(self, sources: Iterable[image.Source]) -> State:
        """Return what the model knows of photographs before the first word.

        Parameters
        ----------
        sources : see :meth:`caption`; all of them are in memory together.

        Raises
        ------
        ImageError : a photograph cannot be used.
        """
        pixels, _ = self._read(sources)
        return self.runtime.encode(pixels)

    def decode(
        self, state: State, *, beam: int = BEAM, max_length: int = MAX_LENGTH
    ) -> list[Caption]:
        """Caption the photographs of :meth:`encode`; options as in :meth:`caption`."""
        found = beam_search(self.runtime, state, len(state.h), beam=beam, max_length=max_length)
        return [self._finish(*hypotheses) for hypotheses in found]

    def _read(self, sources: Iterable[image.Source]) -> tuple[np.ndarray, list[tuple[str, ...]]]:
        """Return the pixels (B, size, size, 3) of photographs, and the warnings of each."""
        read = [image.read_and_warn(source, self.bundle.image_size) for source in sources]
        return np.stack([pixels for pixels, _ in read]), [warnings for _, warnings in read]

    def _try_to_read(self, source: image.Source) -> tuple[np.ndarray, tuple[str, ...]] | ImageError:
        try:
            return image.read_and_warn(source, self.bundle.image_size)
        except ImageError as error:
            return error

    def _caption(self, sources: list[Any], beam: int, max_length: int) -> list[Caption]:
        pixels, warnings = self._read(sources)
        found = self.decode(self.runtime.encode(pixels), beam=beam, max_length=max_length)
        return [replace(c, warnings=told) for c, told in zip(found, warnings, strict=True)]

    def _finish(self, found: Hypothesis, *others: Hypothesis) -> Caption:
        n = len(found.words)
        words = self.bundle.vocabulary.decode(found.words)
        return Caption(
            text=detokenize(words),
            words=words,
            logprob=found.logprob,
            confidence=math.exp(found.logprobs.mean()),
            attention=found.alphas[:n].reshape(n, *self.bundle.grid),
            probabilities=np.exp(found.logprobs[:n]),
            gates=found.betas[:n],
            model=self.name,
            alternatives=tuple(self._finish(other) for other in others),
        )


def load(model: str | Path | None = None, threads: int | None = None) -> Captioner:
    """Load a captioner.

    Parameters
    ----------
    model : a bundle's folder, ``hf://owner/name``, or None for the model that ships.
    threads : see :class:`Captioner`.

    Raises
    ------
    BundleError : the bundle is missing, damaged, or of a newer format.
    """
    return Captioner(Bundle.load(model), threads)
