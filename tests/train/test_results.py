"""The table of results."""

import json
import shutil
from pathlib import Path

import pytest

from showtell.bundle import Bundle
from showtell.errors import DataError
from showtell.train.plot import read_log
from showtell.train.results import SCORES, table


def test_a_run_is_a_row(trained: Path, exported: Bundle, tmp_path: Path) -> None:
    for name in ("log.jsonl", SCORES):
        (tmp_path / "shapes" / "one").mkdir(parents=True, exist_ok=True)
        shutil.copy(trained / name, tmp_path / "shapes" / "one")
    heading, rule, row, people, soft, hard = table(tmp_path).splitlines()
    assert rule.count("|") == heading.count("|") == row.count("|")
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    scores = exported.manifest["scores"]["scores"]
    assert cells[:2] == ["shapes/one", "10"]
    assert float(cells[2]) == round(max(r["cider"] for r in read_log(trained) if "cider" in r), 3)
    assert cells[3] == f"{100 * scores['bleu'][0]:.1f}"
    assert cells[-1] == f"{scores['cider']:.3f}"
    assert people.startswith("| people")
    assert "| 19.5 | 18.9 |" in soft
    assert "| 21.3 | 20.3 |" in hard


def test_a_run_without_scores_has_its_dev_scores(tmp_path: Path) -> None:
    record = {"phase": "frozen", "step": 3, "epoch": 1, "bleu4": 0.1, "cider": 0.25}
    (tmp_path / "log.jsonl").write_text(json.dumps(record) + "\n")
    assert table(tmp_path).splitlines()[2].split("|")[2:5] == [" 1 ", " 0.250 ", "  "]


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no run found"):
        table(tmp_path)
