"""Where the time of one photograph goes, beside the least that the processor needs for it.

    python benchmarks/breakdown.py [--model M]

Captions photographs of 500 x 375 pixels at beam 5, one at a time in one thread, all stages in turn.
Times are the processor's, which other work on the machine changes little. The least is the model's
operations over those of a product of large matrices, or its bytes over those of a copy, whichever
takes longer; both are measured too. Needs the dev extra.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from PIL import Image
from skimage import data

from showtell import image
from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.runtime import Runtime
from showtell.search import Search

PICTURES = ("astronaut", "chelsea", "coffee", "rocket")
ROUNDS = 9
STARTS = 5


class Timed(Runtime):
    """A runtime that tells how long its steps take."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle, threads=1)
        self.steps: list[float] = []

    def step(self, state: Any, words: np.ndarray) -> Any:
        milliseconds, found = took(lambda: super(Timed, self).step(state, words))
        self.steps.append(milliseconds)
        return found


def jpegs() -> list[bytes]:
    files = []
    for name in PICTURES:
        file = BytesIO()
        picture = Image.fromarray(getattr(data, name)())
        picture.resize((500, 375)).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def took(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return milliseconds of the processor, and what `work` returns."""
    start = time.process_time()
    found = work()
    return 1000 * (time.process_time() - start), found


def stages(captioner: Captioner, runtime: Timed, file: bytes) -> dict[str, float]:
    """Time the parts of one caption, and then all of it, in milliseconds."""
    size = captioner.bundle.image_size
    opened, upright = took(lambda: image.open_upright(file, at_least=size))
    resized, pixels = took(lambda: image.read(upright, size))
    encoded, state = took(lambda: runtime.encode(pixels[None]).state)
    runtime.steps.clear()
    decoded, _ = took(lambda: captioner.decode(state))
    steps, stepped = len(runtime.steps), sum(runtime.steps)
    whole, _ = took(lambda: captioner.caption(file))
    return {
        "JPEG to upright pixels": opened,
        "resize": resized,
        "encoder": encoded,
        "steps of the decoder": stepped,
        "beam search around them": decoded - stepped,
        "all of it": whole,
        "steps": steps,
    }


def speed() -> tuple[float, float]:
    """Return operations (float32) and bytes that this process does in a millisecond, at best."""
    a = np.ones((1024, 1024), np.float32)
    source, target = np.ones(2**24, np.uint8), np.empty(2**24, np.uint8)
    product = min(took(lambda: a @ a)[0] for _ in range(10))
    copy = min(took(lambda: np.copyto(target, source))[0] for _ in range(10))
    return 2 * 1024**3 / product, 2 * source.nbytes / copy


def needed(path: Path, **sizes: int) -> tuple[int, int]:
    """Count the operations of a graph's convolutions and products, and the bytes of its weights."""
    model = onnx.load(path)
    for entry in model.graph.input:
        for axis in entry.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_value = sizes[axis.dim_param]
    del model.graph.value_info[:]
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = [*graph.input, *graph.value_info, *graph.output]
    shapes = {v.name: [axis.dim_value for axis in v.type.tensor_type.shape.dim] for v in known}
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    operations = 0
    for node in graph.node:
        if node.op_type == "Conv":
            each = np.prod(shapes[node.input[1]][1:])  # products behind one number of the output
        elif node.op_type in ("MatMul", "Gemm"):
            each = shapes[node.input[0]][-1]
        else:
            continue
        operations += 2 * int(each * np.prod(shapes[node.output[0]]))
    return operations, sum(len(tensor.raw_data) for tensor in graph.initializer)


def floors(bundle: Bundle, steps: float) -> dict[str, float]:
    """Return the least milliseconds of the encoder, and of as many steps."""
    operations, copied = speed()
    print(f"{operations / 1e6:.0f} billion operations and {copied / 1e6:.1f} GB a second at best")
    cells = bundle.grid[0] * bundle.grid[1]
    encoder = needed(bundle.path / "encoder.onnx", photos=1)
    step = needed(bundle.path / "decoder.onnx", photos=1, hypotheses=Search.beam, cells=cells)
    least = [max(n / operations, size / copied) for n, size in (encoder, step)]
    return {"encoder": least[0], "steps of the decoder": steps * least[1]}


def start(model: str | None) -> tuple[float, float, float]:
    """Return the least seconds of a process that captions one photograph, and its memory in MB.

    The seconds are those of the clock, and those of the processor.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photograph.jpg")
        path.write_bytes(jpegs()[0])
        options = ["--model", model] if model else []
        code = "from showtell.cli import main; main()"
        command = [sys.executable, "-c", code, "caption", str(path), *options]
        clock, processor = [], []
        for _ in range(STARTS):
            began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            clock.append(time.perf_counter() - began)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            processor.append(used)
    return min(clock), min(processor), after.ru_maxrss / 1024


@click.command()
@click.option("--model", help="A bundle's folder; the one that ships if not given.")
def main(model: str | None) -> None:
    """Print what was measured."""
    clock, processor, memory = start(model)  # first, while this process is small
    bundle = Bundle.load(model)
    captioner = Captioner(bundle, threads=1)
    captioner.runtime = runtime = Timed(bundle)
    files, found = jpegs(), defaultdict(list)
    for turn in range(ROUNDS + 1):
        for file in files:
            for name, value in stages(captioner, runtime, file).items():
                if turn:  # the first warms up
                    found[name].append(value)
    steps = statistics.median(found.pop("steps"))
    floor = floors(bundle, steps)
    print(f"{bundle.manifest['name']}, beam {Search.beam}, {steps:g} steps")
    print("ms                        median  fastest  least")
    for name, values in found.items():
        least = f"{floor[name]:7.2f}" if name in floor else ""
        print(f"{name:24}{statistics.median(values):8.2f}{min(values):9.2f}{least}")
    print(f"{min(found['all of it']) / min(found['encoder']):.1f} times the encoder alone")
    print(
        f"a process for one caption: {clock:.2f} s, {processor:.2f} s of the processor's", end=", "
    )
    print(f"{memory:.0f} MB")


if __name__ == "__main__":
    main()
