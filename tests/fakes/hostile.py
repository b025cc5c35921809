"""Text as an attacker would write it, for hypothesis."""

from hypothesis import strategies as st

BIDI_CONTROLS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

ATTACKS = (
    "<!channel>", "<!here>", "@channel", "@here", "<@U123ABC>", "<http://evil.example|bank>",
    "<script>alert(1)</script>", "\" onmouseover=\"x", "'><img src=x onerror=y>", "{{ 7*7 }}",
    "{% include 'x' %}", "\r\nBcc: all@example.org\r\n\r\n", "\n.\n", "=?utf-8?q?x?=", "\x1b[2J",
    "\x9b31m", "\u202e", "\u2066", "\u2069", "\u2069\u2069", "\u2028", "\ud83d", "\udfff", "\x00",
    "*bold* _it_ ~no~ `code`", ":smile:", "javascript:alert(1)", "&amp;", "&#60;", "&lt;!here&gt;",
    "[link](http://evil.example)", "حقل النفط", "عاجل: «هدنة»", "👨\u200d👩\u200d👧", "\u0301" * 40,
    "ﷺ", "٪١٢٣", "http://evil.example/", "]]>", "<!--", "\\", "|", "[red]x[/red]",
)  # fmt: skip


def hostile() -> st.SearchStrategy[str]:
    """Attacks, any characters (lone surrogates too), and now and then a great many of them."""
    pieces = st.one_of(
        st.sampled_from(ATTACKS), st.text(st.characters(), max_size=12), st.text("&<>", max_size=9)
    )
    text = st.lists(pieces, max_size=8).map("".join)
    return st.one_of(text, st.builds(lambda piece, n: piece * n, text, st.sampled_from([40, 700])))
