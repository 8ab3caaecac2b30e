"""showtell caption --out: what is told of a run over many photographs."""

import sys
from pathlib import Path
from typing import Any

from showtell.cli.common import on_a_line

_INTERRUPTED = 130  # as shells report a program that Ctrl+C ended


def caption_many(paths: tuple[str, ...], out: Path, *, resume: bool, **options: Any) -> None:
    """Caption photographs into a file; see :func:`showtell.batch.folder.caption_folder`."""
    from tqdm import tqdm

    from showtell.batch.folder import caption_folder
    from showtell.batch.journal import path_for

    def say(line: str) -> None:
        tqdm.write(f"showtell: {on_a_line(line)}", file=sys.stderr)

    if resume and out.exists() and not path_for(out).exists():
        say(f"{out}: finished already")
        return
    summary = caption_folder(paths, out, resume=resume, say=say, **options)
    say(f"{out}: {summary.captioned:,} captioned, {summary.failed:,} not")
    if summary.interrupted:
        say("interrupted; --resume goes on")
        raise SystemExit(_INTERRUPTED)
    if summary.failed:
        raise SystemExit(1)
