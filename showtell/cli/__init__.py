"""The command line. Commands import what they need when they run, so that ``--help`` is fast."""

import warnings

import click

from showtell._version import __version__
from showtell.cli.caption import caption
from showtell.cli.common import Group, print_anything
from showtell.cli.evaluate import evaluate, info
from showtell.cli.page import page
from showtell.cli.serve import serve
from showtell.cli.train import data, export, pair, results, train


@click.group(cls=Group)
@click.version_option(__version__)
def main() -> None:
    """Caption photographs with Show, Attend and Tell, and see where the model looked."""
    print_anything()
    # Pillow warns about unusual metadata, which does not affect the pixels.
    warnings.filterwarnings("ignore", module="PIL")


for command in (caption, serve, page, info, evaluate, data, pair, train, export, results):
    main.add_command(command)
