"""Words and their ids: tokenisation, the four special ids, and the vocabulary of a model."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import regex

PAD, START, END, UNK = 0, 1, 2, 3
SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")

# Words are split at Unicode's word boundaries (UAX #29), with four exceptions: hyphens inside a
# word join its parts; full stops and commas never do; English clitics are separate words, as in the
# Penn Treebank ("the dog's ball" -> the dog 's ball), and so is the o of "o'clock"; scripts without
# spaces between words, such as Thai and Chinese, are split only at spaces. Punctuation is dropped.
_LETTER = r"[\p{L}\p{N}\p{Pc}\p{WB=ALetter}]"
_MARKED = r"[[\w\p{N}\p{WB=ALetter}]--\p{Join_Control}]"
_JOINED = r"(?:\p{Join_Control}(?=\w)|(?<=\p{M})\u200d)"  # joins letters in Persian and Malayalam
_PART = rf"{_LETTER}(?:{_MARKED}|{_JOINED})*"
_CLITIC = r"'(?:s|re|ve|ll|d|m)\b"
_INSIDE = r"[[\p{WB=MidLetter}\p{WB=MidNumLet}\p{WB=Single_Quote}]--[.．]]"
_HEBREW_QUOTE = r'(?<=\p{Hebrew})"(?=\p{Hebrew})'
_JOINER = rf"(?:-|(?!{_CLITIC}|(?<=\bo)'){_INSIDE}|{_HEBREW_QUOTE})"
_WORD = regex.compile(
    rf"n't\b|{_CLITIC}|{_PART}(?=n't\b)|{_PART}(?:{_JOINER}{_PART})*", regex.VERSION1
)

# Soft hyphens, byte order marks and direction marks: invisible, and no word boundaries.
_INVISIBLE = regex.compile(r"[\p{Cf}--\p{Join_Control}--\u200b]", regex.VERSION1)
_QUOTES = str.maketrans(dict.fromkeys("\u2018\u2019\uff07", "'"))

# Longer than one word: five letters of Chinese or ten of Thai in a row.
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}]{5}|\p{LB=SA}{10}")


def tokenize(caption: str) -> list[str]:
    """Split a caption into lower-case words without punctuation, in Unicode's form NFC.

    Words are lower-cased, not case-folded, which would change "ß" to "ss". A Turkish "İ" becomes
    "i".

    >>> tokenize("A dog 's ball, isn't it?")
    ['a', 'dog', "'s", 'ball', 'is', "n't", 'it']
    """
    lower = _INVISIBLE.sub("", caption).replace("İ", "i").lower().translate(_QUOTES)
    return _WORD.findall(unicodedata.normalize("NFC", lower))


def detokenize(words: Iterable[str]) -> str:
    """Join words into a caption; the inverse of :func:`tokenize` on its own output."""
    return regex.sub(r" (?='|n't\b)", "", " ".join(words))


def lacks_spaces(caption: str) -> bool:
    """Return whether a caption has words without spaces between them, as in Thai and Chinese."""
    return _UNSPACED.search(caption) is not None


@dataclass(frozen=True)
class Vocabulary:
    """The words that a model can generate, in the order of their ids.

    Attributes
    ----------
    words : all words; the four of ``SPECIAL`` come first.

    Raises
    ------
    ValueError : `words` does not start with ``SPECIAL``, repeats a word, or has one that is not
        printable.
    """

    words: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.words[: len(SPECIAL)] != SPECIAL:
            raise ValueError(f"a vocabulary must start with {', '.join(SPECIAL)}")
        # Words are printed on terminals and written to XML.
        if not all(isinstance(word, str) and word.isprintable() for word in self.words):
            raise ValueError("all words of a vocabulary must be printable")
        ids = {word: i for i, word in enumerate(self.words)}
        if len(ids) != len(self.words):
            raise ValueError("a vocabulary must not repeat a word")
        object.__setattr__(self, "_ids", ids)

    @classmethod
    def build(cls, captions: Iterable[Sequence[str]], min_count: int) -> "Vocabulary":
        """Return a vocabulary of the words that occur at least `min_count` times.

        The most frequent words come first, after ``SPECIAL``.

        Parameters
        ----------
        captions : tokenised captions; use only the training split.
        min_count : minimum number of occurrences; rarer words become ``<unk>``.
        """
        counts = Counter(word for caption in captions for word in caption)
        often = [w for w, n in counts.items() if n >= min_count and w.isprintable()]
        kept = [w for w in often if w not in SPECIAL]
        return cls(SPECIAL + tuple(sorted(kept, key=lambda w: (-counts[w], w))))

    def grow(self, captions: Iterable[Sequence[str]], min_count: int) -> "Vocabulary":
        """Return a vocabulary with the words that :meth:`build` would select added at the end."""
        wanted = Vocabulary.build(captions, min_count).words
        return Vocabulary(self.words + tuple(word for word in wanted if word not in self))

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def id(self, word: str) -> int:
        """Return the id of a word; ``UNK`` if it is not in the vocabulary."""
        return self._ids.get(word, UNK)

    def encode(self, words: Iterable[str]) -> list[int]:
        """Return the ids of `words`, between ``START`` and ``END``; unknown words are ``UNK``."""
        return [START, *(self._ids.get(w, UNK) for w in words), END]

    def decode(self, ids: Iterable[int]) -> tuple[str, ...]:
        """Return the words of `ids` up to the first ``END``, without ``START`` and ``PAD``."""
        words = []
        for i in ids:
            if i == END:
                break
            if i not in (START, PAD):
                words.append(self.words[i])
        return tuple(words)
