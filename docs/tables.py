"""Write what is computed in the README and the documentation: ``make tables``.

A table of scores or of a benchmark stands between two comments, ``<!-- NAME -->`` and
``<!-- /NAME -->``. The reference of the command line and of the HTTP API are whole pages. A test
compares all of it with what is computed here. What the benchmarks measured is in
``benchmarks/results.json``, which ``make bench`` writes.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reference import command_line, http

from showtell.bundle import SHIPPED
from showtell.evaluation.scorecard import PAPER
from showtell.train.results import table

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))
from measured import RESULTS, Tables, markdown  # noqa: E402

DOCS = ROOT / "docs"
MEASURED = ROOT / "benchmarks" / "README.md", DOCS / "scale.md"
RUNS, TRIALS = DOCS / "runs", DOCS / "trials"


def main() -> None:
    """Write all pages."""
    for path, text in pages():
        path.write_text(text, encoding="utf-8")


def pages() -> Iterator[tuple[Path, str]]:
    """Yield each page that is computed, wholly or in part, and its text as it is computed now."""
    for path, name, body in (
        (ROOT / "README.md", "scores", scores()),
        (DOCS / "results.md", "runs", table(RUNS)),
        (DOCS / "results-appendix.md", "trials", table(TRIALS)),
    ):
        yield path, replaced(path.read_text("utf-8"), name, body)
    if RESULTS.exists():
        yield from measured_pages(json.loads(RESULTS.read_text("utf-8")))
    yield DOCS / "command-line.md", "\n".join(command_line())
    yield DOCS / "http.md", "\n".join(http())


def measured_pages(tables: Tables) -> Iterator[tuple[Path, str]]:
    """Yield each page with tables of the benchmarks, and its text with `tables`."""
    for path in MEASURED:
        text = path.read_text("utf-8")
        for name in names(text):
            body = markdown(tables[name]) if tables.get(name) else "Not measured in this run."
            text = replaced(text, name, body)
        yield path, text


def names(text: str) -> list[str]:
    """Return the names of the tables of a page."""
    return re.findall(r"^<!-- ([a-z-]+) -->$", text, re.MULTILINE)


def replaced(text: str, name: str, body: str) -> str:
    """Return a page with what stands between the comments of a name replaced.

    Raises
    ------
    ValueError : the page has no such comments.
    """
    block = re.compile(f"(<!-- {name} -->\n).*(<!-- /{name} -->)", re.DOTALL)
    text, n = block.subn(lambda found: f"{found[1]}\n{body}\n\n{found[2]}", text)
    if n != 1:
        raise ValueError(f"there is no <!-- {name} --> before a <!-- /{name} -->")
    return text


def scores() -> str:
    """Return the scores of the model that ships, of people and of the paper."""
    manifest = json.loads((SHIPPED / "manifest.json").read_bytes())
    name, card = manifest["name"], manifest["scores"]
    rows = [
        _row(f"{name}, Flickr8k", card["scores"]),
        *_elsewhere(name),
        _row("people, Flickr8k", card["people"]),
    ]
    for attention, paper in PAPER.items():
        bleu = {"bleu": paper["bleu_without_penalty"]}
        rows.append(_row(f"the paper, {attention}, Flickr8k", paper | bleu))
    size = sum(path.stat().st_size for path in SHIPPED.iterdir()) / 1e6
    notes = (
        f"`{name}` weighs {size:.0f} MB. Flickr8k is the official test split of Flickr8k,\n"
        f"{card['photographs']:,} photographs, with a beam of {card['beam']}. People are scored "
        "one against the others.\nBLEU, METEOR and ROUGE-L are percentages; the paper's BLEU has "
        "no brevity penalty."
    )
    heading = "| | BLEU-1 | BLEU-4 | METEOR | ROUGE-L | CIDEr |\n| --- |" + " ---: |" * 5
    return "\n".join([heading, *rows, "", notes])


def _elsewhere(name: str) -> Iterator[str]:
    """Yield the scores on COCO that lie beside the log of the model's run, if they do."""
    path = RUNS / name.removeprefix("showtell-") / "coco.json"
    if path.exists():
        card = json.loads(path.read_bytes())
        yield _row(f"{name}, COCO ({card['photographs']} photographs)", card["scores"])


def _row(name: str, scores: dict[str, Any]) -> str:
    percent = (scores["bleu"][0], scores["bleu"][3], scores["meteor"], scores.get("rouge_l"))
    cells = [*(f"{100 * x:.1f}" if x is not None else "" for x in percent)]
    cider = f"{scores['cider']:.3f}" if "cider" in scores else ""
    return f"| {' | '.join([name, *cells, cider])} |"


if __name__ == "__main__":
    main()
