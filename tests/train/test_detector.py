"""The detector of words, and a decoder that is given its evidence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from showtell.captioner import Captioner
from showtell.data import load
from showtell.decoding import beam_search
from showtell.errors import RecipeError
from showtell.train import checkpoint as checkpoints
from showtell.train import recipe as recipes
from showtell.train.detector import WordDetector, pool, said_once, shares
from showtell.train.engine import train
from showtell.train.evidence import EVIDENCE
from showtell.train.export import export
from showtell.train.model import Decoder, Seen
from showtell.train.recipe import DecoderRecipe
from showtell.train.start import weights
from showtell.vocab import END, PAD, START

N, WORDS = 2000, ("red", "blue", "ball")


def test_a_word_that_is_seen_has_evidence_and_one_that_is_not_has_less_than_none() -> None:
    torch.manual_seed(0)
    said = torch.rand(N, 3) < 0.3
    pooled = torch.cat([said.float() * 3, torch.rand(N, 5)], dim=1)
    detector = WordDetector(8, 64, 3).fit(pooled, said.float(), torch.ones(N), seed=1)
    evidence = detector.evidence(pooled)
    assert (evidence[said] > 0).float().mean() > 0.95
    assert (evidence[~said] < 0).float().mean() > 0.95
    again = WordDetector(8, 64, 3).fit(pooled, said.float(), torch.ones(N), seed=1)
    assert again.evidence(pooled).equal(evidence), "the seed decides"


def test_a_photograph_that_counts_more_moves_the_prior() -> None:
    pooled, said = torch.rand(4, 8), torch.tensor([[1.0], [0.0], [0.0], [0.0]])
    detector = WordDetector(8, 4, 1).fit(pooled, said, torch.tensor([3.0, 1.0, 1.0, 1.0]), seed=1)
    assert detector.prior.item() == pytest.approx(0.0, abs=1e-6), "as likely as not"


def test_shares_are_of_a_photograph_s_captions() -> None:
    captions = [[["red", "ball"], ["red", "red", "box"]], [["blue"]]]
    assert shares(captions, WORDS).tolist() == [[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]


def test_words_that_people_say_twice_are_told_from_those_that_they_do_not() -> None:
    captions = [[["the", "train", "on", "train", "tracks"], ["one", "dog", "runs"]]] * 50
    captions += [[["a", "cat", "beside", "a", "cat"]]]
    words = ("the", "train", "dog", "cat", "never")
    assert said_once(captions, words).tolist() == [0.0, 0.0, 1.0, 1.0, 0.0], (
        "a single cat is chance"
    )


def test_what_is_pooled_does_not_depend_on_where_things_are() -> None:
    features, classifier = torch.rand(2, 6, 10), torch.nn.Linear(10, 7)
    pooled = pool(features, classifier)
    assert pooled.shape == (2, 27)
    torch.testing.assert_close(pool(features[:, [5, 3, 1, 0, 2, 4]], classifier), pooled)


@pytest.fixture
def decoder() -> Decoder:
    torch.manual_seed(0)
    sizes = DecoderRecipe(annotation=8, attention=7, embedding=6, hidden=9, dropout=0.5)
    return Decoder(10, 12, sizes, detector=True).eval()


CAPTIONS = torch.tensor([[START, 4, 5, END], [START, 8, END, PAD]])


def test_evidence_makes_its_word_likelier(decoder: Decoder) -> None:
    features, evidence = torch.rand(2, 6, 10), torch.zeros(2, 12)
    photo = torch.tensor([1, 0])
    without, targets, _ = decoder(Seen(features, evidence), photo, CAPTIONS)
    evidence[1, 5] = 4.0
    given, _, _ = decoder(Seen(features, evidence), photo, CAPTIONS)
    change = given - without  # of photograph 1 in the words 0, 2, 4 (step by step), of 0 in 1, 3
    assert (change[[0, 2, 4], 5] > 0.1).all()
    change[[0, 2, 4], 5] = 0
    assert change.abs().max() < 1e-6
    assert targets.tolist() == [4, 8, 5, END, END]


def test_decoding_is_given_the_same_evidence_as_training(decoder: Decoder) -> None:
    seen = Seen(torch.rand(2, 6, 10), torch.randn(2, 12))
    photo = torch.tensor([1, 0])
    logits, _, _ = decoder(seen, photo, CAPTIONS)
    state = decoder.start(seen).of_hypotheses(lambda part: part.unsqueeze(1))
    for t, rows in ((0, [0, 1]), (1, [2, 3])):
        logprobs, _, _, state = decoder.step(state, CAPTIONS[photo, t : t + 1])
        torch.testing.assert_close(logprobs[photo, 0], logits[rows].log_softmax(dim=1))


def test_a_word_that_people_say_once_is_said_once(decoder: Decoder) -> None:
    """Behind each of its words, in training and in decoding."""
    assert decoder.once is not None
    decoder.once[5] = 1
    seen = Seen(torch.rand(1, 6, 10), torch.full((1, 12), 2.0))
    said = torch.tensor([[START, 5, 4, 5, END]])
    logits, _, _ = decoder(seen, torch.tensor([0]), said)
    state = decoder.start(seen).of_hypotheses(lambda part: part.unsqueeze(1))
    for t, forbidden in enumerate((False, True, True, True)):
        logprobs, _, _, state = decoder.step(state, said[:, t : t + 1])
        torch.testing.assert_close(logprobs[0], logits[t : t + 1].log_softmax(dim=1))
        others = torch.cat([logprobs[0, 0, :5], logprobs[0, 0, 6:]])
        assert bool(logprobs[0, 0, 5] < others.min() - 2) == forbidden


def test_a_surer_decoder_trusts_its_evidence_as_much_more(decoder: Decoder) -> None:
    seen, photo = Seen(torch.rand(2, 6, 10), torch.randn(2, 12)), torch.tensor([1, 0])
    before = decoder(seen, photo, CAPTIONS)[0]
    decoder.sharpen(0.5)
    torch.testing.assert_close(decoder(seen, photo, CAPTIONS)[0], 2 * before)


@pytest.fixture
def with_detector(recipe_file: Path) -> recipes.Recipe:
    values = yaml.safe_load(recipe_file.read_text())
    values["encoder"]["classifier"] = True
    values["detector"] = {"hidden": 16, "folds": 2}
    recipe_file.write_text(yaml.safe_dump(values))
    return recipes.read(recipe_file, ["frozen.epochs=2", "finetune.epochs=0"])


def test_a_run_teaches_the_detector_and_the_bundle_has_it(
    with_detector: recipes.Recipe, shapes: Path, tmp_path: Path
) -> None:
    run = train(with_detector, say=lambda _: None)
    evidence = np.load(run / EVIDENCE)
    trained = checkpoints.read(run)
    photographs = load(shapes).split("train")
    assert evidence.shape == (len(photographs), len(trained.vocabulary))
    network = trained.build()
    assert network.detector is not None

    bundle = export(run, tmp_path / "model", say=lambda _: None)
    captioner = Captioner(bundle)
    paths = [p.path for p in load(shapes).split("test")]
    state = captioner.encode(paths).state
    assert state.evidence is not None
    assert state.evidence.shape == (len(paths), 1, len(trained.vocabulary))
    together = [caption.text for caption in captioner.caption(paths, beam=3)]
    assert together == [captioner.caption(path, beam=3).text for path in paths]
    plain = beam_search(captioner.runtime, state._replace(evidence=0 * state.evidence), len(paths))
    assert [h[0].logprobs.sum() for h in plain] != [
        h[0].logprobs.sum() for h in beam_search(captioner.runtime, state, len(paths))
    ], "the decoder's graph takes the evidence"


def test_rewards_and_evidence_in_half_precision(with_detector: recipes.Recipe) -> None:
    selfcritical = replace(with_detector.selfcritical, epochs=1, photos=8)
    frozen = replace(with_detector.frozen, epochs=1)
    recipe = replace(
        with_detector, precision="bf16-mixed", frozen=frozen, selfcritical=selfcritical
    )
    network = checkpoints.read(train(recipe, say=lambda _: None)).network
    assert all(t.dtype == torch.float32 and t.isfinite().all() for t in network.values())


@pytest.mark.parametrize(("folds", "kept"), [(0, True), (2, False)])
def test_the_detector_of_the_bundle_is_kept_or_trained_anew(
    with_detector: recipes.Recipe, tmp_path: Path, folds: int, kept: bool
) -> None:
    first = replace(with_detector, frozen=replace(with_detector.frozen, epochs=1))
    bundle = export(train(first, say=lambda _: None), tmp_path / "model", say=lambda _: None)
    again = replace(
        first,
        start=str(bundle.path),
        run=str(tmp_path / "again"),
        seed=2,
        detector=replace(first.detector, folds=folds),
    )
    network = checkpoints.read(train(again, say=lambda _: None)).build()
    assert network.detector is not None
    before, after = weights(bundle)["detector.hidden.weight"], network.detector.hidden.weight
    assert before.equal(after) == kept


@pytest.mark.parametrize(("folds", "message"), [(0, "start has none"), (1, "must be 2 or more")])
def test_folds_that_cannot_be(with_detector: recipes.Recipe, folds: int, message: str) -> None:
    assert with_detector.detector is not None
    detector = replace(with_detector.detector, folds=folds)
    with pytest.raises(RecipeError, match=message):
        train(replace(with_detector, detector=detector), say=lambda _: None)


def test_a_detector_needs_a_classifier(recipe_file: Path) -> None:
    values = yaml.safe_load(recipe_file.read_text())
    recipe_file.write_text(yaml.safe_dump(values | {"detector": {}}))
    with pytest.raises(RecipeError, match="classifier: set it to true"):
        train(recipes.read(recipe_file), say=lambda _: None)
