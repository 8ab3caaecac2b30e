"""Validation: captions photographs by beam search and scores the captions."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from showtell.data import Photograph
from showtell.decoding import Step, beam_search
from showtell.evaluation.scores import quick
from showtell.train.model import ShowAttendTell, State
from showtell.vocab import Vocabulary, tokenize

BATCH = 50


class TorchStepModel:
    """A network as a :class:`~showtell.decoding.StepModel`."""

    def __init__(self, network: ShowAttendTell) -> None:
        self._network, self._decoder = network, network.decoder
        self._device = network.decoder.E.weight.device

    def start(self, features: Tensor) -> State:
        """Return the initial state, with one hypothesis per photograph, for features (B, L, C)."""
        state = self._decoder.start(self._network.see(features.to(self._device)))
        return state.of_hypotheses(lambda part: part.unsqueeze(1))  # (B, 1, ·)

    def step(self, state: State, words: np.ndarray) -> tuple[Step, State]:
        """Advance every hypothesis by its last word, `words` (B, k)."""
        *said, state = self._decoder.step(state, torch.from_numpy(words).to(self._device))
        return Step(*(part.float().cpu().numpy() for part in said)), state

    def select(self, state: State, photos: np.ndarray, beams: np.ndarray) -> State:
        """Return the state of the hypotheses `beams` (B', k') of the photographs `photos` (B',)."""
        rows, columns = torch.from_numpy(photos), torch.from_numpy(beams)
        state = state.of_hypotheses(lambda part: part[rows[:, None], columns])
        a, Ua = state.annotations[rows], state.projected[rows]
        return state._replace(annotations=a, projected=Ua)


def caption(
    network: ShowAttendTell, features: Iterator[Tensor], vocabulary: Vocabulary, beam: int
) -> list[tuple[str, ...]]:
    """Caption photographs by beam search, from batches of features (B, L, C)."""
    model = TorchStepModel(network)
    best = [
        hypotheses[0]
        for batch in features
        for hypotheses in beam_search(model, model.start(batch), len(batch), beam=beam)
    ]
    return [vocabulary.decode(hypothesis.words) for hypothesis in best]


@torch.inference_mode()
def score_captions(
    network: ShowAttendTell,
    features: Callable[[np.ndarray], Tensor],
    photographs: Sequence[Photograph],
    vocabulary: Vocabulary,
    beam: int,
) -> dict[str, float]:
    """Caption photographs and score the captions.

    Parameters
    ----------
    network : the network; its training mode is restored afterwards.
    features : maps indices (B,) of photographs to their features (B, L, C).
    photographs : photographs with reference captions.
    vocabulary : the network's vocabulary.
    beam : beam size.

    Returns
    -------
    ``bleu4`` and ``cider``, with captions tokenised by :func:`showtell.vocab.tokenize`.
    """
    training = network.training
    network.eval()
    indices = np.array_split(np.arange(len(photographs)), -(-len(photographs) // BATCH))
    captions = caption(network, map(features, indices), vocabulary, beam)
    network.train(training)
    references = {p.name: [tokenize(c) for c in p.captions] for p in photographs}
    bleu4, cider = quick(dict(zip(references, captions, strict=True)), references)
    return {"bleu4": round(bleu4, 4), "cider": round(cider, 4)}
