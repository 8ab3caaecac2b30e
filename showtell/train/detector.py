"""The word detector: predicts which words occur in captions of a photograph.

It is trained on captioned photographs (Fang et al., 2015, arXiv 1411.4952). It sees the whole
photograph and needs no bounding boxes.
"""

import math
from collections import Counter
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from showtell.errors import RecipeError
from showtell.function_words import FUNCTION_WORDS
from showtell.train.encoder import Encoder

EPOCHS, BATCH, RATE, WEIGHT_DECAY, DROPOUT = 12, 64, 1e-3, 0.2, 0.6
TWICE = 0.06  # a word repeated in a smaller share of its captions occurs only once per caption
PRIOR = 100, 0.01  # pseudo-count of captions for each word, and the share of them that repeat it


def classifier_of(encoder: Encoder) -> nn.Linear:
    """Return the classifier of an encoder, or raise a RecipeError if it has none."""
    if encoder.classifier is None:
        raise RecipeError("encoder.classifier: set it to true; the word detector requires it")
    return encoder.classifier


def pool(features: Tensor, classifier: nn.Linear) -> Tensor:
    """Return the inputs of the word detector, (B, 2 C + classes).

    They are the mean and the maximum of the features over the grid and the log-probabilities of the
    classifier, scaled to similar variance.

    Parameters
    ----------
    features : (B, L, C) features of photographs.
    classifier : maps mean features (B, C) to the logits of its classes.
    """
    mean = features.mean(dim=1)  # (B, C)
    classes = classifier(mean).log_softmax(dim=1).clamp_min(-12)
    return torch.cat([mean, features.amax(dim=1) / 3, classes / 4], dim=1)


class WordDetector(nn.Module):
    """A network with one hidden layer that predicts the log-odds of W words.

    Parameters
    ----------
    inputs : n, the size of the output of :func:`pool`.
    hidden : units of the hidden layer.
    words : W, the number of words.

    Attributes
    ----------
    mean, std : (n,) mean and standard deviation of the inputs over the training photographs.
    prior : (W,) log-odds of each word over the training photographs.
    """

    mean: Tensor
    std: Tensor
    prior: Tensor

    def __init__(self, inputs: int, hidden: int, words: int) -> None:
        super().__init__()
        for name, values in (("mean", torch.zeros(inputs)), ("std", torch.ones(inputs))):
            self.register_buffer(name, values)
        self.register_buffer("prior", torch.zeros(words))
        self.hidden = nn.Linear(inputs, hidden)
        self.output = nn.Linear(hidden, words)
        self.requires_grad_(False)  # trained only by `fit`
        self._learns = False

    def forward(self, pooled: Tensor) -> Tensor:
        """Return the log-odds of each word, (B, W), for pooled photographs (B, n)."""
        x = F.dropout((pooled - self.mean) / self.std, 0.2, self._learns)
        return self.output(F.dropout(F.relu(self.hidden(x)), DROPOUT, self._learns))

    @torch.no_grad()
    def evidence(self, pooled: Tensor) -> Tensor:
        """Return the log-odds of each word minus its prior log-odds, (B, W)."""
        return self(pooled) - self.prior

    def fit(self, pooled: Tensor, targets: Tensor, weights: Tensor, seed: int) -> "WordDetector":
        """Fit the detector to captioned photographs.

        Parameters
        ----------
        pooled : (N, n) inputs, from :func:`pool`.
        targets : (N, W) share of each photograph's captions that contain each word.
        weights : (N,) weight of each photograph.
        seed : random seed for the initial weights and the order of the photographs.
        """
        torch.manual_seed(seed)
        self.requires_grad_(True)
        share = weights / weights.sum()  # (N,)
        self.hidden.reset_parameters()
        self.output.reset_parameters()
        with torch.no_grad():
            self.mean.copy_(pooled.mean(dim=0))
            self.std.copy_(pooled.std(dim=0) + 0.05)
            self.prior.copy_(torch.logit((targets * share[:, None]).sum(dim=0).clamp(1e-4, 0.99)))
            self.output.bias.copy_(self.prior)
        optimizer = torch.optim.AdamW(self.parameters(), RATE, weight_decay=WEIGHT_DECAY)
        steps = EPOCHS * math.ceil(len(pooled) / BATCH)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
        self._learns = True
        for _ in tqdm(range(EPOCHS), desc="word detector", unit="epoch"):
            for rows in torch.randperm(len(pooled)).split(BATCH):  # type: ignore[no-untyped-call]
                losses = F.binary_cross_entropy_with_logits(
                    self(pooled[rows]), targets[rows], reduction="none"
                ).sum(dim=1)
                optimizer.zero_grad()
                ((losses * share[rows]).sum() / share[rows].sum()).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
        self._learns = False
        return self.requires_grad_(False)


def shares(captions: Sequence[Sequence[Sequence[str]]], words: Sequence[str]) -> Tensor:
    """Return the share of each photograph's captions that contain each word, (N, W).

    Parameters
    ----------
    captions : for each of N photographs, the words of each of its captions.
    words : W words.
    """
    ids = {word: i for i, word in enumerate(words)}
    matrix = torch.zeros(len(captions), len(words))
    for row, own in zip(matrix, captions, strict=True):
        for said in own:
            for word in {word for word in said if word in ids}:
                row[ids[word]] += 1 / len(own)
    return matrix


def said_once(captions: Sequence[Sequence[Sequence[str]]], words: Sequence[str]) -> Tensor:
    """Return 1 for each visual word that captions seldom repeat, else 0, (W,).

    Parameters
    ----------
    captions : for each of N photographs, the words of each of its captions.
    words : W words.
    """
    counts = [Counter(said) for own in captions for said in own]
    said = Counter(word for each in counts for word in each)
    again = Counter(word for each in counts for word, n in each.items() if n > 1)
    n, share = PRIOR
    shares = {word: (again[word] + n * share) / (said[word] + n) for word in said}
    once = {word for word, share in shares.items() if share < TWICE} - FUNCTION_WORDS
    return torch.tensor([float(word in once) for word in words])
