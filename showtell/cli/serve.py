"""showtell serve."""

from pathlib import Path

import click

from showtell.cli.common import model_option


@click.command()
@click.option(
    "--host", default="localhost", show_default=True, help="Name or address to listen at."
)
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@model_option
@click.option(
    "--corrections",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Let the page correct captions, and keep them in this folder with small copies of "
    "their photographs. A model can be trained on it: showtell train own. Without this option "
    "nothing is written.",
)
def serve(host: str, port: int, model: str | None, corrections: Path | None) -> None:
    """Serve the page and the JSON interface."""
    from showtell import web
    from showtell.captioner import load

    # One thread a photograph, for the reason that create_app tells.
    web.serve(web.create_app(load(model, threads=1), corrections), host, port)
