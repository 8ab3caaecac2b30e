"""Caption: the result of captioning a photograph."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from showtell.proof import Proof
from showtell.region import Region
from showtell.things import Thing


@dataclass(frozen=True, eq=False)
class Caption:
    """A caption of a photograph, with an attention map for each word.

    Attributes
    ----------
    text : the caption, in lower case.
    words : the words of the caption, T of them.
    logprob : log-probability of the caption in nats, including the end-of-sentence token.
    confidence : expected share of correct visual words, 0..1. Without a confidence model in the
        bundle: geometric mean of the word probabilities, including the end-of-sentence token.
    attention : (T, rows, cols) float32. Each map sums to 1 and covers the whole photograph, or the
        whole `region`.
    probabilities : (T,) float32, probability of each word given the words before it.
    gates : (T,) float32, the gate β of each word, 0..1 (Xu et al., 2015, section 4.2.1).
    confidences : (T,) float32, probability that at least one of five people would use each word to
        describe the photograph. Without a confidence model: equal to `probabilities`.
    model : name of the model.
    alternatives : the other captions that the beam search found, best first. Their own
        `alternatives` are empty.
    warnings : messages about the photograph or the caption, such as that only the first of several
        frames is captioned.
    unsure : whether the caption is probably wrong, because the photograph is unlike the training
        data or the confidence is low. None without a confidence model.
    region : the captioned region: left, top, right and bottom in pixels of the upright photograph.
        None is the whole photograph.
    proof : how much each word depends on the cells that the model attended to. None unless
        requested; also None in older bundles, which do not support it.
    things : what the CNN's classifier recognises, most probable first. Empty without a classifier.
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
        attention : whether to include the attention maps, a list of rows * cols weights per word.
        alternatives : whether to include the alternatives.

        Returns
        -------
        The ``Caption`` object of the HTTP API, whose OpenAPI document describes each key.
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
    """Return nested lists of floats, rounded to six decimals to keep the JSON short."""
    return np.round(values.astype(np.float64), 6).tolist()
