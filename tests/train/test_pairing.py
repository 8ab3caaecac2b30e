"""Sentences found for photographs that have none."""

from pathlib import Path

import pytest
import torch
import yaml

from showtell.data import load
from showtell.errors import DataError
from showtell.train import recipe as recipes
from showtell.train.pairing import Sentences, match, pair

WORDS = ("red", "green", "blue", "white", "ball", "box")


def write_sentences(path: Path) -> Path:
    kinds = [f"there is a {c} {s} on the grey" for c in WORDS[:4] for s in WORDS[4:]]
    path.write_text("\n".join(kinds * 25 + ["a word that is said once only", "too short", ""]))
    return path


def test_short_sentences_and_those_with_rare_words_are_left_out(tmp_path: Path) -> None:
    sentences = Sentences.read(write_sentences(tmp_path / "sentences.txt"))
    assert len(sentences.texts) == 8 * 25
    assert sentences.words[0] == {"red", "ball", "grey"}


def test_a_file_without_a_sentence_is_named(tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("short\n")
    for name in ("none.txt", "missing.txt"):
        with pytest.raises(DataError, match=name):
            Sentences.read(tmp_path / name)


def test_the_likeliest_words_choose_the_sentence(tmp_path: Path) -> None:
    sentences = Sentences.read(write_sentences(tmp_path / "sentences.txt"))
    log_odds = torch.full((2, len(WORDS)), -4.0)
    log_odds[0, [2, 5]] = 3.0
    log_odds[1, [0, 4]] = 3.0
    found = match(log_odds, WORDS, sentences, 2)
    assert [texts[0] for texts in found] == [
        "there is a blue box on the grey",
        "there is a red ball on the grey",
    ]
    assert all(len(set(texts)) == 2 for texts in found), "each sentence once"


def test_pictures_get_sentences_that_suit_them(
    shapes: Path, recipe_file: Path, tmp_path: Path
) -> None:
    """The pictures of the dev split without their captions; a recipe trains on what comes."""
    bare, out = tmp_path / "bare", tmp_path / "paired"
    bare.mkdir()
    dev = load(shapes).split("dev")
    for photograph in dev:
        (bare / photograph.name).symlink_to(photograph.path)
    values = yaml.safe_load(recipe_file.read_text())
    values["encoder"]["classifier"] = True
    values["more"] = [{"data": str(out), "written": False}]
    values["pairing"] = {
        "photographs": str(bare),
        "sentences": str(write_sentences(tmp_path / "sentences.txt")),
        "out": str(out),
        "captions": 2,
    }
    recipe_file.write_text(yaml.safe_dump(values))
    recipe = recipes.read(recipe_file)

    assert pair(recipe, lambda _: None) == out
    paired = load(out)
    assert [p.name for p in paired.split("train")] == [p.name for p in dev]
    assert all(len(p.captions) == 2 for p in paired.split("train"))
    right = sum(
        word in caption.captions[0].split()
        for photograph, caption in zip(dev, paired.split("train"), strict=True)
        for word in photograph.captions[0].lower().split()
        if word in WORDS
    )
    assert right > 8, "of 16 words; chance finds 6"
    with pytest.raises(DataError, match=r"paired: already exists; delete it"):
        pair(recipe, lambda _: None)


def test_a_recipe_without_pairing_says_so(recipe_file: Path) -> None:
    with pytest.raises(DataError, match="has no section 'pairing'"):
        pair(recipes.read(recipe_file))
