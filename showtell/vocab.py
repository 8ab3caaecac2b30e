"""Words and their ids: tokenisation, the four special ids, and the vocabulary of a model."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

PAD, START, END, UNK = 0, 1, 2, 3
SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")

# A word is letters and digits, hyphens inside; what stands behind an apostrophe is a word of its
# own, as in the Penn Treebank ("the dog's ball" -> the dog 's ball). Other punctuation is dropped.
_WORD = re.compile(r"n't\b|'(?:s|re|ve|ll|d|m)\b|\w+?(?=n't\b)|\w+(?:-\w+)*")


def tokenize(caption: str) -> list[str]:
    """Split a caption into lower-case words without punctuation.

    >>> tokenize("A dog 's ball, isn't it?")
    ['a', 'dog', "'s", 'ball', 'is', "n't", 'it']
    """
    return _WORD.findall(caption.lower().replace("\u2019", "'"))


def detokenize(words: Iterable[str]) -> str:
    """Join words into a caption; the inverse of :func:`tokenize` on its own output."""
    return re.sub(r" (?='|n't\b)", "", " ".join(words))


@dataclass(frozen=True)
class Vocabulary:
    """The words that a model can say, in the order of their ids.

    Attributes
    ----------
    words : all words, the four of ``SPECIAL`` first; each can be printed.

    Raises
    ------
    ValueError : they are not.
    """

    words: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.words[: len(SPECIAL)] != SPECIAL:
            raise ValueError(f"a vocabulary starts with {', '.join(SPECIAL)}")
        # They are printed on terminals, and written as XML.
        if not all(isinstance(word, str) and word.isprintable() for word in self.words):
            raise ValueError("a vocabulary holds words that can be printed")
        ids = {word: i for i, word in enumerate(self.words)}
        if len(ids) != len(self.words):
            raise ValueError("a vocabulary holds each word once")
        object.__setattr__(self, "_ids", ids)

    @classmethod
    def build(cls, captions: Iterable[Sequence[str]], min_count: int) -> "Vocabulary":
        """Take the words that occur at least `min_count` times, the most frequent first.

        Parameters
        ----------
        captions : tokenised captions, of the training split alone.
        min_count : occurrences below which a word becomes ``<unk>``.
        """
        counts = Counter(word for caption in captions for word in caption)
        often = [w for w, n in counts.items() if n >= min_count and w.isprintable()]
        kept = [w for w in often if w not in SPECIAL]
        return cls(SPECIAL + tuple(sorted(kept, key=lambda w: (-counts[w], w))))

    def grow(self, captions: Iterable[Sequence[str]], min_count: int) -> "Vocabulary":
        """Add, behind the words that are there, those that :meth:`build` would take."""
        wanted = Vocabulary.build(captions, min_count).words
        return Vocabulary(self.words + tuple(word for word in wanted if word not in self))

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def id(self, word: str) -> int:
        """Return the id of a word; ``UNK`` for one that is not in the vocabulary."""
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
