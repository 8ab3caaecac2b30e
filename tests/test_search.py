"""The options of a search, and what is derived from them."""

import json
import re
from dataclasses import FrozenInstanceError, fields

import click
import pytest
from click.testing import CliRunner

from showtell.cli import main
from showtell.cli.common import search_options
from showtell.errors import OptionError
from showtell.search import DEFAULTS, OPTIONS, Search


@click.command()
@search_options(*OPTIONS)
def command(search: Search) -> None:
    click.echo(repr(search))


def parsed(*arguments: str) -> str:
    return CliRunner().invoke(command, arguments).output.strip()


def test_options_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        DEFAULTS.beam = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"), [("beam", 0), ("beam", 21), ("max_length", 41), ("max_length", "20")]
)
def test_limits_hold_in_python(name: str, value: object) -> None:
    """The command line allowed a beam of 100, HTTP 20, and Python any number."""
    with pytest.raises(ValueError, match=f"'{name}' must be a whole number from 1 to "):
        Search(**{name: value})


@pytest.mark.parametrize("name", ["beam", "max_length"])
def test_limits_are_the_same_as_text(name: str) -> None:
    most = OPTIONS[name].schema["maximum"]
    assert OPTIONS[name].read(name, str(most)) == most
    for text in ("0", str(most + 1), "05", "+5", " 5", "٥", "", "9" * 5000):
        with pytest.raises(
            OptionError, match=f"^'{name}' must be a whole number from 1 to {most}$"
        ):
            OPTIONS[name].read(name, text)


def test_switches_and_regions_as_text() -> None:
    assert OPTIONS["proof"].read("proof", "true") is True
    assert OPTIONS["proof"].read("proof", "false") is False
    assert OPTIONS["region"].read("region", "1,2,3,4") == (1, 2, 3, 4)
    for name, text in (("proof", "yes"), ("region", "1,2,3")):
        with pytest.raises(OptionError, match=f"'{name}' must be "):
            OPTIONS[name].read(name, text)


def test_a_text_is_of_its_schema() -> None:
    for name, right, wrong in (
        ("region", ["120,40,300,260"], ["1,2,3"]),
        (
            "mention",
            ["bus", " traffic light , dog", "a,b,c,d"],
            ["", " ", "a,", ", ,a", "a,b,c,d,e"],
        ),
    ):
        pattern = OPTIONS[name].schema["pattern"]
        for text in right:
            assert re.search(pattern, text)
            assert OPTIONS[name].read(name, text)
        for text in wrong:
            assert not re.search(pattern, text)
            with pytest.raises(OptionError):
                OPTIONS[name].read(name, text)


def test_the_command_line_takes_every_option() -> None:
    assert parsed() == repr(DEFAULTS)
    given = parsed("--beam", "3", "--max-length", "7", "--region", "1,2,3,4", "--proof")
    assert given == repr(Search(3, 7, (1, 2, 3, 4), True))
    given = parsed("--mention", "bus", "--mention", "dog, ball", "--things")
    assert given == repr(Search(mention=("bus", "dog", "ball"), things=True))
    for arguments in (("--beam", "21"), ("--region", "1,2,3"), ("--mention", "a,b,c,d,e")):
        assert f"'{arguments[0][2:]}' must be " in parsed(*arguments)


def test_the_help_names_every_option_its_limits_and_default() -> None:
    for name in ("caption", "evaluate"):
        told = " ".join(CliRunner().invoke(main, [name, "--help"]).output.split())
        assert re.search(r"--beam 1\.\.20 .*?\[default: 5\]", told)
    helped = CliRunner().invoke(command, ["--help"]).output
    for field in fields(Search):
        assert f"--{field.name.replace('_', '-')} " in helped


def test_plain_types_are_those_of_json() -> None:
    search = Search(region=(1, 2, 3, 4), proof=True)
    assert json.loads(json.dumps(search.to_dict())) == search.to_dict()


def test_an_interrupted_run_of_before_an_option_existed_goes_on() -> None:
    """Settings without an option equal settings in which it is off."""
    stored = {"beam": 5, "max_length": 20}
    assert all(stored.get(name) == value for name, value in DEFAULTS.to_dict().items())
