"""The CPU time of each stage of one caption, with a lower bound.

    python benchmarks/breakdown.py [--model M]

Captions photographs of 500 x 375 pixels with beam 5, one at a time, in one thread. Other work on
the machine changes CPU times little. The lower bound of a stage is the larger of two times: the
model's operations at the speed of a product of large 8-bit matrices, and its bytes at the speed of
a memory copy. Both speeds are measured too. Requires the dev extra.
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
import onnxruntime
from measured import Tables, json_option, show
from onnx import TensorProto, helper
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
SIDE = 1024  # of the matrices for measuring the peak speed of the processor


class Timed(Runtime):
    """A runtime that records the CPU time of its steps, in milliseconds."""

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
    """Return the CPU time of `work` in milliseconds, and its result."""
    start = time.process_time()
    found = work()
    return 1000 * (time.process_time() - start), found


def stages(captioner: Captioner, runtime: Timed, file: bytes) -> dict[str, float]:
    """Return the CPU time of each stage of one caption and of the whole, in milliseconds.

    The result also has the number of decoder steps.
    """
    size = captioner.bundle.image_size
    opened, upright = took(lambda: image.open_upright(file, at_least=size))
    resized, pixels = took(lambda: image.read(upright, size))
    encoder, encoded = took(lambda: runtime.encode(pixels[None]))
    runtime.steps.clear()
    decoded, _ = took(lambda: captioner.decode(encoded))
    steps, stepped = len(runtime.steps), sum(runtime.steps)
    whole, _ = took(lambda: captioner.caption(file))
    return {
        "JPEG to upright pixels": opened,
        "resize": resized,
        "encoder": encoder,
        "decoder steps": stepped,
        "beam search around them": decoded - stepped,
        "all of it": whole,
        "steps": steps,
    }


def speed() -> tuple[float, float]:
    """Return the peak 8-bit operations and copied bytes per millisecond, in one thread."""
    product = _product()
    a, b = np.ones((SIDE, SIDE), np.uint8), np.ones((SIDE, SIDE), np.int8)
    source, target = np.ones(2**24, np.uint8), np.empty(2**24, np.uint8)
    multiplying = min(took(lambda: product.run(None, {"a": a, "b": b}))[0] for _ in range(10))
    copying = min(took(lambda: np.copyto(target, source))[0] for _ in range(10))
    return 2 * SIDE**3 / multiplying, 2 * source.nbytes / copying


def _product() -> onnxruntime.InferenceSession:
    """Return a session that multiplies two matrices, `a` unsigned and `b` signed."""
    shape, tensor = [SIDE, SIDE], helper.make_tensor_value_info
    inputs = [tensor("a", TensorProto.UINT8, shape), tensor("b", TensorProto.INT8, shape)]
    outputs = [tensor("product", TensorProto.INT32, shape)]
    node = helper.make_node("MatMulInteger", ["a", "b"], ["product"])
    graph = helper.make_graph([node], "product", inputs, outputs)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


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
            each = np.prod(shapes[node.input[1]][1:])  # multiplications per output element
        elif node.op_type in ("MatMul", "Gemm"):
            each = shapes[node.input[0]][-1]
        else:
            continue
        operations += 2 * int(each * np.prod(shapes[node.output[0]]))
    return operations, sum(len(tensor.raw_data) for tensor in graph.initializer)


def bounds(bundle: Bundle, steps: float, operations: float, copied: float) -> dict[str, float]:
    """Return lower bounds, in milliseconds, for the encoder and for `steps` decoder steps.

    Parameters
    ----------
    bundle : the bundle to measure.
    steps : decoder steps of a caption.
    operations, copied : 8-bit operations and copied bytes per millisecond, from :func:`speed`.
    """
    cells = bundle.grid[0] * bundle.grid[1]
    encoder = needed(bundle.path / "encoder.onnx", photos=1)
    step = needed(bundle.path / "decoder.onnx", photos=1, hypotheses=Search.beam, cells=cells)
    least = [max(n / operations, size / copied) for n, size in (encoder, step)]
    return {"encoder": least[0], "decoder steps": steps * least[1]}


def start(model: str | None) -> tuple[float, float, float]:
    """Run processes that caption one photograph each.

    Returns
    -------
    The lowest wall-clock time in seconds, the lowest CPU time in seconds, and the peak memory in
    MB.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photograph.jpg")
        path.write_bytes(jpegs()[0])
        options = ["--model", model] if model else []
        command = [sys.executable, "-m", "showtell", "caption", str(path), *options]
        clock, processor = [], []
        for _ in range(STARTS):
            began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            clock.append(time.perf_counter() - began)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            processor.append(used)
    return min(clock), min(processor), after.ru_maxrss / 1024


def measure(bundle: Bundle, rounds: int = ROUNDS) -> Tables:
    """Return the table of the stages and the table behind the lower bounds."""
    captioner = Captioner(bundle, threads=1)
    captioner.runtime = runtime = Timed(bundle)
    files, times = jpegs(), defaultdict(list)
    for turn in range(rounds + 1):
        for file in files:
            for name, value in stages(captioner, runtime, file).items():
                if turn:  # the first round is a warm-up
                    times[name].append(value)
    steps = statistics.median(times.pop("steps"))
    operations, copied = speed()
    least = bounds(bundle, steps, operations, copied)
    rows = [
        {
            "stage": name,
            "median, ms": statistics.median(values),
            "fastest, ms": min(values),
            "lower bound, ms": least.get(name, ""),
        }
        for name, values in times.items()
    ]
    basis = {
        "steps of a caption": steps,
        "billion 8-bit operations a second": operations / 1e6,
        "GB copied a second": copied / 1e6,
        "all of it, times the encoder": min(times["all of it"]) / min(times["encoder"]),
    }
    return {"stages": rows, "bounds": [basis]}


@click.command()
@click.option("--model", help="A bundle's folder; the one that ships if not given.")
@json_option
def main(model: str | None, out: Path | None) -> None:
    """Print what was measured."""
    clock, processor, memory = start(model)  # first, while this process is small
    process = {"seconds": clock, "CPU time, s": processor, "memory, MB": memory}
    show({**measure(Bundle.load(model)), "process": [process]}, out)


if __name__ == "__main__":
    main()
