"""Captioner: captions photographs with the model of a bundle."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np

from showtell import image, mention
from showtell.bundle import Bundle
from showtell.caption import Caption
from showtell.confidence import (
    LOW_CONFIDENCE,
    OUT_OF_DISTRIBUTION,
    ConfidenceModel,
    visual_mean,
)
from showtell.decoding import Hypothesis, beam_search, require_room
from showtell.errors import ImageError
from showtell.proof import Proof, prove
from showtell.region import Region
from showtell.runtime import Encoded, Runtime, State, join
from showtell.search import DEFAULTS, Search
from showtell.things import Names, Thing
from showtell.vocab import detokenize

BATCH = 32  # photographs per batch of the decoder
ENCODED = 4  # photographs per batch of the encoder

T = TypeVar("T")


class Captioner:
    """Captions photographs with the model of a bundle.

    Create one captioner and reuse it: loading a model takes time. Threads may share it.

    Parameters
    ----------
    bundle : the model.
    threads : number of threads for the encoder; None is one per available core.

    Raises
    ------
    BundleError : the bundle cannot be run.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.bundle = bundle
        self.name: str = bundle.manifest["name"]
        self.runtime = Runtime(bundle, threads)
        self.confidence_model = ConfidenceModel.read(bundle, self.runtime.annotation)
        n_things = self.runtime.n_things
        self.things = Names.read(bundle, n_things) if n_things else None

    @overload  # a string is also an iterable, but the first matching signature is used
    def caption(self, source: image.Source, search: Search = ..., **options: Any) -> Caption: ...
    @overload
    def caption(
        self, source: Iterable[image.Source], search: Search = ..., **options: Any
    ) -> list[Caption]: ...
    def caption(
        self,
        source: image.Source | Iterable[image.Source],
        search: Search = DEFAULTS,
        **options: Any,
    ) -> Caption | list[Caption]:
        """Caption one photograph or several.

        Parameters
        ----------
        source : a path, the bytes of a file, a Pillow image, or a uint8 array (H, W, 3) in RGB;
            or an iterable of these.
        search : options of the search.
        options : fields of :class:`~showtell.search.Search`, such as ``beam=1``. They override
            those of `search`.

        Returns
        -------
        A :class:`Caption` for one source, a list of them for an iterable, in the same order.

        Raises
        ------
        ImageError : a photograph cannot be read.
        RegionError : the region is empty, or not inside a photograph.
        OptionError : an option is out of range, or a word to mention is not in the vocabulary.
        """
        if isinstance(source, image.Source):
            return self.caption([source], search, **options)[0]
        results = self._results(source, replace(search, **options))
        return [_or_raise(result) for result in results]

    def caption_each(
        self,
        sources: Iterable[image.Source | ImageError],
        search: Search = DEFAULTS,
        **options: Any,
    ) -> list[Caption | ImageError]:
        """Caption several photographs; return an error in place of each that cannot be read.

        Parameters
        ----------
        sources : as for :meth:`caption`. An :class:`~showtell.errors.ImageError` among them is
            returned in its place.
        search, options : as for :meth:`caption`.

        Returns
        -------
        One caption or error per source, in the same order.

        Raises
        ------
        OptionError : see :meth:`caption`.
        """
        return list(self._results(sources, replace(search, **options)))

    def require_possible(self, search: Search) -> None:
        """Raise an OptionError if no caption of this model can mention the words of `search`."""
        require_room(mention.asked(search.mention, self.bundle, self.things), search.max_length)

    def encode(self, sources: Iterable[image.Source]) -> Encoded:
        """Encode photographs, for :meth:`decode`.

        Parameters
        ----------
        sources : as for :meth:`caption`. All are in memory at the same time.

        Returns
        -------
        The encoder's outputs for all photographs: see :class:`~showtell.runtime.Encoded`.

        Raises
        ------
        ImageError : a photograph cannot be read.
        """
        inputs = [self._read(source, None) for source in sources]
        return self._encode([_or_raise(result) for result in inputs], places=False)

    def decode(self, encoded: Encoded, search: Search = DEFAULTS, **options: Any) -> list[Caption]:
        """Caption photographs that :meth:`encode` has encoded.

        Parameters
        ----------
        encoded : from :meth:`encode`.
        search, options : as for :meth:`caption`. `region` and `proof` have no effect here.

        Returns
        -------
        One caption per photograph, in the same order.

        Raises
        ------
        OptionError : see :meth:`caption`.
        """
        search = replace(search, **options)
        hypotheses = self._search(encoded, search)
        unusual = self._out_of_distribution(encoded.state.annotations)
        return [
            self._caption(encoded, photo, unusual[photo], ranked)
            for photo, ranked in enumerate(hypotheses)
        ]

    def _search(self, encoded: Encoded, search: Search) -> list[list[Hypothesis]]:
        """Return the hypotheses of each photograph, best first.

        Without words to mention, the search runs again if the classifier is certain of a thing that
        the best caption does not mention; the new captions must mention it.
        """
        n, limits = len(encoded.state.h), {"beam": search.beam, "max_length": search.max_length}
        sets = mention.asked(search.mention, self.bundle, self.things)
        results = beam_search(self.runtime, encoded.state, n, mention=[sets] * n, **limits)
        if sets or self.things is None or encoded.things is None:
            return results
        vocabulary = self.bundle.vocabulary
        for photo, (seen, (best, *_)) in enumerate(zip(encoded.things, results, strict=True)):
            words = vocabulary.decode(best.words)
            if lacks := mention.missing(seen, words, vocabulary, self.things):
                state = self._alone(encoded.state, photo)
                results[photo] = beam_search(self.runtime, state, 1, mention=[lacks], **limits)[0]
        return results

    def _alone(self, state: State, photo: int) -> State:
        return self.runtime.select(state, np.array([photo]), np.zeros((1, 1), np.int64))

    def _caption(
        self, encoded: Encoded, photo: int, unusual: bool, hypotheses: Sequence[Hypothesis]
    ) -> Caption:
        """Return the best caption of a photograph, with its alternatives."""
        sentences = [self._sentence(encoded, photo, each) for each in hypotheses]
        unsure = None
        if self.confidence_model:
            least = self.confidence_model.least_confidence
            unsure = unusual or sentences[0].confidence < least
        warnings = (OUT_OF_DISTRIBUTION if unusual else LOW_CONFIDENCE,) if unsure else ()
        things = self._things(encoded, photo)
        caption, *others = (
            replace(sentence, unsure=unsure, warnings=warnings, things=things)
            for sentence in sentences
        )
        return replace(caption, alternatives=tuple(others))

    def _things(self, encoded: Encoded, photo: int) -> tuple[Thing, ...]:
        """Return the things that the classifier recognises in a photograph."""
        if self.things is None or encoded.things is None:
            return ()
        places = None if encoded.places is None else encoded.places[photo]
        return self.things.seen(encoded.things[photo], places, self.bundle.grid)

    def evidence(self, encoded: Encoded, photo: int, words: Sequence[str]) -> np.ndarray:
        """Return what classifier and detector say for and against the words of a caption, (T, 4).

        Three numbers from :meth:`~showtell.things.Names.evidence`, and the detector's evidence for
        the word; 0 where the bundle has no classifier or no detector.
        """
        found = np.zeros((len(words), 4))
        if self.things is not None and encoded.things is not None:
            found[:, :3] = self.things.evidence(words, encoded.things[photo])
        if encoded.state.evidence is not None:
            ids = [self.bundle.vocabulary.id(word) for word in words]
            found[:, 3] = encoded.state.evidence[photo, 0, ids]
        return found

    def _results(
        self, sources: Iterable[image.Source | ImageError], search: Search
    ) -> Iterator[Caption | ImageError]:
        """Caption photographs, batch by batch: read, encode, decode, explain."""
        remaining = iter(sources)
        while batch := list(islice(remaining, BATCH)):
            inputs = [self._read(source, search.region) for source in batch]
            captions = iter(self._captions([i for i in inputs if isinstance(i, _Input)], search))
            yield from (i if isinstance(i, ImageError) else next(captions) for i in inputs)

    def _captions(self, inputs: Sequence["_Input"], search: Search) -> list[Caption]:
        if not inputs:
            return []
        encoded = self._encode(inputs, places=search.things)
        captions = self.decode(encoded, search)
        return [
            replace(
                caption,
                warnings=inputs[i].warnings + caption.warnings,
                region=search.region,
                proof=self._prove(encoded.state, i, caption) if search.proof else None,
            )
            for i, caption in enumerate(captions)
        ]

    def _read(
        self, source: image.Source | ImageError, region: Region | None
    ) -> "_Input | ImageError":
        try:
            if isinstance(source, ImageError):
                raise source
            return _Input(*image.read_and_warn(source, self.bundle.image_size, region))
        except ImageError as error:
            return _without_frames(error)

    def _encode(self, inputs: Sequence["_Input"], places: bool) -> Encoded:
        """Encode photographs, `ENCODED` at a time: more is no faster and takes more memory."""
        pixels = [i.pixels for i in inputs]
        parts = (pixels[i : i + ENCODED] for i in range(0, len(pixels), ENCODED))
        encoded = [self.runtime.encode(np.stack(part), places) for part in parts]
        states, things, where = zip(*encoded, strict=True)
        return Encoded(join(states), _joined(things), _joined(where))

    def _out_of_distribution(self, annotations: np.ndarray) -> Sequence[bool]:
        """Return whether each photograph is out of distribution, according to the confidence model.

        All are False without a confidence model.
        """
        model = self.confidence_model
        if model is None:
            return [False] * len(annotations)
        return (model.ood_score(annotations) > model.ood_limit).tolist()

    def _prove(self, state: State, photo: int, caption: Caption) -> Proof | None:
        """Return the proof of a caption; None if it has no words or the bundle is too old."""
        if not caption.words or not self.runtime.cells_vary:
            return None
        _, *words, _ = self.bundle.vocabulary.encode(caption.words)
        return prove(self.runtime, self._alone(state, photo), words)

    def _sentence(self, encoded: Encoded, photo: int, hypothesis: Hypothesis) -> Caption:
        """Return a hypothesis as a caption of the photograph `photo`."""
        n = len(hypothesis.words)
        words = self.bundle.vocabulary.decode(hypothesis.words)
        probabilities, gates = np.exp(hypothesis.logprobs[:n]), hypothesis.betas[:n]
        confidences, confidence = probabilities, math.exp(hypothesis.logprobs.mean())
        if model := self.confidence_model:
            evidence = self.evidence(encoded, photo, words)
            values = model.confidences(words, probabilities, gates, hypothesis.logprob, evidence)
            confidences, confidence = values.astype(np.float32), visual_mean(words, values)
        return Caption(
            text=detokenize(words),
            words=words,
            logprob=hypothesis.logprob,
            confidence=confidence,
            attention=hypothesis.alphas[:n].reshape(n, *self.bundle.grid),
            probabilities=probabilities,
            gates=gates,
            confidences=confidences,
            model=self.name,
        )


class _Input(NamedTuple):
    """A photograph as input of the model.

    Attributes
    ----------
    pixels : uint8 RGB (size, size, 3).
    warnings : messages about the file, for :attr:`Caption.warnings`.
    """

    pixels: np.ndarray
    warnings: tuple[str, ...]


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def _without_frames(error: ImageError) -> ImageError:
    """Remove the tracebacks of an error, whose frames would keep the photograph in memory."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


def _or_raise(result: T | ImageError) -> T:
    if isinstance(result, ImageError):
        raise result
    return result


def load(model: str | Path | None = None, threads: int | None = None) -> Captioner:
    """Load a model and return a captioner.

    Parameters
    ----------
    model : folder of a bundle, ``hf://owner/name`` on the Hugging Face hub, or None for the model
        that ships.
    threads : number of threads for the encoder; None is one per available core.

    Raises
    ------
    BundleError : the bundle is missing, damaged, or of a newer format.
    MissingExtraError : ``hf://`` was given, and the extra ``hub`` is not installed.
    """
    return Captioner(Bundle.load(model), threads)
