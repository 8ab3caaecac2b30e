"""The table of things: rules for all lines, and the things of well-known classes."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from showtell.data.things import FILE, Thing, load
from showtell.vocab import tokenize

# ImageNet's index and name of a class, and the thing that it belongs to.
BELONGS = {
    (1, "goldfish"): "fish",
    (3, "tiger shark"): "shark",
    (8, "hen"): "chicken",
    (15, "robin"): "bird",
    (21, "kite"): "bird",
    (24, "great grey owl"): "owl",
    (134, "crane"): "bird",
    (150, "sea lion"): "seal",
    (208, "Labrador retriever"): "dog",
    (264, "Cardigan"): "dog",
    (268, "Mexican hairless"): "dog",
    (281, "tabby"): "cat",
    (282, "tiger cat"): "cat",
    (292, "tiger"): "tiger",
    (300, "tiger beetle"): "insect",
    (339, "sorrel"): "horse",
    (345, "ox"): "cow",
    (348, "ram"): "sheep",
    (383, "Madagascar cat"): "lemur",
    (404, "airliner"): "plane",
    (435, "bathtub"): "bathtub",
    (444, "bicycle-built-for-two"): "bicycle",
    (448, "birdhouse"): "birdhouse",
    (468, "cab"): "car",
    (487, "cellular telephone"): "phone",
    (517, "crane"): "crane",
    (555, "fire engine"): "truck",
    (603, "horse cart"): "carriage",
    (620, "laptop"): "laptop",
    (656, "minivan"): "car",
    (665, "moped"): "motorcycle",
    (705, "passenger car"): "train",
    (738, "pot"): "plant",
    (779, "school bus"): "bus",
    (820, "steam locomotive"): "train",
    (831, "studio couch"): "couch",
    (850, "teddy"): "teddy bear",
    (861, "toilet seat"): "toilet",
    (914, "yawl"): "boat",
    (920, "traffic light"): "traffic light",
    (934, "hotdog"): "hot dog",
    (963, "pizza"): "pizza",
    (981, "ballplayer"): "baseball",
}

# Classes without a thing: those that captions do not mention, or with a thing's word in the name.
NOWHERE = {
    (338, "guinea pig"),
    (608, "jean"),
    (610, "jersey"),
    (726, "plane"),  # a carpenter's
    (767, "rubber eraser"),
    (797, "sleeping bag"),
    (837, "sunglasses"),
    (885, "velvet"),
    (916, "web site"),
    (999, "toilet tissue"),
}


def _thing_of() -> dict[int, str]:
    return {index: thing.name for thing in load() for index in thing.classes}


def _repeated(values: list) -> list:
    return [value for value, count in Counter(values).items() if count > 1]


def test_a_thing_is_loaded_whole() -> None:
    assert Thing("backpack", ("backpack", "backpacks", "rucksack"), (414,)) in load()
    assert 200 <= len(load()) <= 300


def test_file_holds_one_thing_a_line_sorted_by_name() -> None:
    """This keeps diffs small."""
    rows = json.loads(FILE.read_text())
    lines = ",\n".join(f" {json.dumps(row)}" for row in rows)
    assert FILE.read_text() == f"[\n{lines}\n]\n"
    assert [row["name"] for row in rows] == sorted({row["name"] for row in rows})


def test_a_class_belongs_to_one_thing_at_most() -> None:
    for thing in load():
        assert thing.classes == tuple(sorted(thing.classes)) != (), thing
    classes = [index for thing in load() for index in thing.classes]
    assert set(classes) <= set(range(1000))
    assert _repeated(classes) == []


def test_a_word_mentions_one_thing_and_can_be_a_token_of_a_caption() -> None:
    words = [word for thing in load() for word in thing.words]
    assert all(thing.words for thing in load())
    assert _repeated(words) == []
    assert [word for word in words if tokenize(word) != [word]] == []


def test_a_name_of_one_word_mentions_its_own_thing() -> None:
    """So users can type it: ``mention=hippo``."""
    for thing in load():
        if " " not in thing.name:
            assert thing.name in thing.words, thing


@pytest.mark.parametrize(("key", "name"), BELONGS.items())
def test_well_known_classes_belong_where_people_expect(key: tuple[int, str], name: str) -> None:
    assert _thing_of().get(key[0]) == name, key[1]


@pytest.mark.parametrize("key", sorted(NOWHERE))
def test_classes_that_belong_to_no_thing(key: tuple[int, str]) -> None:
    assert key[0] not in _thing_of(), key[1]


def test_every_breed_of_dog_is_a_dog_and_nothing_else_but_wild_dogs() -> None:
    (dog,) = (thing for thing in load() if thing.name == "dog")
    assert dog.classes == (*range(151, 269), 273, 274, 275)  # dingo, dhole, African hunting dog


@pytest.mark.parametrize(
    ("word", "name"),
    {
        "puppies": "dog",
        "kitten": "cat",
        "bike": "bicycle",
        "motorbike": "motorcycle",
        "sofa": "couch",
        "tv": "television",
        "firetruck": "truck",
        "meter": "parking meter",
        "jets": "plane",
    }.items(),
)
def test_a_caption_mentions_a_thing_by_a_synonym(word: str, name: str) -> None:
    assert [thing.name for thing in load() if word in thing.words] == [name]


@pytest.mark.parametrize("word", ["light", "lights", "watch", "glasses", "paper", "screen", "kite"])
def test_words_that_captions_use_for_other_things_too_mention_none(word: str) -> None:
    assert [thing.name for thing in load() if word in thing.words] == []


def test_indices_are_those_of_the_list_of_classes(shared: Path) -> None:
    file = shared / "wider" / "classes.csv"
    if not file.is_file():
        pytest.skip(f"no list of ImageNet's classes at {file}")
    with file.open(encoding="utf-8") as lines:
        names = {int(row["index"]): row["name"] for row in csv.DictReader(lines)}
    assert len(names) == 1000
    for index, name in {*BELONGS, *NOWHERE}:
        assert names[index] == name
