"""showtell teach."""

from pathlib import Path

import click

from showtell.cli.common import model_option, require_torch


@click.command()
@click.argument("album", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="BUNDLE",
    help="Folder of the new model; the old one stays as it is.",
)
@click.option(
    "--data",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The data set that the old model was trained on: some of it is rehearsed, and its test "
    "split tells what was forgotten.",
)
@click.option(
    "--may-lose",
    type=click.FloatRange(0),
    default=0.02,
    show_default=True,
    metavar="CIDER",
    help="What the model may lose on that test split; one that loses more is not written.",
)
@model_option
def teach(album: Path, out: Path, data: Path, may_lose: float, model: str | None) -> None:
    """Teach a model the captions that you corrected in an ALBUM.

    ALBUM is a folder of `showtell serve --corrections`, or the corrections.jsonl in it. Every fifth
    photograph is not learned from; of these the captions before and after are shown.
    """
    require_torch("showtell teach")
    from showtell.data.corrections import CORRECTIONS
    from showtell.train.teach import teach as learn

    folder = album.parent if album.name == CORRECTIONS else album
    written = learn(folder, out, model=model, data=data, may_lose=may_lose, say=click.echo)
    click.echo(f"{written.path} is the model that was taught: showtell serve --model {out}")
