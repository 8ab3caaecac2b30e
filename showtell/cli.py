"""The command line. What a command needs is imported inside it, so that ``--help`` is quick."""

import errno
import json
import re
import sys
import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from showtell._version import __version__
from showtell.errors import ImageError, ShowtellError

if TYPE_CHECKING:
    from showtell.captioner import Caption

STDIN = "-"

# What would end a line, or do something to a terminal.
_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029]")


class _Group(click.Group):
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
        click.echo(f"showtell: {_on_a_line(reason)}", err=True)
        ctx.exit(1)


def _on_a_line(text: str) -> str:
    """Write control characters as Python does, so that a file's name cannot forge a line."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


_model = click.option(
    "--model",
    metavar="M",
    help="A bundle's folder or hf://owner/name; the one that ships if not given.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_beam = click.option(
    "--beam",
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="Width of the beam search; 1 is greedy.",
)


@click.group(cls=_Group)
@click.version_option(__version__)
def main() -> None:
    """Caption photographs with Show, Attend and Tell, and see where the model looked."""
    # Pillow warns of odd metadata, which the pixels do not need.
    warnings.filterwarnings("ignore", module="PIL")


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_beam
@click.option(
    "--max-length",
    type=click.IntRange(1, 40),
    default=20,
    show_default=True,
    help="Words at most.",
)
@_json
@click.option(
    "--attention",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write three files of each photograph there: a figure with one panel a word (PNG), "
    "an animation that goes from word to word (GIF), and what --json prints.",
)
@_model
def caption(
    paths: tuple[str, ...],
    beam: int,
    max_length: int,
    as_json: bool,
    attention: Path | None,
    model: str | None,
) -> None:
    """Caption photographs; - reads one from standard input.

    A photograph that cannot be used is told on standard error, and the others are captioned.
    """
    from showtell.captioner import load
    from showtell.limits import MAX_BYTES

    captioner = load(model)
    failed = False
    for path, stem in zip(paths, _stems(attention, paths), strict=True):
        name = click.format_filename(path)
        try:
            # One byte more than may be is enough to refuse it.
            source = sys.stdin.buffer.read(MAX_BYTES + 1) if path == STDIN else path
            found = captioner.caption(source, beam=beam, max_length=max_length)
            if attention:
                _write(attention / stem, source, found, name)
        except ImageError as error:
            click.echo(f"showtell: {_on_a_line(name)}: {error}", err=True)
            failed = True
            continue
        if as_json:
            click.echo(json.dumps(found.to_dict(name)))
            continue
        for warning in found.warnings:
            click.echo(f"showtell: {_on_a_line(name)}: warning: {warning}", err=True)
        click.echo(f"{_on_a_line(name)}\t{found.text}")
    if failed:
        raise SystemExit(1)


def _write(stem: Path, source: str | bytes, found: "Caption", name: str) -> None:
    """Write the figure, the animation and the JSON of a photograph, `stem` their common name."""
    from showtell import attention, image
    from showtell.atomic import replacing

    photograph = image.open_upright(source)
    figure = BytesIO()
    attention.figure(photograph, found).save(figure, "PNG")
    files = {
        "png": figure.getvalue(),
        "gif": attention.animation(photograph, found),
        "json": json.dumps(found.to_dict(name)).encode(),
    }
    for extension, content in files.items():
        path = stem.with_name(f"{stem.name}.{extension}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as partial:
                partial.write_bytes(content)
        except OSError as error:
            raise ShowtellError(f"{path}: cannot be written: {error.strerror}") from error


def _stems(folder: Path | None, paths: tuple[str, ...]) -> list[str]:
    """Name the files of each photograph: its own name, with a number where that is taken.

    Taken at the start are the names of those in `folder` that a figure or an animation would
    replace.
    """
    inside = (Path(p) for p in paths if folder and Path(p).parent.resolve() == folder.resolve())
    taken = {path.stem for path in inside if path.suffix.lower() in (".png", ".gif")}
    stems = []
    for path in paths:
        own = stem = "stdin" if path == STDIN else Path(path).stem or "photograph"
        number = 1
        while stem in taken:
            number += 1
            stem = f"{own}-{number}"
        taken.add(stem)
        stems.append(stem)
    return stems


@main.command()
@click.option(
    "--host", default="localhost", show_default=True, help="Name or address to listen at."
)
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@_model
def serve(host: str, port: int, model: str | None) -> None:
    """Serve the page and the JSON interface."""
    from showtell import web
    from showtell.captioner import load

    # One thread a photograph, for the reason that create_app tells.
    web.serve(web.create_app(load(model, threads=1)), host, port)


@main.group()
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
    click.echo(describe(load(folder)))


@main.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value of the recipe."
)
@click.option("--resume", is_flag=True, help="Go on from the run's last checkpoint.")
def train(recipe: Path, overrides: tuple[str, ...], resume: bool) -> None:
    """Train a model by a recipe, a YAML file."""
    _require_torch("showtell train")
    from showtell.train import recipe as recipes
    from showtell.train.engine import train as run

    run(recipes.read(recipe, overrides), resume=resume)


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("bundle", type=click.Path(path_type=Path))
def export(checkpoint: Path, bundle: Path) -> None:
    """Write the bundle of a CHECKPOINT, or of the best one in a run's folder."""
    _require_torch("showtell export")
    from showtell.train.export import export as write

    write(checkpoint, bundle, click.echo)


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def results(folder: Path) -> None:
    """Print the scores of the runs below a FOLDER as a table in Markdown."""
    _require_torch("showtell results")
    from showtell.train.results import table

    click.echo(table(folder))


def _require_torch(what: str) -> None:
    from importlib.util import find_spec

    from showtell.errors import MissingExtraError

    needed = ("torch", "timm", "lightning_fabric", "jsonargparse", "onnx", "safetensors")
    if any(find_spec(module) is None for module in needed):
        raise MissingExtraError(what, "train")


@main.command()
@click.option("--data", "folder", metavar="DIR", help="A data set, as for `showtell data`.")
@click.option("--split", default="test", show_default=True, help="Which of its splits to caption.")
@_beam
@_model
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    help="Captions to score, COCO's result format.",
)
@click.option(
    "--references", type=click.Path(path_type=Path), help="Their references, COCO's format."
)
@_json
def evaluate(
    folder: str | None,
    split: str,
    beam: int,
    model: str | None,
    predictions: Path | None,
    references: Path | None,
    as_json: bool,
) -> None:
    """Caption a split and score the captions; or score the captions in a file."""
    from showtell import evaluate as evaluation
    from showtell.captioner import load
    from showtell.data import load as load_data

    if predictions and references and not folder:
        card = evaluation.evaluate_files(predictions, references)
    elif folder and not predictions and not references:
        card = evaluation.evaluate(load(model), load_data(folder), split, beam)
    else:
        raise click.UsageError("give --data, or --predictions and --references")
    click.echo(json.dumps(card.to_dict(), indent=2) if as_json else card)


@main.command()
@_json
@_model
def info(as_json: bool, model: str | None) -> None:
    """Describe a model: its card, or with --json its manifest."""
    from showtell.bundle import Bundle

    bundle = Bundle.load(model)
    if as_json:
        click.echo(json.dumps(bundle.manifest, indent=2))
    else:
        click.echo((bundle.path / "README.md").read_text(encoding="utf-8"))
