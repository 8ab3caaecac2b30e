"""The model of *Show, Attend and Tell* (Xu et al., 2015, arXiv 1502.03044).

The symbols are the paper's: a are the annotations, h and c the LSTM's hidden state and memory, E
the word embedding, z the context vector, α the attention weights and β the gate. The dimensions are
B photographs, L annotations of size D, k hypotheses or N captions, T words, and V words in the
vocabulary.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from showtell.train.data import rows_by_step
from showtell.train.detector import WordDetector, classifier_of, pool
from showtell.train.encoder import Encoder
from showtell.train.recipe import DecoderRecipe, DetectorRecipe
from showtell.vocab import PAD

# Maps α (N, L) to the weights s (N, L) of the annotations. None uses α itself: soft attention,
# and the expectation of hard attention. Validation and inference use None.
Look = Callable[[Tensor], Tensor] | None


AGAINST = 30.0  # negative evidence for a generated word that captions seldom repeat


class Seen(NamedTuple):
    """The decoder's inputs for photographs.

    Attributes
    ----------
    features : (B, L, C) features from the encoder.
    words : (B, V) evidence for each word from the word detector; None without a detector.
    """

    features: Tensor
    words: Tensor | None = None

    @property
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self.features.device


NetworkInput = Tensor | Seen  # see ShowAttendTell.see


class State(NamedTuple):
    """The state of the decoder before a word.

    Attributes
    ----------
    annotations : (B, L, D) annotations a.
    projected : (B, L, A) projection U a, constant over the words.
    h, c : (B, n), or (B, k, n) for k hypotheses of each photograph.
    evidence : (B, V) or (B, k, V) evidence for each word; None without a word detector.
    """

    annotations: Tensor
    projected: Tensor
    h: Tensor
    c: Tensor
    evidence: Tensor | None = None

    def each(self, change: Callable[[Tensor], Tensor]) -> "State":
        """Return the state with `change` applied to each tensor."""
        annotations, projected, h, c = map(change, self[:4])
        evidence = None if self.evidence is None else change(self.evidence)
        return State(annotations, projected, h, c, evidence)

    def of_hypotheses(self, change: Callable[[Tensor], Tensor]) -> "State":
        """Return the state with `change` applied to each tensor that differs by hypothesis."""
        evidence = None if self.evidence is None else change(self.evidence)
        return self._replace(h=change(self.h), c=change(self.c), evidence=evidence)

    def first(self, rows: int) -> "State":
        """Return the state of the first rows."""
        return self.each(lambda part: part[:rows])


class Attention(nn.Module):
    """Attention (section 3.1.2): e = v·tanh(U a + W h), α = softmax e, z = β Σ s a.

    In soft attention (section 4.2) s is α; in hard attention (4.1) it is a location sampled from α.
    """

    def __init__(self, annotation: int, hidden: int, size: int) -> None:
        super().__init__()
        self.U = nn.Linear(annotation, size)
        self.W = nn.Linear(hidden, size, bias=False)
        self.v = nn.Linear(size, 1, bias=False)
        self.gate = nn.Linear(hidden, 1)

    def forward(
        self, a: Tensor, Ua: Tensor, h: Tensor, look: Look = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attend to the annotations, given the hidden state before the word.

        Parameters
        ----------
        a, Ua : (..., L, D) annotations and (..., L, A) their projection.
        h : (..., n) hidden state.
        look : maps α to s; None for s = α.

        Returns
        -------
        z : (..., D) gated context vector.
        alpha : (..., L) attention weights, which sum to 1.
        beta : (..., 1) gate, 0..1 (section 4.2.1).
        """
        energies = self.v(torch.tanh(Ua + self.W(h).unsqueeze(-2))).squeeze(-1)  # (..., L)
        alpha = energies.softmax(dim=-1)
        beta = torch.sigmoid(self.gate(h))  # (..., 1)
        s = look(alpha) if look else alpha  # (..., L)
        z = beta * (s.unsqueeze(-2) @ a).squeeze(-2)  # (..., D)
        return z, alpha, beta


