"""The commands ``showtell data``, ``train``, ``pair``, ``export`` and ``results``."""

from pathlib import Path

import click

from showtell.cli.common import on_lines, require_torch
from showtell.errors import DataError

overrides_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value of the recipe. May be given several times.",
)


@click.group()
def data() -> None:
    """Check data sets."""


@data.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@click.option("--download", is_flag=True, help="Download the data set into DIR first (1.1 GB).")
def flickr8k(folder: Path, download: bool) -> None:
    """Check a copy of Flickr8k in DIR, and print what it contains."""
    from showtell.data import describe, load

    if download:
        from showtell.data.download import fetch_flickr8k

        fetch_flickr8k(folder)
    click.echo(on_lines(describe(load(folder))))


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@overrides_option
@click.option("--resume", is_flag=True, help="Continue from the run's last checkpoint.")
def train(recipe: Path, overrides: tuple[str, ...], resume: bool) -> None:
    """Train a model from a recipe.

    RECIPE is a YAML file, or the name of a recipe that ships with showtell, such as quick.
    """
    require_torch("showtell train")
    from showtell.train import recipe as recipes
    from showtell.train.engine import train as run

    values = recipes.read(recipe, overrides)
    if not Path(values.data).is_dir():
        raise DataError(f"{values.data} is not a folder; name yours with --set data=FOLDER")
    run(values, resume=resume)


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@overrides_option
def pair(recipe: Path, overrides: tuple[str, ...]) -> None:
    """Find captions for uncaptioned photographs.

    The section 'pairing' of RECIPE names the photographs, the sentences and the output folder.
    """
    require_torch("showtell pair")
    from showtell.train import recipe as recipes
    from showtell.train.pairing import pair as run

    click.echo(f"{run(recipes.read(recipe, overrides))}: data set written")


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("bundle", type=click.Path(path_type=Path))
def export(checkpoint: Path, bundle: Path) -> None:
    """Export a checkpoint as a bundle.

    CHECKPOINT is a checkpoint file, or the folder of a run to export its best checkpoint. BUNDLE is
    the folder to write.
    """
    require_torch("showtell export")
    from showtell.train.export import export as write

    write(checkpoint, bundle, click.echo)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def results(folder: Path) -> None:
    """Print the scores of runs as a table.

    The table is in Markdown, and has all runs in FOLDER and its subfolders.
    """
    require_torch("showtell results")
    from showtell.train.results import table

    click.echo(on_lines(table(folder)))
