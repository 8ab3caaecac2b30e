"""The command ``showtell caption``."""

import json
import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from showtell.cli.common import (
    ending_at_once,
    json_option,
    model_option,
    on_a_line,
    search_options,
)
from showtell.cli.many import caption_many, caption_on_cluster
from showtell.errors import BundleError, ImageError, ShowtellError
from showtell.search import OPTIONS, Search

if TYPE_CHECKING:
    from showtell.caption import Caption
    from showtell.proof import Proof
    from showtell.things import Thing

STDIN = "-"
_ROW = "    {:16}{:>6}{:>6}{:>10}{:>8}  {}"
_THING = "    {:16}{:>6}"


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@search_options(*OPTIONS)
@json_option
@click.option(
    "--attention",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write three files for each photograph to DIR: a figure with one panel per word (PNG), "
    "an animation of the same maps (GIF), and the output of --json.",
)
@model_option
@click.option(
    "--out",
    metavar="FILE",
    help="Write one row per photograph to FILE (.jsonl, .csv or .parquet) instead of printing.",
)
@click.option(
    "--recursive",
    is_flag=True,
    help="With --out: caption all photographs in folders and their subfolders.",
)
@click.option("--resume", is_flag=True, help="With --out: continue an interrupted run.")
@click.option(
    "--sidecar",
    type=click.Choice(["xmp"]),
    help="With --out: also write each caption to the sidecar PHOTO.xmp. Existing text is kept.",
)
@click.option(
    "--engine",
    type=click.Choice(["ray"]),
    help="With --out: caption one folder, or a URI such as s3://bucket/folder, on a Ray cluster. "
    "FILE is then a folder or URI, which receives Parquet files.",
)
@click.option(
    "--column",
    metavar="NAME",
    help="With --engine: read the photographs from this column of Parquet files.",
)
def caption(
    paths: tuple[str, ...],
    search: Search,
    as_json: bool,
    attention: Path | None,
    model: str | None,
    out: str | None,
    recursive: bool,
    resume: bool,
    sidecar: str | None,
    engine: str | None,
    column: str | None,
) -> None:
    """Caption photographs. The path - reads one from standard input.

    Files that cannot be read are reported on standard error; the rest are still captioned.
    """
    if column and not engine:
        raise click.UsageError("--column requires --engine")
    if out:
        alone = as_json, attention, search.region, search.proof, search.things, STDIN in paths
        if any(alone):
            raise click.UsageError(
                "--out cannot be combined with --json, --attention, --region, --proof, --things "
                "or standard input (-)"
            )
        options: dict[str, Any] = {"model": model, "search": search, "resume": resume}
        if engine:
            if len(paths) > 1 or sidecar:
                raise click.UsageError("--engine takes one folder or URI, and no --sidecar")
            caption_on_cluster(paths[0], out, column=column, **options)
        elif far := [place for place in (*paths, out) if "://" in place]:
            raise click.UsageError(f"{far[0]}: object stores require --engine ray")
        else:
            options |= {"recursive": recursive, "sidecars": sidecar is not None}
            caption_many(paths, Path(out), **options)
        return
    if recursive or resume or sidecar or engine:
        raise click.UsageError("--recursive, --resume, --sidecar and --engine require --out")
    _print(paths, search, as_json, attention, model)


@ending_at_once()
def _print(
    paths: tuple[str, ...],
    search: Search,
    as_json: bool,
    attention: Path | None,
    model: str | None,
) -> None:
    """Caption photographs one by one, and print a line for each."""
    from showtell import image
    from showtell.captioner import load
    from showtell.limits import MAX_BYTES
    from showtell.runtime import WHOLE_GRID_ONLY

    captioner = load(model)
    if search.proof and not captioner.runtime.cells_vary:
        raise BundleError(f"{captioner.bundle.path}: {WHOLE_GRID_ONLY}")
    if search.things and captioner.things is None:
        raise BundleError(
            f"{captioner.bundle.path}: this model has no classifier, which --things requires"
        )
    failed = False
    for path, stem in zip(paths, _stems(attention, paths), strict=True):
        name = click.format_filename(path)
        try:
            # One byte too many is enough for an error.
            stdin = path == STDIN
            data = sys.stdin.buffer.read(MAX_BYTES + 1) if stdin else image.read_file(path)
            result = captioner.caption(data, search)
            if attention:
                _write(attention / stem, data, result, name)
        except ImageError as error:
            click.echo(f"showtell: {on_a_line(name)}: {error}", err=True)
            failed = True
            continue
        if as_json:
            click.echo(json.dumps(result.to_dict(name)))
            continue
        for warning in result.warnings:
            click.echo(f"showtell: {on_a_line(name)}: warning: {warning}", err=True)
        click.echo(f"{on_a_line(name)}\t{result.text}")
        if result.proof:
            click.echo(_table(result, result.proof))
        if search.things:
            click.echo(_things(result.things))
    if failed:
        raise SystemExit(1)


def _table(result: "Caption", proof: "Proof") -> str:
    """Return the table of a proof: how much each word's probability falls, in percent."""
    lines = [_ROW.format("word", "p", "β", "attended", "random", "source")]
    for word, p, gate, attended, random, seen in zip(
        result.words,
        result.probabilities,
        result.gates,
        proof.attended,
        proof.random,
        proof.seen,
        strict=True,
    ):
        losses = (f"{100 * fall / p:+.0f}%" for fall in (-attended, -random))
        source = "photograph" if seen else "language model"
        lines.append(_ROW.format(word, f"{p:.2f}", f"{gate:.2f}", *losses, source))
    return "\n".join(lines)


def _things(things: tuple["Thing", ...]) -> str:
    """Return a heading and a line for each thing that the classifier recognises."""
    rows = [_THING.format(thing.name, f"{thing.probability:.2f}") for thing in things]
    return "\n".join([_THING.format("thing", "p"), *(rows or ["    none recognised"])])


def _write(stem: Path, data: bytes, result: "Caption", name: str) -> None:
    """Write the figure, the animation and the JSON of a photograph; `stem` is their common name."""
    from showtell import attention, image
    from showtell.atomic import replacing

    photograph = image.open_upright(data)
    figure = BytesIO()
    attention.figure(photograph, result).save(figure, "PNG")
    files = {
        "png": figure.getvalue(),
        "gif": attention.animation(photograph, result),
        "json": json.dumps(result.to_dict(name)).encode(),
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
    """Return the stem of each photograph's files: its own stem, with a number if that is taken.

    Stems of photographs in `folder` that a figure or an animation would overwrite count as taken.
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
