"""The table of results, made from the logs and scores of runs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from showtell.errors import DataError
from showtell.evaluation.scorecard import PAPER
from showtell.train.plot import LOG, read_log

SCORES = "scores.json"

_HEADINGS = (
    "run", "epochs", "dev CIDEr", "B-1", "B-2", "B-3", "B-4", "METEOR", "ROUGE-L", "CIDEr",
)  # fmt: skip


def table(folder: Path) -> str:
    """Return a Markdown table of the runs in a folder, followed by people and the paper.

    Parameters
    ----------
    folder : contains the folders of runs, each with its ``log.jsonl`` and, if ``showtell export``
        scored the test split, its ``scores.json``.

    Raises
    ------
    DataError : the folder contains no run.
    """
    runs = sorted(path.parent for path in folder.rglob(LOG))
    if not runs:
        raise DataError(f"{folder}: no run found: no {LOG} in any of its subfolders")
    cards = [_read_scores(run) for run in runs]
    rows = [
        _row(run.relative_to(folder).as_posix(), read_log(run), card["scores"] if card else {})
        for run, card in zip(runs, cards, strict=True)
    ]
    for card in cards:
        if card and card["people"]:
            rows.append(_row("people, one against the others", [], card["people"]))
            break
    # The paper's BLEU has no brevity penalty.
    for name, scores in PAPER.items():
        bleu = {"bleu": scores["bleu_without_penalty"]}
        rows.append(_row(f"the paper, {name}", [], scores | bleu))
    return "\n".join(f"| {' | '.join(row)} |" for row in [_HEADINGS, _rule(), *rows])


def _read_scores(run: Path) -> dict[str, Any] | None:
    path = run / SCORES
    return json.loads(path.read_bytes()) if path.exists() else None


def _rule() -> list[str]:
    return ["---", *["---:"] * (len(_HEADINGS) - 1)]


def _row(name: str, log: Sequence[Mapping[str, Any]], scores: Mapping[str, Any]) -> list[str]:
    dev = [record["cider"] for record in log if "cider" in record]
    percent = [*scores.get("bleu", [None] * 4), scores.get("meteor"), scores.get("rouge_l")]
    return [
        name,
        str(len(dev)) if dev else "",
        _number(max(dev, default=None), 3),
        *(_number(None if x is None else 100 * x, 1) for x in percent),
        _number(scores.get("cider"), 3),
    ]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
