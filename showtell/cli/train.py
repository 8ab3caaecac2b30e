"""What makes a model: showtell data, train, export and results."""

from pathlib import Path

import click

from showtell.cli.common import on_lines, require_torch

overrides_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value of the recipe."
)


@click.group()
def data() -> None:
    """Check data sets."""


@data.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@click.option("--download", is_flag=True, help="Fetch the release into DIR first; 1.1 GB.")
def flickr8k(folder: Path, download: bool) -> None:
    """Check Flickr8k, in any form that people have, and say what is in it."""
    from showtell.data import describe, load

    if download:
        from showtell.data.download import fetch_flickr8k

        fetch_flickr8k(folder)
    click.echo(on_lines(describe(load(folder))))


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@overrides_option
@click.option("--resume", is_flag=True, help="Go on from the run's last checkpoint.")
def train(recipe: Path, overrides: tuple[str, ...], resume: bool) -> None:
    """Train a model by a RECIPE: a YAML file, or the name of one that ships, such as quick."""
    require_torch("showtell train")
    from showtell.train import recipe as recipes
    from showtell.train.engine import train as run

    run(recipes.read(recipe, overrides), resume=resume)


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@overrides_option
def pair(recipe: Path, overrides: tuple[str, ...]) -> None:
    """Find captions for photographs that have none, as the RECIPE's 'pairing' says."""
    require_torch("showtell pair")
    from showtell.train import recipe as recipes
    from showtell.train.pairing import pair as run

    click.echo(f"{run(recipes.read(recipe, overrides))}: a data set to train on")


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("bundle", type=click.Path(path_type=Path))
def export(checkpoint: Path, bundle: Path) -> None:
    """Write the bundle of a CHECKPOINT, or of the best one in a run's folder."""
    require_torch("showtell export")
    from showtell.train.export import export as write

    write(checkpoint, bundle, click.echo)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def results(folder: Path) -> None:
    """Print the scores of the runs below a FOLDER as a table in Markdown."""
    require_torch("showtell results")
    from showtell.train.results import table

    click.echo(on_lines(table(folder)))
