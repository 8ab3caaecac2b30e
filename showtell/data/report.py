"""The report of ``showtell data``: the layout, the splits and the findings of a data set."""

from showtell.data.dataset import Dataset
from showtell.data.official import full_hashes


def describe(dataset: Dataset) -> str:
    """Describe the content of a data set, and whether its splits are the official ones.

    Raises
    ------
    DataError : the train split is empty.
    """
    dataset.split("train")
    splits = [_split_line(dataset, name) for name in dataset.splits]
    return "\n".join(
        [f"{dataset.root}: layout {dataset.layout}", *splits, *dataset.findings.sentences()]
    )


def _split_line(dataset: Dataset, name: str) -> str:
    photographs = dataset.splits[name]
    captions = sum(len(photograph.captions) for photograph in photographs)
    return (
        f"{name}: {len(photographs):,} photographs, {captions:,} captions, "
        f"names {dataset.split_hash(name)[:12]}{_verdict(dataset, name)}"
    )


def _verdict(dataset: Dataset, name: str) -> str:
    if dataset.split_hash(name) == full_hashes()[name]:
        return " (the official split)"
    return " (not the official split)" if dataset.layout.startswith("flickr8k") else ""
