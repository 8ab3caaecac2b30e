"""Training on captions in other scripts keeps words whole."""

import math
import shutil
from pathlib import Path

import pytest

from showtell.captioner import Captioner
from showtell.data import load
from showtell.evaluation import calibrate
from showtell.train import export as exporting
from showtell.train import recipe as recipes
from showtell.train.engine import train

HINDI = {
    "red": "लाल",
    "green": "हरी",
    "blue": "नीली",
    "white": "सफ़ेद",
    "ball": "गेंद",
    "box": "पेटी",
}


@pytest.fixture
def hindi(shapes: Path, tmp_path: Path) -> Path:
    """The drawn shapes, with captions in Hindi."""
    folder = tmp_path / "hindi"
    folder.mkdir()
    lines = ["image,caption,split"]
    for split, photographs in load(shapes).splits.items():
        for photograph in photographs:
            shutil.copy(photograph.path, folder)
            colour, shape = (HINDI[word] for word in photograph.captions[4].split())
            lines.append(f"{photograph.name},यह एक {colour} {shape} है।,{split}")
            lines.append(f"{photograph.name},{colour} {shape} ज़मीन पर पड़ी है।,{split}")
    (folder / "captions.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_hindi_is_learned_and_said_in_whole_words(
    hindi: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model learned एक क त त, since words were split at vowel signs."""
    changes = [f"data={hindi}", "frozen.epochs=8", "finetune.epochs=0", "frozen.captions=2"]
    run = train(recipes.read(recipe_file, changes), say=lambda _: None)
    for limit in ("LEAST_TRAINING", "LEAST_DEV"):
        monkeypatch.setattr(calibrate, limit, 8)
    monkeypatch.setattr(exporting, "MAX_LOSS", -math.inf)
    captioner = Captioner(exporting.export(run, tmp_path / "model", lambda _: None))
    words = {*HINDI.values(), "यह", "एक", "है", "ज़मीन", "पर", "पड़ी"}
    assert set(captioner.bundle.vocabulary.words[4:]) == words
    said = captioner.caption([p.path for p in load(hindi).split("test")])
    assert all(set(caption.text.split()) <= words for caption in said)
    assert any(set(caption.words) & set(HINDI.values()) for caption in said)
