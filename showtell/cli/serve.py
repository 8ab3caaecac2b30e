"""The command ``showtell serve``."""

from pathlib import Path

import click

from showtell.cli.common import model_option


@click.command()
@click.option(
    "--host", default="localhost", show_default=True, help="Host name or address to listen on."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=5000,
    show_default=True,
    help="Port to listen on.",
)
@model_option
@click.option(
    "--corrections",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Let visitors correct captions. Corrections are saved to this folder, with small copies "
    "of the photographs; `showtell train own` can train on it. Without this option nothing is "
    "saved.",
)
def serve(host: str, port: int, model: str | None, corrections: Path | None) -> None:
    """Serve the web page and the JSON API."""
    from showtell import web
    from showtell.captioner import load

    # One thread per photograph; create_app explains why.
    web.serve(web.create_app(load(model, threads=1), corrections), host, port)
