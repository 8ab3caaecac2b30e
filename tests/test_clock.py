"""Durations are measured with a monotonic clock, so changes of the system time have no effect."""

import ast
from pathlib import Path

import pytest

import showtell

ROOT = Path(showtell.__file__).parent
# Functions that return the time of day.
JUMPS = {"time", "time_ns", "now", "today", "utcnow", "localtime", "gmtime"}
CLOCKS = {"time", "datetime", "date"}
# Compares with timestamps of waitress, which are times of day.
OURS = sorted(set(ROOT.rglob("*.py")) - {ROOT / "web" / "connections.py"})


@pytest.mark.parametrize("path", OURS, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_asks_for_the_time_of_day(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert not (node.value.id in CLOCKS and node.attr in JUMPS)
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            assert JUMPS.isdisjoint(alias.name for alias in node.names)
