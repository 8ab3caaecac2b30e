"""``showtell caption --out``: runs over many photographs, and their summary."""

import sys
from pathlib import Path
from typing import Any

from showtell.cli.common import ending_at_once, on_a_line

_INTERRUPTED = 130  # exit status that shells report for a program ended by Ctrl+C


@ending_at_once()
def caption_many(paths: tuple[str, ...], out: Path, *, resume: bool, **options: Any) -> None:
    """Caption photographs into a file; see :func:`showtell.batch.folder.caption_folder`."""
    from showtell.batch.folder import caption_folder
    from showtell.batch.journal import path_for

    if resume and out.exists() and not path_for(out).exists():
        _say(f"{out}: already finished")
        return
    summary = caption_folder(paths, out, resume=resume, say=_say, **options)
    _say(f"{out}: {summary.captioned:,} captioned, {summary.failed:,} failed")
    if summary.left_out:
        _say(summary.left_out)
    if summary.interrupted:
        _say("interrupted; run again with --resume to continue")
        raise SystemExit(_INTERRUPTED)
    if summary.failed:
        raise SystemExit(1)


def caption_on_cluster(uri: str, out: str, **options: Any) -> None:
    """Caption photographs into a folder; see :func:`showtell.cluster.engine.run`."""
    from importlib.util import find_spec

    from showtell.errors import MissingExtraError

    if any(find_spec(module) is None for module in ("ray", "pyarrow", "pandas")):
        raise MissingExtraError("--engine ray", "cluster")
    from showtell.cluster.engine import run

    tally = run(uri, out, **options)
    captions = tally.photographs - tally.errors
    _say(f"{out}: {captions:,} captioned, {tally.errors:,} failed")
    if tally.left_out:
        _say(tally.left_out)
    if tally.errors:
        raise SystemExit(1)


def _say(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(f"showtell: {on_a_line(line)}", file=sys.stderr)
