"""What tells of a model: showtell evaluate and info."""

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
@click.option("--data", "folder", metavar="DIR", help="A data set, as for `showtell data`.")
@click.option("--split", default="test", show_default=True, help="Which of its splits to caption.")
@search_options("beam")
@model_option
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    help="Captions to score, COCO's result format.",
)
@click.option(
    "--references", type=click.Path(path_type=Path), help="Their references, COCO's format."
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
    """Caption a split and score the captions; or score the captions in a file."""
    from showtell.captioner import load
    from showtell.data import load as load_data
    from showtell.evaluation import evaluate as evaluation

    if predictions and references and not folder:
        card = evaluation.evaluate_files(predictions, references)
    elif folder and not predictions and not references:
        card = evaluation.evaluate(load(model), load_data(folder), split, search.beam)
    else:
        raise click.UsageError("give --data, or --predictions and --references")
    click.echo(json.dumps(card.to_dict(), indent=2) if as_json else card)


@click.command()
@json_option
@model_option
def info(as_json: bool, model: str | None) -> None:
    """Describe a model: its card, or with --json its manifest."""
    from showtell.bundle import Bundle

    bundle = Bundle.load(model)
    if as_json:
        click.echo(json.dumps(bundle.manifest, indent=2))
    else:
        click.echo(on_lines(bundle.card))
