"""Teaching: a model goes on learning from corrections, and is kept if it forgot little else.

The decoder alone is trained, from features of the CNN, which stays as it is. Beside the corrections
it rehearses: see :class:`~showtell.train.objective.Rehearsal`.
"""

import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from showtell import bundle
from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.data import Dataset, Photograph, load
from showtell.errors import TeachingError
from showtell.train import recipe as recipes
from showtell.train.comparison import Comparison, compare
from showtell.train.engine import train
from showtell.train.export import export
from showtell.train.recipe import Phase, Recipe, RehearsalRecipe

REHEARSED = 2  # photographs for each that was corrected
MIN_COUNT = 3  # times that the corrections say a new word that is learned
HURRY = 30.0  # of new words
LESSONS = Phase(epochs=30, photos=16, captions=1, lr=1e-4, doubly_stochastic=0.1)
_NONE = Phase(epochs=0, photos=1, captions=1, lr=0.0)

Say = Callable[[str], None]


def teach(
    album: Path,
    target: Path,
    *,
    model: str | Path | None,
    data: Path,
    may_lose: float,
    say: Say = print,
) -> Bundle:
    """Teach a model what a person says of photographs, and write the bundle of what it became.

    Parameters
    ----------
    album : a folder of corrections, see :mod:`showtell.data.corrections`, or of any data set with
        a training split, to learn from, and a test split, to be compared on.
    target : the new bundle's folder; the old model stays as it is.
    model : the old model, as :meth:`Bundle.load` takes it.
    data : the data set that it was trained on, to be rehearsed and tested.
    may_lose : CIDEr-D that it may lose on that test split.
    say : told what is going on, and the comparison.

    Raises
    ------
    TeachingError : it got worse by more than it may, or cannot be taught; nothing is written.
    DataError : there are too few corrections, or a data set cannot be read.
    BundleError : the model cannot be read, or `target` holds something else.
    CheckpointError : the model cannot be trained further.
    """
    bundle.refuse_other(target)
    corrections, known = load(album), load(data)
    held_out, test = corrections.split("test"), known.split("test")
    for sentence in corrections.findings.sentences():
        say(sentence)
    before = Captioner(Bundle.load(model))
    if target.resolve() == before.bundle.path.resolve():
        raise TeachingError(f"{target}: is the old model, which stays; name a new folder")
    with tempfile.TemporaryDirectory() as scratch:
        lessons = corrections.split("train")
        rehearsed = _rehearse(known, REHEARSED * len(lessons), before)
        recipe = _recipe(before.bundle, album, target.name, Path(scratch), len(rehearsed))
        splits = {"train": lessons + rehearsed, "dev": (), "test": ()}
        run = train(recipe, data=replace(corrections, splits=splits), say=say)
        after = Captioner(export(run, Path(scratch, "model"), say, data=known))
        found = compare(before, after, held_out, test)
        say(f"{found.captions()}\n\n{found}")
        _require(found, may_lose)
        return _write(after.bundle, target, found)


def _recipe(start: Bundle, album: Path, name: str, scratch: Path, rehearsed: int) -> Recipe:
    """Return the recipe that a bundle was trained by, changed to one that teaches it."""
    trained = start.manifest.get("training", {}).get("recipe")
    if trained is None:
        raise TeachingError(f"{start.path}: does not tell its recipe, without which it stays as is")
    return replace(
        recipes.from_dict(dict(trained)),
        name=name,
        start=str(start.path),
        data=str(album),
        run=str(scratch / "run"),
        cache=str(scratch / "cache"),
        frozen=LESSONS,
        finetune=_NONE,
        selfcritical=_NONE,
        hard=None,
        rehearsal=RehearsalRecipe(rehearsed, known=len(start.vocabulary), hurry=HURRY),
        min_count=MIN_COUNT,
        judge=None,
        devices=1,
    )


def _rehearse(known: Dataset, number: int, before: Captioner) -> tuple[Photograph, ...]:
    """Return photographs of a training split, always the same, with what a model says of them."""
    every = known.split("train")
    chosen = random.Random(1).sample(every, min(number, len(every)))
    captions = before.caption([photograph.path for photograph in chosen])
    pairs = zip(chosen, captions, strict=True)
    return tuple(replace(photograph, captions=(c.text,)) for photograph, c in pairs if c.text)


def _require(found: Comparison, may_lose: float) -> None:
    if found.cider.before - found.cider.after > may_lose:
        raise TeachingError(
            f"the model forgets too much, and is not written: CIDEr on the {found.known:,} old "
            f"test photographs falls from {found.cider.before:.4f} to {found.cider.after:.4f}, and "
            f"may fall by {may_lose:g}; allow more with --may-lose"
        )


def _write(draft: Bundle, target: Path, found: Comparison) -> Bundle:
    """Write the bundle, and what was compared into its manifest and its card."""
    files = {name: (draft.path / name).read_bytes() for name in draft.manifest["sha256"]}
    files["README.md"] += f"\n## Before and after it was taught\n\n```\n{found}\n```\n".encode()
    return bundle.write(target, {**draft.manifest, "taught": found.to_dict()}, files)
