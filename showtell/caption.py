"""Caption: the result for a photograph."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from showtell.proof import Proof
from showtell.region import Region
from showtell.things import Thing


@dataclass(frozen=True, eq=False)
class Caption:
    """A caption, and where the model looked for each of its words.

    Attributes
    ----------
    text : the caption as a sentence is written, in lower case.
    words : its words.
    logprob : natural logarithm of its probability, that of its end included.
    confidence : share of its words naming what is seen that is likely right, 0..1; in a bundle
        without a confidence model the geometric mean of all words' probabilities, the end included.
    attention : (words, rows, cols) float32; each map sums to 1 and covers all that is captioned.
    probabilities : (words,) float32, of each word behind those before it.
    gates : (words,) float32, the gate β of each word (Xu et al., 2015, section 4.2.1).
    confidences : (words,) float32, how likely it is that one of five people would say each word of
        this photograph; the probabilities in a bundle without a
        confidence model.
    model : name of the model.
    alternatives : what else the beam search found, the best first; they have none themselves.
    warnings : what a reader should know of the photograph, as that it has more frames than one.
    unsure : whether the caption is probably wrong: the photograph is unlike those that the model
        was trained on, or the confidence is low. None in a bundle without a
        confidence model.
    region : the part that is captioned: left, top, right and bottom in pixels of the upright
        photograph; None is all of it.
    proof : which words need what the model looked at; None unless it was asked for, and in older
        bundles, whose decoders take no fewer cells than the grid has.
    things : what the CNN's classifier sees, the likeliest first; none in older bundles.
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
    things: tuple[Thing, ...] = ()

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
        content: dict[str, Any] = {
            "image": image,
            **self._sentence(attention),
            "grid": list(self.attention.shape[1:]),
            "model": self.model,
            "unsure": self.unsure,
            "warnings": list(self.warnings),
            "things": [thing.to_dict() for thing in self.things],
        }
        if self.region:
            content["region"] = list(self.region)
        if alternatives:
            content["alternatives"] = [other._sentence(attention) for other in self.alternatives]
        return content

    def _sentence(self, attention: bool) -> dict[str, Any]:
        content = {
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
            content["attention"] = _rounded(self.attention.reshape(n, -1)) if n else []
        if self.proof:
            content["proof"] = {
                "attended": _rounded(self.proof.attended),
                "random": _rounded(self.proof.random),
                "seen": self.proof.seen.tolist(),
            }
        return content


def _rounded(values: np.ndarray) -> list[Any]:
    """Return nested lists of what float32 holds, six decimals: a third of the digits of float64."""
    return np.round(values.astype(np.float64), 6).tolist()
