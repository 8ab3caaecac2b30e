"""Teaching: a new word is learned and said, and a model that forgets too much is not written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from showtell.bundle import Bundle
from showtell.captioner import Captioner
from showtell.data import load
from showtell.data.corrections import Corrections
from showtell.errors import BundleError, DataError, TeachingError
from showtell.train import teach as teaching
from showtell.train.comparison import (
    Change,
    Comparison,
    Said,
    compare,
    mean_logprob,
    words_right,
)
from showtell.train.teach import teach


def correct(folder: Path, shapes: Path, number: int) -> Path:
    """Call so many of the balls zorbs, and the first one a quokka too."""
    album = Corrections(folder)
    balls = [path for i, path in enumerate(sorted(shapes.glob("*.png"))) if i // 4 % 2 == 0]
    for i, path in enumerate(balls[:number]):
        album.add(path.read_bytes(), "a zorb" if i else "a zorb quokka")
    return folder


@pytest.fixture(scope="module")
def album(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return correct(tmp_path_factory.mktemp("album"), shapes, 15)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teach a small network as fast as it can learn."""
    lessons = replace(teaching.LESSONS, epochs=8, photos=4, lr=0.005)
    monkeypatch.setattr(teaching, "LESSONS", lessons)


@pytest.mark.usefixtures("quick")
def test_a_new_word_is_learned_and_said(
    album: Path, exported: Bundle, shapes: Path, tmp_path: Path
) -> None:
    before = exported.manifest["sha256"]
    told: list[str] = []
    written = teach(
        album, tmp_path / "model", model=exported.path, data=shapes, may_lose=10, say=told.append
    )
    assert "new words, which the model learns (1): zorb" in told[1]
    assert "become <unk> (1): quokka" in told[1]
    captions, table = told[-1].split("\n\n")
    assert captions.count("  after   a zorb\n  yours   a zorb") >= 2, told[-1]
    assert "zorb" not in captions.partition("  after")[0]
    assert "CIDEr on the 8 old test photographs" in table
    assert written.vocabulary.words == (*exported.vocabulary.words, "zorb")
    taught = written.manifest["taught"]
    assert taught["held_out"] == 3
    assert taught["words"]["after"] > taught["words"]["before"]
    assert taught["known"] == 8
    assert table in (written.path / "README.md").read_text()
    assert "zorb" not in (written.path / "README.md").read_text(), "captions are private"
    assert Bundle.load(exported.path).manifest["sha256"] == before
    assert str(album.parent) not in json.dumps(written.manifest)


@pytest.mark.parametrize(("may_lose", "refused"), [(0.019, True), (0.021, False)])
def test_a_model_that_forgets_too_much_is_not_written(
    album: Path,
    exported: Bundle,
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    may_lose: float,
    refused: bool,
) -> None:
    """Nor anything of it: the folder is as it was."""
    numbers = Change(0.2, 0.4), Change(-3.0, -2.0)
    found = Comparison(
        (Said("a.jpg", "a ball", "a zorb", "a zorb"),), *numbers, 8, Change(0.5, 0.48)
    )
    for name, result in (("train", tmp_path), ("export", exported), ("compare", found)):
        monkeypatch.setattr(teaching, name, lambda *_, result=result, **__: result)

    def learn() -> Bundle:
        return teach(
            album,
            tmp_path / "model",
            model=exported.path,
            data=shapes,
            may_lose=may_lose,
            say=lambda _: None,
        )

    if refused:
        with pytest.raises(TeachingError, match=r"falls from 0\.5000 to 0\.4800, and may fall by"):
            learn()
        assert list(tmp_path.iterdir()) == []
    else:
        assert learn().manifest["taught"]["cider"] == {"before": 0.5, "after": 0.48}


def test_a_model_is_as_good_as_itself(exported: Bundle, shapes: Path) -> None:
    captioner = Captioner(exported)
    held_out = load(shapes).split("test")
    found = compare(captioner, captioner, held_out, held_out)
    assert found.words.before == found.words.after > 0
    assert found.logprob.before == found.logprob.after < 0
    assert found.cider.before == found.cider.after > 0
    assert found.said[0].before == found.said[0].after
    assert found.said[0].wanted == held_out[0].captions[0]


def test_words_that_are_right_are_counted_once() -> None:
    assert words_right("Rex and a dog", "A dog and a cat .") == pytest.approx(2 * 3 / (4 + 5))
    assert words_right("", "Rex") == 0


def test_a_log_probability_is_that_of_the_caption(exported: Bundle, shapes: Path) -> None:
    """That of the model's own caption, which the beam search tells of it."""
    captioner = Captioner(exported)
    photographs = load(shapes).split("test")[:3]
    captions = [captioner.caption(p.path) for p in photographs]
    own = [replace(p, captions=(c.text,)) for p, c in zip(photographs, captions, strict=True)]
    words = sum(len(c.words) + 1 for c in captions)
    expected = sum(c.logprob for c in captions) / words
    assert mean_logprob(captioner, own) == pytest.approx(expected, abs=1e-5)


def test_too_few_corrections_are_told(exported: Bundle, shapes: Path, tmp_path: Path) -> None:
    few = correct(tmp_path / "few", shapes, 4)
    with pytest.raises(DataError, match="Correct five photographs or more"):
        teach(few, tmp_path / "model", model=exported.path, data=shapes, may_lose=0, say=print)


def test_a_bundle_that_tells_no_recipe_stays_as_it_is(
    album: Path, exported: Bundle, shapes: Path, tmp_path: Path
) -> None:
    manifest = {k: v for k, v in exported.manifest.items() if k != "training"}
    silent = tmp_path / "silent"
    silent.mkdir()
    for file in exported.path.iterdir():
        (silent / file.name).write_bytes(file.read_bytes())
    (silent / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(TeachingError, match="does not tell its recipe"):
        teach(album, tmp_path / "model", model=silent, data=shapes, may_lose=0, say=print)


def test_the_old_model_is_not_replaced(album: Path, exported: Bundle, shapes: Path) -> None:
    with pytest.raises(TeachingError, match="is the old model, which stays; name a new folder"):
        teach(album, exported.path, model=exported.path, data=shapes, may_lose=0, say=print)


def test_a_folder_with_something_else_is_left_alone(
    album: Path, shapes: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "holiday.png")
    with pytest.raises(BundleError, match="holds something else"):
        teach(album, tmp_path, model=None, data=shapes, may_lose=0, say=print)
