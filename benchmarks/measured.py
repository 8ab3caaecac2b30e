"""Tables of measurements: what every benchmark returns, prints and writes."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

RESULTS = Path(__file__).with_name("results.json")  # of the last `make bench`

Row = Mapping[str, str | float]  # by column; the first column is the row's name
Tables = dict[str, list[Row]]

json_option = click.option(
    "--json", "out", type=click.Path(path_type=Path), help="Write the tables into this file, too."
)


def timing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a benchmark that times captions in rounds and can draw the result."""
    for option in (
        json_option,
        click.option(
            "--plot", type=click.Path(path_type=Path), help="Draw the medians into this file."
        ),
        click.option("--rounds", default=15, show_default=True),
        click.option("--model", help="A bundle's folder; the one that ships if not given."),
    ):
        command = option(command)
    return command


def show(tables: Tables, out: Path | None = None) -> None:
    """Print tables as Markdown, and write them as JSON into a file if one is given."""
    for name, rows in tables.items():
        print(f"\n{name}\n\n{markdown(rows)}", flush=True)
    if out:
        write(tables, out)


def write(tables: Tables, out: Path) -> None:
    """Write tables as JSON."""
    out.write_text(json.dumps(tables, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def markdown(rows: Sequence[Row]) -> str:
    """Return a table with the columns of all rows, numbers with three digits or more."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)]]
    lines += [[_cell(row.get(column, "")) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) or value == 0:
        return f"{value:,.0f}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
