"""Captioner: photographs in, captions out."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, overload

import numpy as np

from showtell import doubt, image
from showtell.bundle import Bundle
from showtell.decoding import MAX_LENGTH, Hypothesis, beam_search
from showtell.errors import ImageError
from showtell.proof import Proof, prove
from showtell.region import Region
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
    confidence : share of its words naming what is seen that is likely right, 0..1; in a bundle
        without doubt the geometric mean of all words' probabilities, the end included.
    attention : (words, rows, cols) float32; each map sums to 1 and covers all that is captioned.
    probabilities : (words,) float32, of each word behind those before it.
    gates : (words,) float32, the gate β of each word (Xu et al., 2015, section 4.2.1).
    confidences : (words,) float32, how likely it is that one of five people would say each word of
        this photograph; the probabilities in a bundle without doubt.
    model : name of the model.
    alternatives : what else the beam search found, the best first; they have none themselves.
    warnings : what a reader should know of the photograph, as that it has more frames than one.
    unsure : whether the photograph is unlike those that the model was trained on; then confidences,
        which hold for photographs like those, say nothing. None in a bundle without doubt.
    region : the part that is captioned: left, top, right and bottom in pixels of the upright
        photograph; None is all of it.
    proof : which words need what the model looked at; None unless it was asked for, and in older
        bundles, whose decoders take no fewer cells than the grid has.
    """

    text: str
    words: tuple[str, ...]
    logprob: float
    confidence: float
    attention: np.ndarray
    probabilities: np.ndarray
    gates: np.ndarray
    confidences: np.ndarray
    model: str
    alternatives: tuple["Caption", ...] = ()
    warnings: tuple[str, ...] = ()
    unsure: bool | None = None
    region: Region | None = None
    proof: Proof | None = None

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
            "unsure": self.unsure,
            "warnings": list(self.warnings),
        }
        if self.region:
            told["region"] = list(self.region)
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
            "confidences": _rounded(self.confidences),
        }
        if attention:
            n = len(self.words)
            told["attention"] = _rounded(self.attention.reshape(n, -1)) if n else []
        if self.proof:
            told["proof"] = {
                "attended": _rounded(self.proof.attended),
                "random": _rounded(self.proof.random),
                "seen": self.proof.seen.tolist(),
            }
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
        self.doubt = doubt.read(bundle, self.runtime.annotation)

    @overload  # a string is an iterable too, but the first signature comes first
    def caption(  # type: ignore[overload-overlap]
        self,
        source: image.Source,
        *,
        beam: int = ...,
        max_length: int = ...,
        region: Region | None = ...,
        proof: bool = ...,
    ) -> Caption: ...
    @overload
    def caption(
        self,
        source: Iterable[image.Source],
        *,
        beam: int = ...,
        max_length: int = ...,
        region: Region | None = ...,
        proof: bool = ...,
    ) -> list[Caption]: ...
    def caption(
        self,
        source: image.Source | Iterable[image.Source],
        *,
        beam: int = BEAM,
        max_length: int = MAX_LENGTH,
        region: Region | None = None,
        proof: bool = False,
    ) -> Caption | list[Caption]:
        """Caption one photograph, or several together.

        Parameters
        ----------
        source : a path, the bytes of a file, a Pillow image, or a uint8 array (H, W, 3);
            or a list of those.
        beam : width of the beam search, 1 or more; 1 is greedy.
        max_length : words at most, 1 or more.
        region : the part to caption, as if nothing were around it: left, top, right and bottom in
            pixels of each upright photograph; None is all of it.
        proof : whether to find out which words need what the model looked at.

        Raises
        ------
        ImageError : a photograph cannot be used.
        RegionError : the region is empty, or not all of it is inside a photograph.
        """
        if beam < 1 or max_length < 1:
            raise ValueError(f"beam and max_length are 1 or more, not {beam} and {max_length}")
        if isinstance(source, image.Source):
            return self._caption([source], beam, max_length, region, proof)[0]
        sources = list(source)
        chunks = (sources[i : i + BATCH] for i in range(0, len(sources), BATCH))
        found = (self._caption(chunk, beam, max_length, region, proof) for chunk in chunks)
        return list(chain.from_iterable(found))

    def caption_each(
        self,
        sources: Iterable[image.Source],
        *,
        beam: int = BEAM,
        max_length: int = MAX_LENGTH,
        region: Region | None = None,
        proof: bool = False,
    ) -> list[Caption | ImageError]:
        """Caption several photographs together; of one that cannot be used, return the error.

        Options are those of :meth:`caption`.
        """
        read = [self._try_to_read(source, region) for source in sources]
        pixels = [got[0] for got in read if not isinstance(got, ImageError)]
        found = iter(self.caption(pixels, beam=beam, max_length=max_length, proof=proof))
        return [
            got if isinstance(got, ImageError) else _told(next(found), got[1], region)
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
        pixels, _ = self._read(sources, None)
        return self.runtime.encode(pixels)

    def decode(
        self, state: State, *, beam: int = BEAM, max_length: int = MAX_LENGTH
    ) -> list[Caption]:
        """Caption the photographs of :meth:`encode`; options as in :meth:`caption`."""
        found = beam_search(self.runtime, state, len(state.h), beam=beam, max_length=max_length)
        unsure = self._unsure(state.annotations)
        return [self._finish(u, *hypotheses) for u, hypotheses in zip(unsure, found, strict=True)]

    def _unsure(self, annotations: np.ndarray) -> Sequence[bool | None]:
        """Tell which photographs are strange; None of each where the bundle knows no doubt."""
        if self.doubt is None:
            return [None] * len(annotations)
        return (self.doubt.strangeness(annotations) > self.doubt.limit).tolist()

    def _read(
        self, sources: Iterable[image.Source], region: Region | None
    ) -> tuple[np.ndarray, list[tuple[str, ...]]]:
        """Return the pixels (B, size, size, 3) of photographs, and the warnings of each."""
        read = [image.read_and_warn(source, self.bundle.image_size, region) for source in sources]
        return np.stack([pixels for pixels, _ in read]), [warnings for _, warnings in read]

    def _try_to_read(
        self, source: image.Source, region: Region | None
    ) -> tuple[np.ndarray, tuple[str, ...]] | ImageError:
        try:
            return image.read_and_warn(source, self.bundle.image_size, region)
        except ImageError as error:
            # Its frames would keep the photograph in memory for as long as the garbage collector
            # lets them.
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)

    def _caption(
        self, sources: list[Any], beam: int, max_length: int, region: Region | None, proof: bool
    ) -> list[Caption]:
        pixels, warnings = self._read(sources, region)
        state = self.runtime.encode(pixels)
        found = self.decode(state, beam=beam, max_length=max_length)
        proofs = [self._prove(state, i, c) if proof else None for i, c in enumerate(found)]
        return [
            replace(_told(caption, told, region), proof=proved)
            for caption, told, proved in zip(found, warnings, proofs, strict=True)
        ]

    def _prove(self, state: State, photo: int, caption: Caption) -> Proof | None:
        """Prove the caption of one of the photographs; None where there is nothing to prove."""
        if not caption.words or not self.runtime.cells_vary:
            return None
        _, *words, _ = self.bundle.vocabulary.encode(caption.words)
        alone = self.runtime.select(state, np.array([photo]), np.zeros((1, 1), np.int64))
        return prove(self.runtime, alone, words)

    def _finish(self, unsure: bool | None, found: Hypothesis, *others: Hypothesis) -> Caption:
        n = len(found.words)
        words = self.bundle.vocabulary.decode(found.words)
        probabilities, gates = np.exp(found.logprobs[:n]), found.betas[:n]
        confidences, confidence = probabilities, math.exp(found.logprobs.mean())
        if self.doubt:
            told = self.doubt.confidences(words, probabilities, gates, found.logprob)
            confidences, confidence = told.astype(np.float32), doubt.of_caption(words, told)
        return Caption(
            text=detokenize(words),
            words=words,
            logprob=found.logprob,
            confidence=confidence,
            attention=found.alphas[:n].reshape(n, *self.bundle.grid),
            probabilities=probabilities,
            gates=gates,
            confidences=confidences,
            model=self.name,
            alternatives=tuple(self._finish(unsure, other) for other in others),
            warnings=(doubt.STRANGE,) if unsure else (),
            unsure=unsure,
        )


def _told(caption: Caption, warnings: tuple[str, ...], region: Region | None) -> Caption:
    """Return a caption with what is known of its photograph."""
    return replace(caption, warnings=warnings + caption.warnings, region=region)


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
