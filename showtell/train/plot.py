"""Training curves: plots from a run's log, and a TensorBoard writer."""

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from showtell.atomic import replacing
from showtell.train.checkpoint import Progress

LOG = "log.jsonl"


def read_log(run: Path) -> list[dict[str, Any]]:
    """Return the records of a run's log, without a truncated last line."""
    path = run / LOG
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def trim_log(run: Path, at: Progress) -> None:
    """Remove the records from a run's log that the run will write again after `at`."""
    kept = [record for record in read_log(run) if _is_before(record, at)]
    with replacing(run / LOG) as partial:
        partial.write_text("".join(json.dumps(record) + "\n" for record in kept))


def _is_before(record: dict[str, Any], at: Progress) -> bool:
    """Return whether a log record is older than `at`, so that it will not be written again."""
    ends_epoch = "epoch" in record and at.step > 0
    return record["step"] < at.total_steps or (record["step"] == at.total_steps and not ends_epoch)


def open_board(run: Path, step: int) -> Any:
    """Return a TensorBoard writer for a run's folder; None if TensorBoard is not installed.

    TensorBoard hides events after `step` from a run that was killed: they are written again.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(run, purge_step=step + 1)


def _pyplot() -> Any:
    """Import pyplot with its cache in ``MPLCONFIGDIR`` or, by default, a temporary folder."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.environ.setdefault("MPLCONFIGDIR", scratch)
        import matplotlib

        # Silences the warning that the font cache is being built.
        logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
        matplotlib.use("Agg")
        from matplotlib import pyplot
    if folder == scratch:
        del os.environ["MPLCONFIGDIR"]
    return pyplot


def plot_curves(run: Path) -> None:
    """Plot training loss, dev BLEU-4 and CIDEr over steps to ``curves.png`` in the run's folder."""
    pyplot = _pyplot()
    records = read_log(run)
    losses = [(r["step"], r["loss"]) for r in records if "loss" in r]
    scores = [(r["step"], r["bleu4"], r["cider"]) for r in records if "cider" in r]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(*zip(*losses, strict=True), color="#444", linewidth=0.8)
    left.set(xlabel="step", ylabel="training loss", title="loss")
    if scores:
        steps, bleu4, cider = zip(*scores, strict=True)
        right.plot(steps, cider, "o-", label="CIDEr")
        right.plot(steps, bleu4, "s-", label="BLEU-4")
        right.legend()
    right.set(xlabel="step", title="dev, by beam search")
    with replacing(run / "curves.png") as partial:
        figure.savefig(partial, format="png", dpi=120)
    pyplot.close(figure)
