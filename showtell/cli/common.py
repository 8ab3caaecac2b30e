"""What the commands share: options, and how an error is told."""

import errno
import io
import re
import sys
from typing import Any

import click

from showtell.errors import ShowtellError

# What would end a line, or do something to a terminal.
_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029]")


class Group(click.Group):
    """Tells errors that are the input's fault in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ShowtellError as error:
            reason = str(error)
        except MemoryError:
            reason = "there is not enough memory for this"
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever read our output has had enough of it, which is no error
            reason = f"{error.filename or 'its output'}: {(error.strerror or str(error)).lower()}"
        click.echo(f"showtell: {on_a_line(reason)}", err=True)
        ctx.exit(1)


def print_anything() -> None:
    r"""Let standard output write what its encoding lacks as ``\u0431``, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def on_a_line(text: str) -> str:
    """Write control characters as Python does, so that a file's name cannot forge a line."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


model_option = click.option(
    "--model",
    metavar="M",
    help="A bundle's folder or hf://owner/name; the one that ships if not given.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
beam_option = click.option(
    "--beam",
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="Width of the beam search; 1 is greedy.",
)


def require_torch(what: str) -> None:
    from importlib.util import find_spec

    from showtell.errors import MissingExtraError

    needed = ("torch", "timm", "lightning_fabric", "jsonargparse", "onnx", "safetensors")
    if any(find_spec(module) is None for module in needed):
        raise MissingExtraError(what, "train")
