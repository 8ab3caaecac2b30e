"""Words and their ids."""

import hashlib
from pathlib import Path

import pytest

from showtell.vocab import END, SPECIAL, START, UNK, Vocabulary, detokenize, lacks_spaces, tokenize


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A child in a pink dress .", ["a", "child", "in", "a", "pink", "dress"]),
        ("the dog's ball", ["the", "dog", "'s", "ball"]),
        ("the dog 's ball", ["the", "dog", "'s", "ball"]),
        ("the dog\u2019s ball", ["the", "dog", "'s", "ball"]),
        ("It isn't a T-shirt, is it?", ["it", "is", "n't", "a", "t-shirt", "is", "it"]),
        ('"Hello" -- 5-year-old (left)', ["hello", "5-year-old", "left"]),
        ("Café naïve 狗", ["café", "naïve", "狗"]),
        (" \t\n.,;!", []),
    ],
)
def test_tokenize(caption: str, words: list[str]) -> None:
    assert tokenize(caption) == words


@pytest.mark.parametrize(
    "caption",
    [
        "एक कुत्ता घास पर दौड़ रहा है",
        "একটি কুকুর ঘাসে দৌড়াচ্ছে",
        "நாய் புல்வெளியில் ஓடுகிறது",
        "നായ ന്\u200d വീട്ടിൽ",
        "می\u200cرود کتاب\u200cها",
        "كَلْبٌ يَجْرِي",
        'הַכֶּלֶב צה״ל צה"ל ג׳ירפה',
        "개가 뛴다",
        "สุนัข วิ่ง บน หญ้า",
        "ខ្មែរ ឆ្កែ",
        "一 只 狗",
        "un très beau chien",
        "l'homme aujourd'hui d'eau dell'acqua п'ять c'h",
        "col·lecció",
        "straße σκύλος",
    ],
)
def test_words_of_other_scripts_stay_whole(caption: str) -> None:
    """Words were split at vowel signs, points and joiners: कुत्ता became क, त, त."""
    assert tokenize(f"{caption}।") == caption.split()


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("tre\u0300s", ["tr\u00e8s"]),
        ("İki KÖPEK", ["iki", "köpek"]),
        ("ΣΚΎΛΟΣ", ["σκύλος"]),
        ("Fuß\u00adball", ["fußball"]),
        ("\ufeffdog\u200e cat\u2060", ["dog", "cat"]),
        ("ឆ្កែ\u200bរត់", ["ឆ្កែ", "រត់"]),
        ("❤\ufe0f 👩\u200d👧 dog", ["dog"]),
        ("five o'clock", ["five", "o", "clock"]),
        ("2.5 m, 1,000", ["2", "5", "m", "1", "000"]),
    ],
)
def test_one_word_has_one_form(caption: str, words: list[str]) -> None:
    assert tokenize(caption) == words


@pytest.mark.parametrize("caption", ["สุนัขวิ่งบนหญ้า", "一只狗在草地上奔跑。", "犬が芝生を走っている"])
def test_sentences_without_spaces_are_noticed(caption: str) -> None:
    assert lacks_spaces(caption)


@pytest.mark.parametrize("caption", ["一 只 狗 在 草地 上", "สุนัข วิ่ง", "अंतर्राष्ट्रीयकरण"])
def test_words_with_spaces_between_them_are_enough(caption: str) -> None:
    assert not lacks_spaces(caption)


def test_flickr8k_has_the_words_that_the_model_was_trained_on(shared: Path) -> None:
    """The digest is from before words of other scripts were kept whole."""
    text = (shared / "flickr8k/Flickr8k_text/Flickr8k.token.txt").read_text(encoding="utf-8")
    captions = [line.split("\t", 1)[1] for line in text.split("\n") if line]
    words = "\n".join(" ".join(tokenize(caption)) for caption in captions)
    digest = "4e05a795c420d29ee46a6c1a2b37276304615593e7cef4f599126a9d20ce420e"
    assert (len(captions), hashlib.sha256(words.encode()).hexdigest()) == (40_460, digest)


@pytest.mark.parametrize("caption", ["the dog's ball", "it isn't a t-shirt", "two dogs", ""])
def test_detokenize_restores_the_caption(caption: str) -> None:
    assert detokenize(tokenize(caption)) == caption


def test_build_keeps_frequent_words_in_a_stable_order() -> None:
    captions = [tokenize(c) for c in ("a dog", "a cat", "a dog and a cat", "a bird")]
    assert Vocabulary.build(captions, min_count=2).words == (*SPECIAL, "a", "cat", "dog")


def test_new_words_stand_behind_those_that_were_there() -> None:
    vocabulary = Vocabulary((*SPECIAL, "dog", "a"))
    captions = [tokenize(c) for c in ("Rex and a dog", "Bella and Rex", "Bella, Rex")]
    assert vocabulary.grow(captions, min_count=2).words == (
        *vocabulary.words,
        "rex",
        "and",
        "bella",
    )
    assert vocabulary.grow(captions, min_count=4) == vocabulary


def test_encode_and_decode() -> None:
    vocabulary = Vocabulary((*SPECIAL, "a", "dog"))
    ids = vocabulary.encode(["a", "zebra", "dog"])
    assert ids == [START, 4, UNK, 5, END]
    assert vocabulary.decode(ids) == ("a", "<unk>", "dog")
    assert vocabulary.decode([4, END, 5]) == ("a",)
    assert len(vocabulary) == 6
    assert "dog" in vocabulary
    assert "zebra" not in vocabulary


@pytest.mark.parametrize("words", [("a", "dog"), (*SPECIAL, "a", "a"), ()])
def test_a_vocabulary_that_would_mislead_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="a vocabulary"):
        Vocabulary(words)