class Decoder(nn.Module):
    """Generates a caption from features, one word at a time (section 3.1.2).

    Parameters
    ----------
    channels : C, the depth of the encoder's features.
    vocabulary_size : V.
    recipe : the other sizes, and the dropout.
    detector : whether the decoder uses evidence from a word detector.

    Attributes
    ----------
    once : (V,) 1 for each word that captions seldom repeat, else 0; None without a word detector.
    """

    once: Tensor | None

    def __init__(
        self, channels: int, vocabulary_size: int, recipe: DecoderRecipe, detector: bool = False
    ) -> None:
        super().__init__()
        D, n, m = recipe.annotation or channels, recipe.hidden, recipe.embedding
        project = nn.Sequential(nn.Linear(channels, D), nn.LayerNorm(D))
        self.annotate = project if recipe.annotation else nn.Identity()
        self.init_h = nn.Linear(D, n)
        self.init_c = nn.Linear(D, n)
        self.attention = Attention(D, n, recipe.attention)
        self.E = nn.Embedding(vocabulary_size, m, padding_idx=PAD)
        self.lstm = nn.LSTMCell(m + D, n)
        self.L_h = nn.Linear(n, m)
        self.L_z = nn.Linear(D, m, bias=False)
        self.L_o = nn.Linear(m, vocabulary_size)
        self.dropout = nn.Dropout(recipe.dropout)
        nn.init.normal_(self.E.weight, std=0.1)
        nn.init.zeros_(self.L_o.bias)
        self.register_buffer("once", torch.zeros(vocabulary_size) if detector else None)
        self.trust = nn.Linear(n, 1) if detector else None
        if self.trust is not None:
            nn.init.zeros_(self.trust.weight)
            nn.init.constant_(self.trust.bias, -2.0)

    def start(self, seen: Seen) -> State:
        """Return the state before the first word.

        h0 and c0 are predicted from the mean annotation.
        """
        a = self.annotate(seen.features)  # (B, L, D)
        mean = self.dropout(a.mean(dim=1))  # (B, D)
        h, c = torch.tanh(self.init_h(mean)), torch.tanh(self.init_c(mean))  # (B, n)
        return State(a, self.attention.U(a), h, c, seen.words)

    def advance(
        self, state: State, Ey: Tensor, look: Look = None
    ) -> tuple[State, Tensor, Tensor, Tensor]:
        """Attend with the current hidden state, then update the LSTM with the word and the context.

        Parameters
        ----------
        state : one hypothesis per row, h (N, n).
        Ey : (N, m) embedding of the last word.
        look : as in :meth:`Attention.forward`.

        Returns
        -------
        The next state, z (N, D), alpha (N, L) and beta (N, 1).
        """
        z, alpha, beta = self.attention(state.annotations, state.projected, state.h, look)
        h, c = self.lstm(torch.cat([Ey, z], dim=-1), (state.h, state.c))
        return state._replace(h=h, c=c), z, alpha, beta

    def output(self, Ey: Tensor, h: Tensor, z: Tensor, evidence: Tensor | None = None) -> Tensor:
        """Deep output layer, equation 7: logits (..., V) = L_o tanh(E y + L_h h + L_z z).

        The word detector's evidence (..., V) is added, scaled by a trust computed from h.
        """
        h = self.dropout(h)
        logits = self.L_o(self.dropout(torch.tanh(Ey + self.L_h(h) + self.L_z(z))))
        if evidence is None or self.trust is None:
            return logits
        return logits + self.trust(h).exp() * evidence

    def after(self, evidence: Tensor | None, words: Tensor) -> Tensor | None:
        """Return the evidence (..., V) after `words` (...) were generated.

        A generated word that captions seldom repeat gets negative evidence. Otherwise its evidence
        would favour it again at the next step.
        """
        if evidence is None or self.once is None:
            return None
        words = words.unsqueeze(-1)  # (..., 1)
        once = self.once[words]
        left = (1 - once) * evidence.gather(-1, words) - once * AGAINST
        return evidence.scatter(-1, words, left.to(evidence.dtype))

    @torch.no_grad()
    def sharpen(self, temperature: float) -> None:
        """Divide the logits by a temperature, by changing the weights in place."""
        for parameter in self.L_o.parameters():
            parameter.div_(temperature)
        if self.trust is not None:
            self.trust.bias.sub_(math.log(temperature))

    @torch.no_grad()
    def lean(self, trust: float, penalties: Tensor) -> None:
        """Multiply the trust in the evidence, and subtract penalties (V,) from the logits."""
        self.L_o.bias.sub_(penalties)
        if self.trust is not None:
            self.trust.bias.add_(math.log(trust))

    def forward(
        self, seen: Seen, photo: Tensor, captions: Tensor, look: Look = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Score captions under teacher forcing.

        Parameters
        ----------
        seen : inputs for B photographs.
        photo : (N,) row in `seen` of each caption's photograph.
        captions : (N, T+1) ids from ``START`` to ``END``, then ``PAD``; the longest caption first,
            so that the captions that continue at a step are the first rows.
        look : as in :meth:`Attention.forward`; called once per step with those rows.

        Returns
        -------
        logits : (words, V) for every target word, in the order of
            :func:`~showtell.train.data.rows_by_step`.
        targets : (words,) ids of the target words.
        coverage : (N, L) attention summed over the words, Σ_t α.
        """
        state = self.start(seen).each(lambda part: part[photo])
        Ey = self.dropout(self.E(captions))  # (N, T+1, m)
        going = rows_by_step(captions)
        coverage = Ey.new_zeros(state.annotations.shape[:2])
        steps = []
        for t, rows in enumerate(going):
            state = state.first(rows)
            state = state._replace(evidence=self.after(state.evidence, captions[:rows, t]))
            state, z, alpha, _ = self.advance(state, Ey[:rows, t], look)
            coverage = coverage + F.pad(alpha, (0, 0, 0, len(photo) - rows))
            parts = (Ey[:rows, t], state.h, z, state.evidence)
            steps.append([part for part in parts if part is not None])
        logits = self.output(*(torch.cat(part) for part in zip(*steps, strict=True)))
        targets = torch.cat([captions[:rows, t + 1] for t, rows in enumerate(going)])
        return logits, targets, coverage

    def step(self, state: State, words: Tensor) -> tuple[Tensor, Tensor, Tensor, State]:
        """Compute the log-probabilities of the next word, for k hypotheses of each photograph.

        Parameters
        ----------
        state : annotations (B, L, D), shared by the hypotheses; h and c (B, k, n); evidence
            (B, k, V).
        words : (B, k) last word of each hypothesis.

        Returns
        -------
        logprobs (B, k, V), alpha (B, k, L), beta (B, k), and the next state.
        """
        B, k, n = state.h.shape
        Ey = self.E(words)  # (B, k, m)
        a, Ua = state.annotations.unsqueeze(1), state.projected.unsqueeze(1)  # (B, 1, L, ·)
        z, alpha, beta = self.attention(a, Ua, state.h)
        inputs = torch.cat([Ey, z], dim=-1).view(B * k, -1)
        h, c = self.lstm(inputs, (state.h.reshape(B * k, n), state.c.reshape(B * k, n)))
        h, c = h.view(B, k, n), c.view(B, k, n)
        evidence = self.after(state.evidence, words)  # (B, k, V)
        logprobs = self.output(Ey, h, z, evidence).log_softmax(dim=-1)
        return logprobs, alpha, beta.squeeze(-1), state._replace(h=h, c=c, evidence=evidence)


class ShowAttendTell(nn.Module):
    """Encoder and decoder, with a word detector if the recipe has one."""

    def __init__(
        self,
        encoder: Encoder,
        vocabulary_size: int,
        recipe: DecoderRecipe,
        detector: DetectorRecipe | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.detector = None
        if detector:
            inputs = 2 * encoder.channels + classifier_of(encoder).out_features
            self.detector = WordDetector(inputs, detector.hidden, vocabulary_size)
        self.decoder = Decoder(encoder.channels, vocabulary_size, recipe, detector is not None)

    def forward(
        self, inputs: NetworkInput, photo: Tensor, captions: Tensor, look: Look = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Score captions; the results are those of :meth:`Decoder.forward`.

        Parameters
        ----------
        inputs : as in :meth:`see`.
        """
        return self.decoder(self.see(inputs), photo, captions, look)

    def see(self, inputs: NetworkInput) -> Seen:
        """Return the decoder's inputs for photographs.

        Parameters
        ----------
        inputs : uint8 images (B, size, size, 3), precomputed features (B, L, C), or a
            :class:`Seen`, which is returned unchanged.
        """
        if isinstance(inputs, Seen):
            return inputs
        features = inputs if inputs.is_floating_point() else self.encoder(inputs)
        if self.detector is None:
            return Seen(features)
        pooled = pool(features, classifier_of(self.encoder))
        return Seen(features, self.detector.evidence(pooled))


def doubly_stochastic_penalty(coverage: Tensor) -> Tensor:
    """Return the mean of (1 − Σ_t α)², which encourages attention to every region (equation 14).

    The paper sums over the annotations of a caption. The mean does not depend on the grid size.
    """
    return (1 - coverage).square().mean()
