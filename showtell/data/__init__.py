"""Reads data sets (captions, photographs and splits) in common layouts, without PyTorch."""

import os
from pathlib import Path

from showtell.data.coco import COCO
from showtell.data.corrections import CORRECTED
from showtell.data.dataset import Dataset, Finding, Findings, Photograph
from showtell.data.flickr8k import KAGGLE, RELEASED
from showtell.data.flickr30k import FLICKR30K
from showtell.data.hugging_face import HUGGING_FACE
from showtell.data.karpathy import KARPATHY
from showtell.data.own import OWN
from showtell.data.release import assemble
from showtell.data.report import describe
from showtell.data.texts import TEXTS
from showtell.errors import DataError

__all__ = ["Dataset", "Finding", "Findings", "Photograph", "describe", "layouts", "load"]

# The first layout that recognises a folder reads it.
layouts = (RELEASED, KARPATHY, CORRECTED, OWN, KAGGLE, FLICKR30K, HUGGING_FACE, COCO, TEXTS)


def load(root: str | os.PathLike[str]) -> Dataset:
    """Read the data set in a folder with any of the `layouts`.

    Photographs without a file, a caption or a split are left out, and counted in the findings.

    Raises
    ------
    DataError : the folder does not exist or has none of the layouts, or one of its files is
        invalid. The message names the file and the line.
    """
    root = Path(root)
    if not os.path.isdir(root):
        raise DataError(f"{root} is not a folder")
    for layout in layouts:
        release = layout.read(root)
        if release is not None:
            return assemble(root, layout.name, release)
    looked_for = "; ".join(f"{layout.looks_for} ({layout.name})" for layout in layouts)
    raise DataError(f"{root} contains no known data set; looked for {looked_for}")
