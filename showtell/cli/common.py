"""Shared by the commands: options, and the reporting of errors."""

import errno
import io
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import chain
from typing import Any

import click

from showtell.errors import OptionError, ShowtellError
from showtell.search import DEFAULTS, OPTIONS, Search

# Characters that end a line, control a terminal, or change the direction of the text.
_CONTROL = re.compile(
    r"[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Group(click.Group):
    """Reports errors that the user can fix in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OptionError as error:
            raise click.UsageError(str(error)) from error
        except ShowtellError as error:
            reason = str(error)
        except MemoryError:
            reason = "not enough memory"
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # the reader of the output closed it, which click handles
            reason = (
                f"{error.filename or 'standard output'}: {(error.strerror or str(error)).lower()}"
            )
        click.echo(f"showtell: {on_a_line(reason)}", err=True)
        ctx.exit(1)


def print_anything() -> None:
    r"""Write characters that the terminal's encoding lacks as escapes such as ``\u0431``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def on_a_line(text: str) -> str:
    """Escape control characters as Python does, so that a file's name cannot forge a line.

    Characters that change the direction of the text are also escaped: they can make gpj.exe look
    like exe.jpg.
    """
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def on_lines(text: str) -> str:
    """Escape control characters in each line of a text."""
    return "\n".join(on_a_line(line.expandtabs()) for line in text.splitlines())


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Make Ctrl+C end the process immediately.

    Otherwise Python handles it only between two of its own instructions, and running the graph of
    an untrusted bundle can take any time.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


model_option = click.option(
    "--model",
    metavar="M",
    help="Folder of a bundle, or hf://owner/name. Default: the model that ships.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class _SearchValue(click.ParamType):
    """The value of an option of :class:`Search`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return OPTIONS[self.name].read(self.name, value) if isinstance(value, str) else value
        except OptionError as error:
            self.fail(str(error), param, ctx)


def search_options(*names: str) -> Callable[[Callable], Callable]:
    """Add options of :class:`Search` to a command, which receives them as its argument `search`."""

    def decorate(command: Callable) -> Callable:
        @wraps(command)
        def with_search(**arguments: Any) -> Any:
            search = Search(**{name: arguments.pop(name) for name in names})
            return command(search=search, **arguments)

        decorated: Callable = with_search
        for name in reversed(names):
            decorated = _search_option(name)(decorated)
        return decorated

    return decorate


def _search_option(name: str) -> Callable[[Callable], Callable]:
    option, default = OPTIONS[name], getattr(DEFAULTS, name)
    several = isinstance(default, tuple)
    flag = f"--{name.replace('_', '-')}"
    help = option.help.replace("`", "")
    if isinstance(default, bool):
        return click.option(flag, name, is_flag=True, default=default, help=help)
    return click.option(
        flag,
        name,
        type=_SearchValue(name),
        metavar=option.metavar,
        default=default,
        show_default=bool(default),
        multiple=several,
        callback=_joined if several else None,
        help=help + " May be given several times." * several,
    )


def _joined(ctx: click.Context, param: click.Parameter, values: tuple[tuple, ...]) -> tuple:
    return tuple(chain.from_iterable(values))


def require_torch(what: str) -> None:
    from importlib.util import find_spec

    from showtell.errors import MissingExtraError

    needed = ("torch", "timm", "lightning_fabric", "jsonargparse", "onnx", "safetensors")
    if any(find_spec(module) is None for module in needed):
        raise MissingExtraError(what, "train")
