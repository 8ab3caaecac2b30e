"""Measure what ships on this machine, and write the tables into the pages: ``make bench``.

    python benchmarks/report.py

Runs the benchmarks below one after the other, each in a process of its own, and writes
``benchmarks/results.json``, ``docs/peers.svg`` and ``docs/scaling.svg``; ``make tables`` writes the
tables of the pages. The machine must have nothing else to do. If a benchmark fails, the others are
still run, and the exit status is 1.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from measured import RESULTS, Row, Tables, write

from showtell.bundle import SHIPPED
from showtell.cores import cores

HERE = Path(__file__).parent
RUNS = (
    ("breakdown.py",),
    ("peers.py", "--plot", "docs/peers.svg"),
    ("scaling.py", "--plot", "docs/scaling.svg"),
    ("folder.py",),
    ("web.py",),
    ("browser.py",),
    ("soak.py", "--seconds", "180"),
    ("scale.py",),
)
PACKAGES = "onnxruntime", "numpy", "pillow", "torch", "transformers", "ray"

# Of /proc/cpuinfo, and their names. They decide how fast products of 8 and 16 bits are.
INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_tile": "AMX",
    "amx_int8": "AMX INT8",
    "amx_bf16": "AMX BF16",
}

# What is aimed at: the table, its row and column, and the limit.
AIMS = (
    ("peers", "showtell", "median, ms", "at most", 8),
    ("peers", "tutorial, ResNet-101", "times showtell", "at least", 30),
    ("folder", "500 x 375", "a second", "at least", 120),
    ("folder", "4000 x 3000", "a second", "at least", 30),
)


def main() -> None:
    """Run all benchmarks and write their tables."""
    start, found = time.monotonic(), machine()
    tables, failed = run(RUNS)
    found["the run, minutes"] = round((time.monotonic() - start) / 60, 1)
    rows: list[Row] = [{"machine": name, "": value} for name, value in found.items()]
    write({"machine": rows, "aims": aims(tables), **tables}, RESULTS)
    if failed:
        raise SystemExit(f"report.py: failed, see above: {', '.join(failed)}")


def run(runs: Iterable[tuple[str, ...]]) -> tuple[Tables, list[str]]:
    """Run benchmarks, each given by its file and options.

    Returns
    -------
    The tables, and the files of those that ended with another status than 0.
    """
    tables, failed = Tables(), []
    with TemporaryDirectory() as scratch:
        for file, *options in runs:
            print(f"\n{file}", flush=True)
            out = Path(scratch, f"{file}.json")
            command = [sys.executable, HERE / file, *options, "--json", out]
            if subprocess.run(command, cwd=HERE.parent).returncode:
                failed.append(file)
            if out.exists():
                tables |= json.loads(out.read_text("utf-8"))
    return tables, failed


def machine() -> dict[str, str | float]:
    """Return the date, the model, and what speed depends on: hardware and versions."""
    manifest = (SHIPPED / "manifest.json").read_bytes()
    digest = hashlib.sha256(manifest).hexdigest()
    found: dict[str, str | float] = {
        "date": datetime.now(UTC).date().isoformat(),
        "model": f"`{json.loads(manifest)['name']}`, `manifest.json` {digest[:12]}",
        **processor(),
        "cores": cores(),
    }
    if hasattr(os, "getloadavg"):
        found["load before the run"] = round(os.getloadavg()[0], 2)
    found |= {"system": _system(), "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Return the processor's name and, on Linux, which of INSTRUCTIONS it has and lacks."""
    try:
        text = cpuinfo.read_text("utf-8")
    except OSError:
        return {"processor": platform.processor() or platform.machine()}
    lines = dict(re.findall(r"^([^\t:]+)\s*: (.*)$", text, re.MULTILINE))
    name = lines.get("model name", platform.machine())
    if "cpu family" in lines:
        name += f" (family {lines['cpu family']}, model {lines['model']})"
    flags = lines.get("flags", "").split()
    has = [name for flag, name in INSTRUCTIONS.items() if flag in flags]
    lacks = [name for flag, name in INSTRUCTIONS.items() if flag not in flags]
    return {"processor": name, "instructions": ", ".join(has), "lacks": ", ".join(lacks)}


def _system() -> str:
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.machine()}"
    except OSError:
        return platform.platform(terse=True)


def aims(tables: Tables) -> list[Row]:
    """Compare what was measured with AIMS."""
    rows: list[Row] = []
    for table, name, column, limit, aim in AIMS:
        # Of rows with the same name, the last has the most photographs.
        found = {next(iter(row.values())): row for row in tables.get(table, ())}.get(name)
        if found:
            value = float(found[column])
            met = "yes" if (value <= aim if limit == "at most" else value >= aim) else "no"
            what = f"{name}: {column}"
            rows.append({"aim": what, "": f"{limit} {aim}", "measured": value, "met": met})
    return rows


if __name__ == "__main__":
    main()
