"""Captioner: photographs in, captions out."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from showtell import image
from showtell.bundle import Bundle
from showtell.decoding import Hypothesis, beam_search
from showtell.runtime import Runtime
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
    """

    text: str
    words: tuple[str, ...]
    logprob: float
    confidence: float
    attention: np.ndarray
    probabilities: np.ndarray
    gates: np.ndarray
    model: str

    def to_dict(self, image: str | None = None) -> dict[str, Any]:
        """Return what ``showtell caption --json`` prints: plain types, `attention` a row a word."""
        n, rows, cols = self.attention.shape
        return {
            "image": image,
            "caption": self.text,
            "words": list(self.words),
            "logprob": self.logprob,
            "confidence": self.confidence,
            "grid": [rows, cols],
            "attention": _rounded(self.attention.reshape(n, rows * cols)),
            "probabilities": _rounded(self.probabilities),
            "gates": _rounded(self.gates),
            "model": self.model,
        }


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
        self._runtime = Runtime(bundle, threads)

    @overload  # a string is an iterable too, but the first signature comes first
    def caption(self, source: image.Source, *, beam: int = BEAM) -> Caption: ...  # type: ignore[overload-overlap]
    @overload
    def caption(self, source: Iterable[image.Source], *, beam: int = BEAM) -> list[Caption]: ...
    def caption(
        self, source: image.Source | Iterable[image.Source], *, beam: int = BEAM
    ) -> Caption | list[Caption]:
        """Caption one photograph, or several together.

        Parameters
        ----------
        source : a path, the bytes of a file, a Pillow image, or a uint8 array (H, W, 3);
            or a list of those.
        beam : width of the beam search, 1 or more; 1 is greedy.

        Raises
        ------
        ImageError : a photograph cannot be used.
        """
        if beam < 1:
            raise ValueError(f"beam is 1 or more, not {beam}")
        if isinstance(source, image.Source):
            return self._caption([source], beam)[0]
        sources = list(source)
        chunks = (sources[i : i + BATCH] for i in range(0, len(sources), BATCH))
        return [caption for chunk in chunks for caption in self._caption(chunk, beam)]

    def _caption(self, sources: list[Any], beam: int) -> list[Caption]:
        size = self.bundle.image_size
        pixels = np.stack([image.read(source, size) for source in sources])
        found = beam_search(self._runtime, self._runtime.encode(pixels), len(pixels), beam=beam)
        return [self._finish(hypotheses[0]) for hypotheses in found]

    def _finish(self, found: Hypothesis) -> Caption:
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
