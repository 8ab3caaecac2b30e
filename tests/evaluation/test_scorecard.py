import json
from dataclasses import replace

from showtell.data.official import full_hashes
from showtell.deletion import Deletion
from showtell.evaluation.calibrate import Calibration
from showtell.evaluation.measures import Gates, WordGate
from showtell.evaluation.scorecard import PAPER, Scorecard
from showtell.evaluation.scores import OWN, PTB, Bound, Scores

SCORES = Scores(
    bleu=(0.62041, 0.436, 0.299, 0.203),
    bleu_without_penalty=(0.65, 0.45, 0.31, 0.21),
    length_ratio=0.956,
    meteor=0.198,
    rouge_l=0.455,
    cider=0.50123,
    tokenizer=PTB,
    not_computed={"SPICE": "it is a download"},
    interval=(
        Bound((0.61, 0.42, 0.28, 0.19), 0.191, 0.441, 0.47),
        Bound((0.63, 0.45, 0.31, 0.22), 0.205, 0.469, 0.53),
    ),
)
CARD = Scorecard(
    model="tiny",
    split="test",
    split_hash=full_hashes()["test"],
    beam=5,
    photographs=1000,
    unscored=0,
    scores=SCORES,
    people=replace(SCORES, cider=0.8203, interval=None),
    distinct=0.523,
    novel=0.91,
    attention_difference=0.312,
    vocabulary_used=1412,
    repeats=0.041,
    faults=0.007,
    people_repeat=0.052,
    deletion=Deletion(attended=0.1204, random=0.0401, ratio=3.0025, words=10_000),
    gates=Gates(0.71, 0.52, (WordGate("snow", 0.93, 40),), (WordGate("of", 0.21, 90),)),
    calibration=Calibration(0.531, 0.508, 0.014, 0.013, 0.017),
)
OF_A_FILE = replace(
    CARD, beam=None, people=None, novel=None, attention_difference=None, unscored=7,
    people_repeat=None, deletion=None, gates=None, calibration=None,
)  # fmt: skip


def lines_of(card: Scorecard, start: str) -> list[list[str]]:
    """Return, as words, what follows `start` in the lines that begin with it."""
    lines = [line.strip() for line in str(card).splitlines()]
    return [line.removeprefix(start).split() for line in lines if line.startswith(start)]


def test_four_digits_of_each_score() -> None:
    assert lines_of(CARD, "these captions") == [
        ["62.04", "43.60", "29.90", "20.30", "19.80", "45.50", "0.5012"]
    ]
    assert lines_of(CARD, "no brevity penalty") == [
        ["65.00", "45.00", "31.00", "21.00", "-", "-", "-"]
    ]


def test_people_and_the_paper_stand_beside() -> None:
    assert lines_of(CARD, "people")[0][-1] == "0.8203"
    assert lines_of(CARD, "paper, soft attention") == [
        ["67.00", "44.80", "29.90", "19.50", "18.93", "-", "-"]
    ]
    assert lines_of(CARD, "paper, hard attention") == [
        ["67.00", "45.70", "31.40", "21.30", "20.30", "-", "-"]
    ]


def test_the_columns_are_aligned() -> None:
    table = str(CARD).split("\n\n")[1].splitlines()
    assert len(table) == 8
    assert {len(line) for line in table} == {len(table[0])}


def test_what_else_is_known_of_the_captions() -> None:
    values = {name: lines_of(CARD, name)[0][0] for name in ("length ratio", "distinct", "novel")}
    assert values == {"length ratio": "0.956", "distinct": "0.523", "novel": "0.910"}
    assert lines_of(CARD, "repeats")[0][0] == "0.041"
    assert lines_of(CARD, "faults")[0][0] == "0.007"
    assert "of people's 0.052" in str(CARD)
    assert lines_of(CARD, "vocabulary")[0][0] == "1412"


def test_what_the_attention_means() -> None:
    assert lines_of(CARD, "maps differ")[0][0] == "0.312"
    assert lines_of(CARD, "deletion")[0][0] == "3.00"
    assert "0.1204 to 0.0401" in str(CARD)
    assert lines_of(CARD, "gate, visual") == [["0.710", "snow", "0.93"]]
    assert lines_of(CARD, "gate, others") == [["0.520", "of", "0.21"]]


def test_a_ratio_to_nothing_is_a_dash() -> None:
    card = replace(CARD, deletion=Deletion(attended=0.1, random=-0.001, ratio=None, words=9))
    assert lines_of(card, "deletion")[0][0] == "-"


def test_why_a_measure_is_absent() -> None:
    card = replace(CARD, deletion=None, not_computed={"deletion": "an old graph"})
    assert "deletion: an old graph" in str(card)


def test_the_interval_stands_below_the_scores() -> None:
    assert lines_of(CARD, "95% from") == [
        ["61.00", "42.00", "28.00", "19.00", "19.10", "44.10", "0.4700"]
    ]
    assert lines_of(CARD, "95% to")[0][-1] == "0.5300"


def test_what_the_numbers_mean() -> None:
    text = str(CARD)
    assert f"test, SHA-256 {full_hashes()['test']}" in text
    assert lines_of(CARD, "beam") == [["5"]]
    assert "PTBTokenizer" in text
    assert "brevity penalty against" in text
    assert "SPICE: it is a download" in text


def test_what_confidences_are_worth_is_told() -> None:
    (told,) = lines_of(CARD, "confidence")
    assert told[:2] == ["0.508", "0.531"]
    assert told[-6:] == ["error", "0.014,", "of", "single", "words", "0.013"]
    assert lines_of(CARD, "unsure")[0][0] == "0.017"
    assert "confidence" not in str(OF_A_FILE)


def test_other_photographs_than_the_papers_are_told() -> None:
    warning = "these are other photographs"
    assert warning not in str(CARD)
    assert warning in str(replace(CARD, split_hash=full_hashes()["dev"]))


def test_without_java_the_tokeniser_and_the_reason_are_told() -> None:
    scores = replace(SCORES, meteor=None, tokenizer=OWN, not_computed={"METEOR": "no Java"})
    card = replace(CARD, scores=scores, people=None)
    assert lines_of(card, "these captions")[0][4] == "-"
    assert "METEOR: no Java" in str(card)
    assert PTB not in str(card)
    assert "not comparable" in str(card)


def test_a_file_stands_alone() -> None:
    text = str(OF_A_FILE)
    absent = ("beam", "paper", "people", "novel", "attention", "None")
    assert [word for word in absent if word in text] == []
    assert "7 photographs without a caption" in text
    assert OF_A_FILE.to_dict()["paper"] == {}


def test_json_has_every_number() -> None:
    stored = json.loads(json.dumps(CARD.to_dict()))
    assert stored["scores"]["bleu"] == list(SCORES.bleu)
    assert stored["scores"]["not_computed"] == SCORES.not_computed
    assert stored["people"]["cider"] == 0.8203
    assert stored["paper"] == json.loads(json.dumps(PAPER))
    assert (stored["beam"], stored["split_hash"]) == (5, full_hashes()["test"])
