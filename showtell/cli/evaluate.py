"""The commands ``showtell evaluate`` and ``showtell info``."""

import json
from pathlib import Path

import click

from showtell.cli.common import (
    ending_at_once,
    json_option,
    model_option,
    on_lines,
    search_options,
)
from showtell.search import Search


@click.command()
@click.option("--data", "folder", metavar="DIR", help="Folder of a data set.")
@click.option("--split", default="test", show_default=True, help="Split to caption.")
@search_options("beam")
@model_option
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    help="File of captions to score, in COCO's result format.",
)
@click.option(
    "--references",
    type=click.Path(path_type=Path),
    help="File of reference captions, in COCO's annotation format.",
)
@json_option
@ending_at_once()
def evaluate(
    folder: str | None,
    split: str,
    search: Search,
    model: str | None,
    predictions: Path | None,
    references: Path | None,
    as_json: bool,
) -> None:
    """Score the captions of a model or a file.

    With --data, the model captions a split of the data set. With --predictions and --references,
    the captions in a file are scored.
    """
    from showtell.captioner import load
    from showtell.data import load as load_data
    from showtell.evaluation import evaluate as evaluation

    if predictions and references and not folder:
        card = evaluation.evaluate_files(predictions, references)
    elif folder and not predictions and not references:
        card = evaluation.evaluate(load(model), load_data(folder), split, search.beam)
    else:
        raise click.UsageError("give either --data, or both --predictions and --references")
    click.echo(json.dumps(card.to_dict(), indent=2) if as_json else card)


@click.command()
@json_option
@model_option
def info(as_json: bool, model: str | None) -> None:
    """Print the card of a model, or its manifest with --json."""
    from showtell.bundle import Bundle

    bundle = Bundle.load(model)
    if as_json:
        click.echo(json.dumps(bundle.manifest, indent=2))
    else:
        click.echo(on_lines(bundle.card))
