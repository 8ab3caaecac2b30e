"""Finding sentences for photographs without captions."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.data import load
from showtell.errors import DataError
from showtell.train import recipe as recipes
from showtell.train.features import Features
from showtell.train.pairing import Judge, Sentences, match, pair
from showtell.train.start import encoder_of

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


def test_sentences_that_the_decoder_finds_likely_are_preferred(tmp_path: Path) -> None:
    sentences = Sentences.read(write_sentences(tmp_path / "sentences.txt"))
    log_odds = torch.full((1, len(WORDS)), -4.0)
    log_odds[0, 2], log_odds[0, 4:] = 3.0, 2.0  # blue, and either shape

    def best(shape: str) -> str:
        def judge(photo: int, texts: Sequence[str]) -> torch.Tensor:
            assert photo == 0
            return torch.tensor([0.0 if shape in text else -2.0 for text in texts])

        return match(log_odds, WORDS, sentences, 1, judge)[0][0]

    assert best("ball") == "there is a blue ball on the grey"
    assert best("box") == "there is a blue box on the grey"


def test_the_judge_is_the_decoder_that_the_recipe_starts_from(
    exported: Bundle, recipe_file: Path, shapes: Path
) -> None:
    recipe = recipes.read(recipe_file, [f"start={exported.path}"])
    with pytest.raises(DataError, match="starts from no model"):
        Judge(replace(recipe, start=None), None)
    dev = load(shapes).split("dev")
    encoder = encoder_of(recipe)
    judge = Judge(recipe, Features(Path(recipe.cache), encoder, dev, False, lambda _: None))
    caption = Captioner(exported).caption(dev[3].path)
    said = " ".join(caption.words)
    likelihoods = judge(3, ["grey", said, "ball a on the grey"])
    assert likelihoods.argmax() == 1
    expected = caption.logprob / (len(caption.words) + 1)
    assert float(likelihoods[1]) == pytest.approx(expected, abs=0.02)


def test_pictures_get_sentences_that_suit_them(
    shapes: Path, recipe_file: Path, tmp_path: Path
) -> None:
    """For pictures of the dev split without their captions; the result can be trained on."""
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
