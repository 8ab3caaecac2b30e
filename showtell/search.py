"""Search: the options of a caption, their limits and defaults.

Each option is one field of :class:`Search`. The command line, the HTTP API, its OpenAPI document
and the page are derived from these fields.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from showtell.errors import OptionError
from showtell.region import Region, parse

MAX_MENTIONS = 4
MAX_MENTION_TEXT = 200  # characters of the words to mention, as text


@dataclass(frozen=True)
class Option:
    """How an option of :class:`Search` is written as text, and documented.

    Attributes
    ----------
    form : the valid texts, as the end of "'beam' must be ...": "a whole number from 1 to 20".
    parse : returns the value of a text; raises LookupError or ValueError for an invalid one.
    help : what the option does, for users of the command line and of the HTTP API.
    schema : JSON Schema of the value in a query or a form.
    metavar : placeholder for a text in the help of the command line; switches have none.
    """

    form: str
    parse: Callable[[str], Any]
    help: str
    schema: Mapping[str, Any]
    metavar: str | None = None

    def read(self, name: str, text: str) -> Any:
        """Return the value of a text.

        Raises
        ------
        OptionError : the text is not of the form.
        """
        try:
            return self.parse(text)
        except (LookupError, ValueError):
            raise self.error(name) from None

    def error(self, name: str) -> OptionError:
        """Return the error of an invalid value."""
        return OptionError(f"'{name}' must be {self.form}")


def _option(form: str, parse: Callable[[str], Any], help: str, **more: Any) -> dict[str, Option]:
    """Return the metadata of a field; the arguments are those of :class:`Option`."""
    return {"option": Option(form, parse, help, **more)}


def _number(least: int, most: int, help: str) -> dict[str, Option]:
    """Return the metadata of a whole number, written without a sign and without leading zeros."""
    texts = {str(number): number for number in range(least, most + 1)}
    schema = {"type": "integer", "minimum": least, "maximum": most}
    form, metavar = f"a whole number from {least} to {most}", f"{least}..{most}"
    return _option(form, texts.__getitem__, help, schema=schema, metavar=metavar)


def _switch(help: str) -> dict[str, Option]:
    texts = {"true": True, "false": False}
    return _option("true or false", texts.__getitem__, help, schema={"type": "boolean"})


def _words(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(","))
    if len(text) > MAX_MENTION_TEXT or len(words) > MAX_MENTIONS or not all(words):
        raise ValueError(text)
    return words


@dataclass(frozen=True)
class Search:
    """Options of a caption.

    Attributes
    ----------
    beam : beam width, 1..20; 1 is greedy search.
    max_length : maximum number of words, 1..40; ``END`` is not counted.
    region : the region to caption: left, top, right and bottom in pixels of the upright photograph.
        None is the whole photograph.
    proof : whether to measure, for each word, how much its probability falls when the cells that
        the model attended to are masked.
    things : whether to report where in the photograph each thing is.
    mention : words, or names of things, that every caption must mention. A string is one of them.

    Raises
    ------
    OptionError : a number is out of range, or there are too many words to mention. It is also a
        ValueError.
    """

    beam: int = field(
        default=5,
        metadata=_number(
            1,
            20,
            "Beam width: how many unfinished captions the search keeps at each word. "
            "1 is greedy search, which is the fastest and returns no alternatives.",
        ),
    )
    max_length: int = field(
        default=20,
        metadata=_number(
            1,
            40,
            "Maximum number of words. Captions are never cut off: the search only returns captions "
            "that end within this length.",
        ),
    )
    region: Region | None = field(
        default=None,
        metadata=_option(
            "left,top,right,bottom in whole pixels",
            parse,
            "Caption only this region: left, top, right and bottom in whole pixels of the upright "
            "photograph, such as `120,40,300,260`. Right and bottom are exclusive. The attention "
            "maps cover only the region.",
            schema={"type": "string", "pattern": "^[0-9]{1,9}(,[0-9]{1,9}){3}$"},
            metavar="L,T,R,B",
        ),
    )
    proof: bool = field(
        default=False,
        metadata=_switch(
            "For each word, measure how much its probability falls when the cells that the model "
            "attended to are masked. This roughly doubles the time."
        ),
    )

    things: bool = field(
        default=False,
        metadata=_switch(
            "For each thing that the classifier recognises, report where it is: `attention` in "
            "`things`, one number per cell of the grid."
        ),
    )

    mention: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            f"1 to {MAX_MENTIONS} words, separated by commas",
            _words,
            "Only return captions that mention all of these words, such as `bus` or `dog,ball`. "
            "Each must be in the model's vocabulary or be the name of a thing. With one word, "
            "captioning takes two to three times as long.",
            schema={
                "type": "string",
                "pattern": r"^\s*[^\s,][^,]*(,\s*[^\s,][^,]*){0,3}$",
                "maxLength": MAX_MENTION_TEXT,
            },
            metavar="WORD",
        ),
    )

    def __post_init__(self) -> None:
        mention = (self.mention,) if isinstance(self.mention, str) else tuple(self.mention)
        object.__setattr__(self, "mention", mention)
        if len(mention) > MAX_MENTIONS or not all(mention):
            raise OPTIONS["mention"].error("mention")
        for name, option in OPTIONS.items():
            value, schema = getattr(self, name), option.schema
            if schema["type"] == "integer" and value not in range(
                schema["minimum"], schema["maximum"] + 1
            ):
                raise option.error(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the options in plain types, None for each option that is off.

        Settings stored before an option existed therefore equal settings without that option.
        """
        values = {name: getattr(self, name) for name in OPTIONS}
        return {
            name: (list(value) if isinstance(value, tuple) else value) or None
            for name, value in values.items()
        }


OPTIONS: Mapping[str, Option] = {f.name: f.metadata["option"] for f in fields(Search)}
DEFAULTS = Search()
