"""The scorecard: scores of captions, those of people and of the paper, and explanations."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from showtell.data.official import full_hashes
from showtell.deletion import SHARE, Deletion
from showtell.evaluation.bootstrap import LEVEL, RESAMPLES
from showtell.evaluation.calibrate import BINS, Calibration
from showtell.evaluation.measures import Gates, WordGate
from showtell.evaluation.scores import PTB, Scores

# Xu et al., 2015, Table 1, Flickr8k.
PAPER: dict[str, dict[str, Any]] = {
    "soft attention": {"bleu_without_penalty": (0.67, 0.448, 0.299, 0.195), "meteor": 0.1893},
    "hard attention": {"bleu_without_penalty": (0.67, 0.457, 0.314, 0.213), "meteor": 0.2030},
}
HEADINGS = ("", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr")


@dataclass(frozen=True)
class Scorecard:
    """Scores of a set of captions, with the details needed to compare them with others.

    Attributes
    ----------
    model : name of the model, or of the file with the captions.
    split : name of the split, or of the file with the references.
    split_hash : SHA-256 of the split's sorted names joined by newlines, or of the file.
    beam : beam width; None for captions from a file.
    photographs : number of photographs that were scored.
    unscored : number of photographs that have references but no caption in the file.
    scores : scores against the references.
    people : scores of the references against each other; None for files, and if a photograph has
        only one reference.
    distinct : number of different captions divided by the number of captions.
    novel : share of captions that do not occur in the training split; None for files, and if that
        split is empty.
    attention_difference : how much the maps of two words of a caption differ, 0..1, mean over the
        captions; None for files.
    vocabulary_used : number of different words in the captions.
    repeats : share of captions with repeated words, see
        :func:`showtell.evaluation.measures.repeats`.
    people_repeat : share of references with repeated words; None for files.
    faults : share of captions with a grammatical error, see :mod:`showtell.evaluation.grammar`.
    deletion : how much masking cells lowers the words' probabilities; None for files, and if
        `not_computed` has a reason.
    gates : mean gates on visual words and on function words; None for files, and if all words are
        of one kind.
    calibration : how well the confidences are calibrated; None for files.
    not_computed : name of a measure → why it is absent.
    """

    model: str
    split: str
    split_hash: str
    beam: int | None
    photographs: int
    unscored: int
    scores: Scores
    people: Scores | None
    distinct: float
    novel: float | None
    attention_difference: float | None
    vocabulary_used: int
    repeats: float
    faults: float
    people_repeat: float | None = None
    deletion: Deletion | None = None
    gates: Gates | None = None
    calibration: Calibration | None = None
    not_computed: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``showtell evaluate --json`` prints: plain types, with shares from 0 to 1."""
        return asdict(self) | {"paper": self._paper}

    def __str__(self) -> str:
        title = f"{self.model} on {self.split}: {self.photographs:,} photographs"
        table = _align([HEADINGS, *self._rows()], "<" + ">" * (len(HEADINGS) - 1))
        facts, notes = _align(self._facts(), "<><"), _align(self._notes(), "<<")
        parts = [_align(rows, "<><") for rows in (self._looks(), self._doubts()) if rows]
        return "\n\n".join([title, table, facts, *parts, notes])

    @property
    def _paper(self) -> dict[str, dict[str, Any]]:
        """The paper's rows; none for files, whose data set is unknown."""
        return {} if self.beam is None else PAPER

    def _rows(self) -> list[list[str]]:
        ours = self.scores
        rows = [
            _row("these captions", ours.bleu, ours.meteor, ours.rouge_l, ours.cider),
            _row("  no brevity penalty", ours.bleu_without_penalty),
        ]
        if ours.interval:
            for end, s in zip(("from", "to"), ours.interval, strict=True):
                rows.insert(-1, _row(f"  {LEVEL}% {end}", s.bleu, s.meteor, s.rouge_l, s.cider))
        if self.people:
            theirs = self.people
            rows.append(_row("people", theirs.bleu, theirs.meteor, theirs.rouge_l, theirs.cider))
        for kind, paper in self._paper.items():
            rows.append(_row(f"paper, {kind}", paper["bleu_without_penalty"], paper["meteor"]))
        return rows

    def _facts(self) -> list[list[str]]:
        facts = [
            ("length ratio", self.scores.length_ratio, "words, to those of the nearest references"),
            ("distinct", self.distinct, "share of different captions among the captions"),
            ("novel", self.novel, "share of captions that do not occur in the training split"),
            ("repeats", self.repeats, self._about_repeats()),
            (
                "faults",
                self.faults,
                "share of captions with a wrong verb, or a word twice around 'and'",
            ),
        ]
        words = ["vocabulary", str(self.vocabulary_used), "different words"]
        return [[name, f"{x:.3f}", text] for name, x, text in facts if x is not None] + [words]

    def _about_repeats(self) -> str:
        meaning = "share of captions with a word twice running, or a visual word twice"
        people = "" if self.people_repeat is None else f"; of people's {self.people_repeat:.3f}"
        return meaning + people

    def _looks(self) -> list[list[str]]:
        """Return the rows about attention."""
        rows = []
        if self.attention_difference is not None:
            rows.append(["maps differ", f"{self.attention_difference:.3f}", "between two words"])
        if self.deletion:
            ratio, text = self.deletion.ratio, "attended cells count, beside random ones:"
            text += f" {self.deletion.attended:.4f} to {self.deletion.random:.4f}"
            rows.append(["deletion", "-" if ratio is None else f"{ratio:.2f}", text])
        if self.gates:
            rows += [
                ["gate, visual", f"{self.gates.visual:.3f}", _list_gates(self.gates.most)],
                ["gate, others", f"{self.gates.function:.3f}", _list_gates(self.gates.least)],
            ]
        return rows

    def _doubts(self) -> list[list[str]]:
        """Return the rows about confidence."""
        if not self.calibration:
            return []
        measured = self.calibration
        text = f"{measured.right:.3f} of the visual words are right; calibration error"
        text += f" {measured.error:.3f}, of single words {measured.words_error:.3f}"
        share = "share of captions that are marked as probably wrong"
        return [
            ["confidence", f"{measured.confidence:.3f}", text],
            ["unsure", f"{measured.unsure:.3f}", share],
        ]

    def _notes(self) -> list[list[str]]:
        notes = [
            ["split", f"{self.split}, SHA-256 {self.split_hash}"],
            ["tokeniser", self._tokenizer()],
            ["BLEU", "of the corpus; brevity penalty against the reference nearest in length"],
            ["CIDEr", "CIDEr-D, from 0 to 10; all other scores are in percent"],
        ]
        if self.beam is not None:
            notes += [["beam", str(self.beam)], ["paper", self._about_paper()]]
        if self.scores.interval:
            text = f"bootstrap interval over photographs, {RESAMPLES:,} resamples, percentiles"
            notes.append([f"{LEVEL}%", text])
        notes += self._about_looks()
        if self.calibration:
            text = "a visual word is right if a reference caption contains it"
            notes += [["right", text], ["calibration error", f"expected, over {BINS} bins"]]
        if self.people:
            notes.append(["people", "each reference against the others of its photograph"])
        if self.unscored:
            notes.append(["not scored", f"{self.unscored:,} photographs without a caption"])
        for name, reason in (self.scores.not_computed | self.not_computed).items():
            notes.append(["not computed", f"{name}: {reason}"])
        return notes

    def _about_looks(self) -> list[list[str]]:
        notes = []
        if self.attention_difference is not None:
            notes.append(["maps differ", "0 when every word has the same, 1 when none overlap"])
        if self.deletion:
            text = f"fall of a word's probability without {SHARE:.0%} of the cells: those that it"
            notes.append(["deletion", f"{text} attended to most, over random ones"])
        if self.gates:
            text = "mean of β on words that name what is seen, and on articles, prepositions and"
            notes.append(["gate", f"{text} the like; words with the highest and the lowest"])
        return notes

    def _tokenizer(self) -> str:
        if self.scores.tokenizer == PTB:
            return f"{PTB} of Stanford CoreNLP 3.4.1: lower case, no punctuation"
        return (
            "showtell's own, as the standard one cannot run: not comparable with published scores"
        )

    def _about_paper(self) -> str:
        source = "Xu et al., 2015, Table 1: test split of Flickr8k, no brevity penalty"
        official = self.split_hash == full_hashes()["test"]
        return source if official else f"{source}; but these are other photographs"


def _row(
    name: str,
    bleu: Sequence[float],
    meteor: float | None = None,
    rouge_l: float | None = None,
    cider: float | None = None,
) -> list[str]:
    percent = ["-" if x is None else f"{100 * x:.2f}" for x in (*bleu, meteor, rouge_l)]
    return [name, *percent, "-" if cider is None else f"{cider:.4f}"]


def _list_gates(words: Sequence[WordGate]) -> str:
    return ", ".join(f"{word.word} {word.gate:.2f}" for word in words)


def _align(rows: Sequence[Sequence[str]], sides: str) -> str:
    """Pad cells to columns; `sides` has ``<`` (left) or ``>`` (right) for each column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True))
    return "\n".join(form.format(*row).rstrip() for row in rows)
