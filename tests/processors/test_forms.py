"""How words stand in print, and words that only look like them."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from processors import arabic
from processors.lexicon import CLASSES, NORMALISERS, Lexicon, Term

TABLE = yaml.safe_load((Path(__file__).parent / "forms.yaml").read_text(encoding="utf-8"))


def knows(lemma: str, token: str) -> bool:
    lexicon = Lexicon(NORMALISERS["arabic"])
    kind = "names" if lemma in TABLE["names"] else "verbs" if "/" in lemma else "nouns"
    lexicon.add(Term(lemma, 1), CLASSES[kind])
    return bool(lexicon.find([token], [lexicon[token]], 0, 1))


FORMS = [
    (lemma, token)
    for part in ("forms", "names")
    for lemma, tokens in TABLE[part].items()
    for token in tokens
]
LOOK_ALIKES = [
    (lemma, token)
    for lemma, tokens in TABLE["not"].items()
    for token in tokens
    if not token.endswith("_1")  # marked: truly a form, or not to be told by the word alone
]


def test_the_list_is_long_enough() -> None:
    assert len(FORMS) >= 400
    assert len({lemma for lemma, _ in FORMS}) >= 60


def test_ninety_nine_of_a_hundred_forms_are_recognised() -> None:
    missed = [pair for pair in FORMS if not knows(*pair)]
    assert len(missed) <= len(FORMS) * 0.01, missed


def test_look_alikes_are_left_alone() -> None:
    taken = [pair for pair in LOOK_ALIKES if knows(*pair)]
    assert len(taken) <= len(LOOK_ALIKES) * 0.02, taken


@pytest.mark.parametrize("mark", ["ـ", "\u064b", "\u200f", "\u200d", "\ufeff", "\u0670"])
def test_marks_anywhere_in_a_word_do_not_hide_it(mark: str) -> None:
    word = "الهدنة"
    for i in range(len(word) + 1):
        assert knows("هدنة", word[:i] + mark + word[i:])


def test_presentation_forms_and_persian_letters_are_read() -> None:
    assert knows("اتفاق", "ﺍﺗﻔﺎﻕ")
    assert knows("إيران", "ایران")
    assert knows("فاغنر", "ڤاغنر")


@given(st.text(alphabet=[*map(chr, range(0x0600, 0x0700)), "\u200c", "\ufefb", "\ufc60", "a", "7"]))
def test_the_quick_way_of_folding_gives_what_camel_tools_gives(raw: str) -> None:
    clean = raw.translate(arabic._TABLE)
    slow = arabic._normalised(clean)
    assert arabic.fold(raw) == (slow.replace("يء", "ي") if slow.endswith("يء") else slow).lower()
