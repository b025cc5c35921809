"""Tokens, sentences and clauses keep to the raw text."""

from hypothesis import given
from hypothesis import strategies as st

from processors.text import (
    MAX_SENTENCE_TOKENS,
    QUOTES,
    TOKEN,
    joined,
    places,
    sentences,
    split_headline,
    words,
)

ARABIC = st.text(alphabet="ابتنهو ةىي،.؟!«»\nًـ\u200f12", max_size=200)


@given(st.text(max_size=300) | ARABIC)
def test_every_token_stands_where_it_says(text: str) -> None:
    assert [text[i : i + len(t)] for t, i in zip(words(text), places(text), strict=True)] == words(
        text
    )


@given(ARABIC)
def test_sentences_cover_words_once_and_in_order(text: str) -> None:
    tokens = words(text)
    seen = -1
    for sentence in sentences(tokens):
        assert seen < sentence.first < sentence.last <= len(tokens)
        seen = sentence.last - 1


def parts(text: str) -> list[str]:
    tokens = words(text)
    return [" ".join(tokens[s.first : s.last]) for s in sentences(tokens)]


def test_full_stops_in_numbers_and_abbreviations_end_nothing() -> None:
    assert len(parts("بلغ الإنتاج 3.5 مليون برميل. وقال د. صالح إن أ.ف.ب نقلت ذلك؟ نعم")) == 3


def test_hashtags_come_apart() -> None:
    assert words("#وقف_إطلاق_النار") == ["#", "وقف", "إطلاق", "النار"]


def test_a_short_insertion_ends_no_clause() -> None:
    tokens = words("قصفت الطائرات، فجر اليوم، مواقع في المدينة، وقال شهود إنهم فروا")
    (sentence,) = sentences(tokens)
    assert len(sentence.clauses) == 1


def test_words_that_a_zero_width_mark_alone_divides_come_apart() -> None:
    for mark in "\u200b\u200c":
        text = f"وقف إطلاق{mark}النار"
        assert [word for word in words(joined(text)) if word not in QUOTES] == [
            "وقف", "إطلاق", "النار",
        ]  # fmt: skip
        assert len(joined(text)) == len(text)


def test_two_short_insertions_end_no_clause() -> None:
    tokens = words("قصفت الطائرات، فجر اليوم، بحسب مصدر أمني، مواقع في المدينة")
    (sentence,) = sentences(tokens)
    assert sentence.clauses == []


def test_short_lines_move_no_lead_down() -> None:
    tokens = words(
        "رويترز\nمشاركة\nأعلنت الحكومة هدنة في البلاد اليوم. وقال الوزير إنها ستستمر شهرا."
    )
    assert [s.index for s in sentences(tokens)] == [0, 0, 0, 1]


def test_text_without_a_full_stop_is_cut() -> None:
    tokens = words("كلمة " * 1000)
    found = sentences(tokens)
    assert max(s.last - s.first for s in found) == MAX_SENTENCE_TOKENS
    assert sum(s.last - s.first for s in found) == 1000


def test_a_short_first_line_is_the_headline() -> None:
    assert split_headline("عنوان\nنص") == ("عنوان", "نص", 6)
    assert split_headline("نص وحده") == ("", "نص وحده", 0)
    assert split_headline("x" * 200 + "\nنص")[0] == ""


def test_odd_characters_are_tokens_or_nothing() -> None:
    assert words("\ud800 هدنة \x00") == ["\ud800", "هدنة", "\x00"]
    assert TOKEN.findall("ًٌ") == ["ًٌ"]
