"""Compares the speed of training, in captions per second, with that of a loop as in tutorials.

    python benchmarks/training.py soft
    python benchmarks/training.py soft --set data=flickr8k

Both train a decoder of the recipe's sizes by its first phase, with a frozen CNN, on steps of the
same number of captions, alternately. The plain loop reads each photograph and runs the CNN for
every caption of a step. It projects the annotations again for every word, computes the output layer
word by word, and pads captions. The features that showtell caches are computed before the
measurement. Requires the train extra.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from showtell.data import Photograph, load
from showtell.train import recipe as recipes
from showtell.train.data import Batch, TrainingCaptions
from showtell.train.encoder import Encoder
from showtell.train.features import Features, read_images
from showtell.train.model import ShowAttendTell
from showtell.train.objective import CrossEntropy
from showtell.train.recipe import DecoderRecipe, Recipe
from showtell.vocab import PAD, Vocabulary, tokenize

# The loss of a step, and the parameters to train.
Loop = tuple[Callable[[Batch], Tensor], list[nn.Parameter]]


class PlainDecoder(nn.Module):
    """Show, Attend and Tell, computed word by word on padded captions."""

    def __init__(self, channels: int, vocabulary_size: int, recipe: DecoderRecipe) -> None:
        super().__init__()
        D, n, m = recipe.annotation or channels, recipe.hidden, recipe.embedding
        self.project = nn.Linear(channels, D)
        self.init_h, self.init_c = nn.Linear(D, n), nn.Linear(D, n)
        self.of_annotation = nn.Linear(D, recipe.attention)
        self.of_state = nn.Linear(n, recipe.attention)
        self.energy = nn.Linear(recipe.attention, 1)
        self.gate = nn.Linear(n, D)
        self.embedding = nn.Embedding(vocabulary_size, m)
        self.lstm = nn.LSTMCell(m + D, n)
        self.output = nn.Linear(n, vocabulary_size)
        self.dropout = nn.Dropout(recipe.dropout)

    def forward(self, features: Tensor, captions: Tensor, lengths: list[int]) -> Tensor:
        """Return the loss of captions (N, T+1), sorted by length, longest first."""
        a = self.project(features)  # (N, L, D)
        h, c = self.init_h(a.mean(1)), self.init_c(a.mean(1))
        words = self.embedding(captions)
        logits = torch.zeros(len(captions), max(lengths), self.output.out_features)
        for t in range(max(lengths)):
            rows = sum(length > t for length in lengths)
            a, h, c = a[:rows], h[:rows], c[:rows]
            seen = torch.relu(self.of_annotation(a) + self.of_state(h).unsqueeze(1))
            alpha = self.energy(seen).softmax(1)  # (rows, L, 1)
            z = torch.sigmoid(self.gate(h)) * (alpha * a).sum(1)
            h, c = self.lstm(torch.cat([words[:rows, t], z], 1), (h, c))
            logits[:rows, t] = self.output(self.dropout(h))
        said = pack_padded_sequence(logits, lengths, batch_first=True).data
        targets = pack_padded_sequence(captions[:, 1:], lengths, batch_first=True).data
        return F.cross_entropy(said, targets)


def plain_loss(
    decoder: PlainDecoder, encoder: Encoder, photographs: list[Photograph], batch: Batch
) -> Tensor:
    """Read the photograph of every caption, run the CNN, and return the loss."""
    images = read_images([photographs[batch.photos[row]] for row in batch.photo], encoder.size)
    with torch.no_grad():
        features = encoder(images)
    lengths = (batch.captions[:, 1:] != PAD).sum(1).tolist()
    return decoder(features, batch.captions, lengths)


def ours(
    recipe: Recipe, network: ShowAttendTell, data: list[Photograph], captions: TrainingCaptions
) -> Callable[[Batch], Tensor]:
    """Return the loss of a step as in training."""
    features = Features(Path(recipe.cache), network.encoder, data, recipe.mirror, print)
    objective = CrossEntropy(recipe, recipe.frozen, captions)
    return lambda batch: objective.measure(
        network, features.read(batch.photos, batch.mirrored).float(), batch
    )["loss"]


def captions_a_second(
    loss_of: Callable[[Batch], Tensor], parameters: list[nn.Parameter], batches: list[Batch]
) -> float:
    """Train on some steps; return captions per second."""
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    start = time.perf_counter()
    for batch in batches:
        optimizer.zero_grad()
        loss_of(batch).backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
    return sum(len(batch.captions) for batch in batches) / (time.perf_counter() - start)


def epochs(recipe: Recipe, captions: TrainingCaptions) -> Iterator[Batch]:
    """Yield steps endlessly."""
    epoch = 0
    while True:
        yield from captions.batches(recipe.frozen, recipe.mirror, [recipe.seed, epoch])
        epoch += 1


def prepare(recipe: Recipe) -> tuple[dict[str, Loop], TrainingCaptions]:
    """Return both loops, and the data that they train on."""
    data = list(load(recipe.data).split("train"))
    words = [tokenize(caption) for photograph in data for caption in photograph.captions]
    vocabulary = Vocabulary.build(words, recipe.min_count)
    captions = TrainingCaptions.prepare(data, vocabulary, recipe.max_words)
    network = ShowAttendTell(Encoder(recipe.encoder), len(vocabulary), recipe.decoder).train()
    encoder = network.encoder.requires_grad_(False)
    plain = PlainDecoder(encoder.channels, len(vocabulary), recipe.decoder).train()
    loops: dict[str, Loop] = {
        "showtell": (ours(recipe, network, data, captions), list(network.decoder.parameters())),
        "plain": (lambda b: plain_loss(plain, encoder, data, b), list(plain.parameters())),
    }
    return loops, captions


def tell(measured: dict[str, list[float]]) -> None:
    """Print the speeds of both loops and their ratio."""
    print("captions a second    median  slowest  fastest")
    for name, speeds in measured.items():
        told = (statistics.median(speeds), min(speeds), max(speeds))
        print(f"{name:18}" + "".join(f"{speed:9.1f}" for speed in told))
    ratio = statistics.median(measured["showtell"]) / statistics.median(measured["plain"])
    print(f"{ratio:.1f} times as fast")


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=5, help="in a turn")
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    recipe = recipes.read(options.recipe, options.set)
    loops, captions = prepare(recipe)
    measured: dict[str, list[float]] = {name: [] for name in loops}
    batches = epochs(recipe, captions)
    for turn in range(options.turns + 1):  # the first warms up
        steps = [next(batches) for _ in range(options.steps)]
        for name, (loss_of, parameters) in loops.items():
            speed = captions_a_second(loss_of, parameters, steps)
            if turn:
                measured[name].append(speed)
    tell(measured)


if __name__ == "__main__":
    main()
