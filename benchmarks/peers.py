"""The time of one caption, compared with alternatives in one run.

    python benchmarks/peers.py [--rounds N] [--plot docs/peers.svg]

Each contender captions the same photograph of 500 x 375 pixels from JPEG bytes, with beam 5 and all
cores. They run alternately, each in its own process, because the threads of one library would
disturb those of another. The other networks have random weights, which take as long as trained
ones, and generate WORDS words. The tutorial is the best known PyTorch tutorial of the paper
(github.com/sgrvinod/a-PyTorch-Tutorial-to-Image-Captioning): ResNet-101 at 256 x 256, pooled to a
grid of 14 x 14, and a beam search that projects all annotations again for every hypothesis and
word. Requires the dev extra. Without transformers (pip install '.[peers]'), its two networks are
skipped.
"""

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np
import torch
import torch.nn.functional as F
from breakdown import jpegs
from measured import Row, Tables, show, timing_options
from PIL import Image
from torch import Tensor, nn

from showtell import image
from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.decoding import beam_search
from showtell.search import Search
from showtell.train import recipe as recipes
from showtell.train.encoder import Encoder, timm
from showtell.train.model import ShowAttendTell
from showtell.train.start import network_of
from showtell.train.validate import TorchStepModel

WORDS = 12
Caption = Callable[[bytes], object]


def eager(bundle: Bundle) -> Caption:
    """Return a captioner that runs the bundle's weights in PyTorch."""
    recipe = recipes.from_dict({**bundle.manifest["training"]["recipe"], "start": None})
    encoder = Encoder(recipe.encoder, pretrained=False)
    words = len(bundle.vocabulary)
    network = ShowAttendTell(encoder, words, recipe.decoder, recipe.detector).eval()
    network.load_state_dict(network_of(bundle, network))
    model = TorchStepModel(network)

    def caption(file: bytes) -> object:
        pixels = torch.from_numpy(image.read(file, bundle.image_size))[None]
        return beam_search(model, model.start(encoder(pixels)), 1, beam=Search.beam)

    return caption


class Tutorial(nn.Module):
    """Show, Attend and Tell as in the tutorial, with its layer sizes and 9,490 words."""

    def __init__(self, words: int = 9490) -> None:
        super().__init__()
        self.cnn = timm.create_model("resnet101", num_classes=0, global_pool="")
        self.of_annotation, self.of_state = nn.Linear(2048, 512), nn.Linear(512, 512)
        self.energy, self.gate = nn.Linear(512, 1), nn.Linear(512, 2048)
        self.init_h, self.init_c = nn.Linear(2048, 512), nn.Linear(2048, 512)
        self.embedding, self.output = nn.Embedding(words, 512), nn.Linear(512, words)
        self.lstm = nn.LSTMCell(512 + 2048, 512)

    def caption(self, file: bytes) -> Tensor:
        """Return the ids of a caption of WORDS words."""
        picture = Image.open(BytesIO(file)).convert("RGB").resize((256, 256))
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
        grid = F.adaptive_avg_pool2d(self.cnn(pixels), 14)
        a = grid.flatten(2).transpose(1, 2).expand(Search.beam, -1, -1)  # (k, 196, 2048)
        h, c = self.init_h(a.mean(1)), self.init_c(a.mean(1))
        words, totals = torch.zeros(Search.beam, 1, dtype=torch.long), torch.zeros(Search.beam, 1)
        for _ in range(WORDS):
            energies = self.energy(F.relu(self.of_annotation(a) + self.of_state(h).unsqueeze(1)))
            z = torch.sigmoid(self.gate(h)) * (a * energies.softmax(1)).sum(1)
            h, c = self.lstm(torch.cat([self.embedding(words[:, -1]), z], 1), (h, c))
            scores = (totals + F.log_softmax(self.output(h), 1)).flatten()
            totals, best = scores.topk(Search.beam)
            totals, parents = totals[:, None], best // self.output.out_features
            words = torch.cat([words[parents], best[:, None] % self.output.out_features], 1)
            h, c = h[parents], c[parents]
        return words[0]


