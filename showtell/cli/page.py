"""showtell page."""

from pathlib import Path

import click

from showtell.cli.common import model_option


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@model_option
def page(folder: Path, model: str | None) -> None:
    """Write the page that captions in the visitor's browser to DIR, for any web server.

    Needs npm, which fetches ONNX Runtime for browsers.
    """
    from showtell.browser import build
    from showtell.bundle import Bundle

    size = build(folder, Bundle.load(model))
    click.echo(f"{folder}: {size / 1e6:.1f} MB; try it: python -m http.server --directory {folder}")
