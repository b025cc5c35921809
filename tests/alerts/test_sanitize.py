"""Text from outside is one safe line, cut at a grapheme."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.sanitize import clean, cut, is_rtl, isolate, safe_href
from tests.fakes.hostile import BIDI_CONTROLS, hostile


@given(hostile(), st.integers(1, 300))
def test_clean_text_is_one_line_without_controls_within_its_limit(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    assert not BIDI_CONTROLS & set(cleaned)
    assert {unicodedata.category(c) for c in cleaned} & {"Cc", "Cs", "Zl", "Zp"} == set()
    assert cleaned == cleaned.strip()
    cleaned.encode()  # no lone surrogate
    assert clean(cleaned, limit) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("خبر\r\nBcc: all@example.org", "خبر Bcc: all@example.org"),
        ("\u202eevil\u202c", "evil"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("a\u2028b\u0085c\tد", "a b c د"),
        ("\ud800x", "\ufffdx"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian needs its joiner
        ("a\u200bb\ufeff", "ab"),
        ("ه" + "\u0651" * 50, "ه" + "\u0651" * 6),
        ("tag\U000e0041\U000e0042", "tag"),
        ("عاجل | قصف «حقل» النفط", "عاجل | قصف «حقل» النفط"),
    ],
)
def test_what_is_dangerous_goes_and_what_is_text_stays(text: str, cleaned: str) -> None:
    assert clean(text, 100) == cleaned


def test_a_long_headline_is_cut_with_an_ellipsis_between_graphemes() -> None:
    assert clean("خ" * 10_000, 240) == "خ" * 239 + "…"
    family = "👨\u200d👩\u200d👧"
    assert cut(family * 3, 12) == family * 2 + "…"
    assert cut(family * 3, 10) == family + "…"
    assert cut("e\u0301" * 5, 4) == "e\u0301…"
    assert cut("a" + "\u0301" * 50, 10) == "…"


@pytest.mark.parametrize(
    ("url", "href"),
    [
        ("https://news.example/a?b=1&c=2#d", "https://news.example/a?b=1&c=2#d"),
        ("http://news.example:8080/", "http://news.example:8080/"),
        ("https://news.example/خبر", "https://news.example/%D8%AE%D8%A8%D8%B1"),
        ("https://news.example/%D8%AE", "https://news.example/%D8%AE"),
        ("https://news.example/a|b>c<d\"e'f", "https://news.example/a%7Cb%3Ec%3Cd%22e'f"),
        ("https://[::1]:80/x", "https://[::1]:80/x"),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt:alert(1)", None),
        ("data:text/html,<b>", None),
        ("//news.example/x", None),
        ("https:///x", None),
        ("https://news.example/a b", None),
        ("https://news.example/\nx", None),
        ("https://[bad/", None),
        ("https://news.example:port/", None),
        ("https://news.example/" + "a" * 3000, None),
        ("https://news.example/\ud800", None),
        ("", None),
    ],
)
def test_only_plain_web_addresses_become_links(url: str, href: str | None) -> None:
    assert safe_href(url) == href


@given(hostile())
def test_any_address_is_a_safe_link_or_none(url: str) -> None:
    for each in (url, f"https://news.example/{url}", f"http://{url}/"):
        href = safe_href(each)
        assert href is None or (
            href.lower().startswith(("http://", "https://"))
            and not set(href) & set(' <>"|\\`\n\r')
            and href.isascii()
        )


def test_direction_is_that_of_the_first_letter() -> None:
    assert is_rtl("«12 خبر» news")
    assert not is_rtl("BBC: خبر")
    assert not is_rtl("123 …")


def test_isolation_brackets_text_and_leaves_nothing_alone() -> None:
    assert isolate("خبر") == "\u2068خبر\u2069"
    assert isolate("") == ""