def generating(model: nn.Module, size: int) -> Caption:
    """Return a captioner that uses ``generate`` of transformers, for images of `size` pixels."""
    model.eval()

    def caption(file: bytes) -> object:
        picture = Image.open(BytesIO(file)).convert("RGB").resize((size, size))
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 127.5 - 1
        length = {"min_new_tokens": WORDS, "max_new_tokens": WORDS}
        return model.generate(pixel_values=pixels, num_beams=Search.beam, do_sample=False, **length)

    return caption


def vit_gpt2() -> Caption:
    from transformers import (
        GPT2Config,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
    )

    decoder = GPT2Config(add_cross_attention=True, is_decoder=True)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(), decoder)
    model = VisionEncoderDecoderModel(config)
    model.generation_config.decoder_start_token_id = decoder.bos_token_id
    model.generation_config.pad_token_id = decoder.eos_token_id
    return generating(model, 224)


def blip() -> Caption:
    from transformers import BlipConfig, BlipForConditionalGeneration

    return generating(BlipForConditionalGeneration(BlipConfig()), 384)


OURS, TUTORIAL = "showtell", "tutorial, ResNet-101"
CONTENDERS: dict[str, Callable[[Bundle], Caption]] = {
    OURS: lambda bundle: Captioner(bundle).caption,
    "the same weights in PyTorch": eager,
    TUTORIAL: lambda _: Tutorial().eval().caption,
    "transformers, ViT-GPT2": lambda _: vit_gpt2(),
    "transformers, BLIP": lambda _: blip(),
}
_caption: Caption  # one per process


def build(name: str, model: str | None) -> None:
    global _caption
    _caption = CONTENDERS[name](Bundle.load(model))


@torch.inference_mode()
def time_one(file: bytes) -> float:
    """Caption a photograph in a contender's process; return the wall-clock time in milliseconds."""
    start = time.perf_counter()
    _caption(file)
    return 1000 * (time.perf_counter() - start)


def contenders() -> list[str]:
    """Return the contenders that can be built; report the others on standard error."""
    if find_spec("transformers"):
        return list(CONTENDERS)
    print("peers.py: transformers is not installed; its networks are left out", file=sys.stderr)
    return [name for name in CONTENDERS if not name.startswith("transformers")]


def measure(model: str | None, file: bytes, rounds: int) -> dict[str, list[float]]:
    """Return `rounds` times in milliseconds for each contender, after two warm-up rounds."""
    times: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        spawn = get_context("spawn")
        processes = {
            name: stack.enter_context(ProcessPoolExecutor(1, spawn, build, (name, model)))
            for name in contenders()
        }
        for _ in range(2 + rounds):
            for name, process in processes.items():
                times[name].append(process.submit(time_one, file).result())
    return {name: taken[2:] for name, taken in times.items()}


def table(times: dict[str, list[float]]) -> Tables:
    """Return a table with a row per contender and its median relative to showtell's."""
    ours = statistics.median(times[OURS])
    rows: list[Row] = [
        {
            "one caption": name,
            "median, ms": statistics.median(taken),
            "fastest, ms": min(taken),
            "slowest, ms": max(taken),
            "times showtell": statistics.median(taken) / ours,
        }
        for name, taken in times.items()
    ]
    return {"peers": rows}


def draw(times: dict[str, float], path: Path) -> None:
    """Plot a bar per contender, in milliseconds on a logarithmic scale."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 2.4), layout="constrained")
    bars = axes.barh(list(times), list(times.values()), color="#c2571a")
    axes.bar_label(bars, fmt="%.0f ms", padding=4)
    axes.set(xscale="log", xlim=(5, 3 * max(times.values())), xlabel="one caption, milliseconds")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


@click.command()
@timing_options
def main(model: str | None, rounds: int, plot: Path | None, out: Path | None) -> None:
    """Print what was measured."""
    times = measure(model, jpegs()[0], rounds)
    show(table(times), out)
    if plot:
        draw({name: statistics.median(taken) for name, taken in times.items()}, plot)


if __name__ == "__main__":
    main()
