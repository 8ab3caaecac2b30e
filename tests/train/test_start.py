"""Training that starts from a bundle."""

from pathlib import Path

import onnx
import pytest
import torch

from showtell import bundle
from showtell.bundle import REQUIRED, Bundle
from showtell.data import Photograph, load
from showtell.data.corrections import Corrections
from showtell.errors import CheckpointError
from showtell.train import checkpoint as checkpoints
from showtell.train import recipe as recipes
from showtell.train.encoder import Encoder
from showtell.train.engine import train
from showtell.train.model import ShowAttendTell
from showtell.train.start import bundle_of, network_of, tell_new, weights
from showtell.vocab import SPECIAL, Vocabulary


def test_a_bundle_holds_the_network_it_was_made_of(trained: Path, exported: Bundle) -> None:
    network = checkpoints.read(trained).build()
    found = network_of(exported, network)
    assert found.keys() == network.state_dict().keys()
    for name, weight in network.named_parameters():
        expected = weight if weight.numel() < 4096 else weight.half().float()
        assert found[name].equal(expected), name


def test_the_model_that_ships_can_be_trained_further() -> None:
    shipped = bundle_of("shipped")
    assert shipped.path == Bundle.load().path
    recipe = recipes.from_dict(dict(shipped.manifest["training"]["recipe"]))
    encoder = Encoder(recipe.encoder, pretrained=False)
    words = len(shipped.vocabulary)
    network = ShowAttendTell(encoder, words, recipe.decoder, recipe.detector)
    checkpoints.load_tensors(network, network_of(shipped, network))
    assert sum(p.numel() for p in network.parameters()) == shipped.manifest["parameters"]


def test_own_pictures_train_the_model_that_ships(shapes: Path, tmp_path: Path) -> None:
    """As in the README, without a column of splits, and with new words."""
    rows = ["image,caption"]
    for i, picture in enumerate(sorted(shapes.glob("*.png"))[:24]):
        (tmp_path / picture.name).symlink_to(picture)
        rows.append(f"{picture.name},something of the zyzzogeton{' quokka' * (i == 0)}")
    (tmp_path / "captions.csv").write_text("\n".join(rows))
    changes = [f"data={tmp_path}", f"run={tmp_path / 'run'}", f"cache={tmp_path / 'cache'}"]
    told: list[str] = []
    run = train(recipes.read("own", [*changes, "frozen.epochs=1"]), say=told.append)
    splits = load(tmp_path).splits
    trained, judged = len(splits["train"]), len(splits["dev"])
    assert told[0] == f"{trained} photographs for training, {judged} for validation"
    learned, rare = told[1].splitlines()
    assert learned == "new words, which the model learns (1): zyzzogeton"
    assert rare.endswith("become <unk> (1): quokka")
    assert checkpoints.read(run).vocabulary.words == (*Bundle.load().vocabulary.words, "zyzzogeton")

    detector = checkpoints.read(run).build().detector
    assert detector is not None
    shipped = weights(Bundle.load())["detector.output.weight"]
    assert detector.output.weight[:-1].equal(shipped), "a few pictures teach it nothing"
    evidence = detector.evidence(torch.rand(3, len(detector.mean)))
    assert evidence[:, -1].abs().max() == 0, "none for or against a new word"


def test_a_recipe_without_the_bundle_s_detector_is_refused(shapes: Path, tmp_path: Path) -> None:
    changes = [f"data={shapes}", f"run={tmp_path / 'run'}", f"cache={tmp_path}", "detector=null"]
    with pytest.raises(CheckpointError, match=r"add 'detector: \{folds: 0\}'"):
        train(recipes.read("own", changes), say=lambda _: None)


def test_corrections_train_the_model_that_ships(shapes: Path, tmp_path: Path) -> None:
    """The folder of `showtell serve --corrections` works with the same recipe."""
    folder = tmp_path / "corrections"
    corrections = Corrections(folder)
    for picture in sorted(shapes.glob("*.png"))[:20]:
        corrections.add(picture.read_bytes(), "a zyzzogeton")
    changes = [f"data={folder}", f"run={tmp_path / 'run'}", f"cache={tmp_path / 'cache'}"]
    told: list[str] = []
    run = train(recipes.read("own", [*changes, "frozen.epochs=1"]), say=told.append)
    assert told[0] == "16 photographs for training, 2 for validation"
    assert checkpoints.read(run).vocabulary.words[-1] == "zyzzogeton"


def test_known_words_are_told() -> None:
    vocabulary = Vocabulary((*SPECIAL, "a", "dog"))
    photographs = [Photograph("1.jpg", Path("1.jpg"), ("A dog.",))]
    told = tell_new(photographs, vocabulary, vocabulary)
    assert told == "the model's vocabulary has all 2 words of the captions"


def test_new_words_start_as_the_mean_of_those_it_knows(trained: Path, exported: Bundle) -> None:
    """The probabilities of known words do not change."""
    known = checkpoints.read(trained).build()
    recipe, n = checkpoints.read(trained).recipe, len(exported.vocabulary)
    network = ShowAttendTell(known.encoder, n + 2, recipe.decoder).eval()
    checkpoints.load_tensors(network, network_of(exported, network))
    checkpoints.load_tensors(known, network_of(exported, known))
    decoder = network.decoder
    for rows in (decoder.E.weight, decoder.L_o.weight, decoder.L_o.bias):
        assert rows[n].equal(rows[n + 1])
        torch.testing.assert_close(rows[n], rows[len(SPECIAL) : n].mean(dim=0))
    features, photo = torch.rand(1, 4, known.encoder.channels), torch.zeros(1, dtype=torch.long)
    captions = torch.tensor([[1, 5, 6, 2]])
    with torch.inference_mode():
        before, after = (model(features, photo, captions)[0] for model in (known, network))
    torch.testing.assert_close(after[:, :n], before)


def test_a_weight_that_is_missing_is_named(trained: Path, exported: Bundle, tmp_path: Path) -> None:
    """Older bundles have the exporter's names, such as val_16."""
    files = {name: (exported.path / name).read_bytes() for name in REQUIRED}
    files["decoder.onnx"] = files["decoder.onnx"].replace(
        b"attention.W.weight", b"attention.?.weight"
    )
    old = bundle.write(tmp_path / "old", exported.manifest, files)
    onnx.checker.check_model(onnx.load(old.path / "decoder.onnx"))
    with pytest.raises(CheckpointError, match=r"it lacks decoder\.attention\.W\.weight"):
        network_of(old, checkpoints.read(trained).build())


def test_a_network_of_other_sizes_does_not_take_a_bundle(trained: Path, exported: Bundle) -> None:
    smaller = torch.nn.Module()
    smaller.decoder = checkpoints.read(trained).build().decoder
    smaller.decoder.L_o = torch.nn.Linear(16, 9)
    with pytest.raises(CheckpointError, match="size mismatch"):
        checkpoints.load_tensors(smaller, network_of(exported, smaller))
