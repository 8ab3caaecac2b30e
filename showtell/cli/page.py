"""The command ``showtell page``."""

from pathlib import Path

import click

from showtell.cli.common import model_option


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@model_option
def page(folder: Path, model: str | None) -> None:
    """Build a page for any static web server.

    The page is written to DIR and captions in the visitor's browser. Requires npm, to download
    ONNX Runtime for browsers.
    """
    from showtell.browser import build
    from showtell.bundle import Bundle

    size = build(folder, Bundle.load(model))
    click.echo(
        f"{folder}: {size / 1e6:.1f} MB. To try it: python -m http.server --directory {folder}"
    )
