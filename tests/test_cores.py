"""The number of threads is the number of available cores."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from showtell.cores import _quota, cores

LOAD = """
import os, onnxruntime, showtell
os.sched_setaffinity(0, {0})
made = []
Session = onnxruntime.InferenceSession
def session(path, options, **rest):
    made.append(options.intra_op_num_threads)
    return Session(path, options, **rest)
onnxruntime.InferenceSession = session
showtell.load()
print(made)
"""


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/a.slice/b\n", {"a.slice/cpu.max": "200000 100000", "a.slice/b/cpu.max": "max 1"}, 2),
        ("0::/docker/of/the/host\n", {"cpu.max": "50000 100000"}, 0.5),
        (
            "4:memory:/x\n2:cpu,cpuacct:/x\n",
            {
                "cpu,cpuacct/x/cpu.cfs_quota_us": "300000",
                "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
            },
            3,
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
        ("", {}, math.inf),
    ],
)
def test_quotas(tmp_path: Path, own: str, files: dict[str, str], quota: float) -> None:
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert _quota(tmp_path / "own", tmp_path / "groups") == quota


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_a_model_takes_the_cores_that_are_lent_and_is_silent() -> None:
    """All cores of the machine were used, and ONNX Runtime warned about those not available."""
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[1, 1]\n", "")
    assert 1 <= cores() <= (os.cpu_count() or 1)
