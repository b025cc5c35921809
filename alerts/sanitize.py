"""Text from outside, made safe to show: headlines, quotes and names are hostile input.

What a channel needs beyond this (entities for Slack, autoescape for HTML) is its own. What
is here holds everywhere: one line, no control characters, no bidi overrides or isolates
but ours, nothing invisible that carries a message, nothing endless, no torn character.
"""

import unicodedata
from urllib.parse import quote, urlsplit

import regex

FSI, PDI = "\u2068", "\u2069"  # first strong isolate … pop directional isolate
ELLIPSIS = "…"
URL_LIMIT = 1800  # Slack takes 3,000 a text, mail clients and browsers some 2,000 an address

# Invisible formatting that a text may rightly hold: joiners (Persian, emoji), the three
# direction marks, which cannot reach past the isolate they stand in, and Arabic's own.
_KEPT_FORMAT = frozenset("\u200c\u200d\u200e\u200f\u061c\u0600\u0601\u0602\u0603\u0604\u0605\u06dd")
_SPACES = regex.compile(r"\s+")
_MARKS = regex.compile(r"(\p{M}{6})\p{M}+")  # Arabic stacks three; a tower of marks is an attack
_GRAPHEME = regex.compile(r"\X")


def clean(text: str, limit: int) -> str:
    """`text` as one safe line of at most `limit` characters, cut with an ellipsis at a
    grapheme where it is longer."""
    if not text.isascii() or not text.isprintable():
        text = text.translate(_replacements)
        text = _MARKS.sub(r"\1", text)
    return cut(_SPACES.sub(" ", text).strip(), limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, whole graphemes and an ellipsis where `text` is longer."""
    if len(text) <= limit:
        return text
    room = limit - len(ELLIPSIS)
    end = 0
    for grapheme in _GRAPHEME.finditer(text, 0, limit + 64):
        if grapheme.end() > room:
            break
        end = grapheme.end()
    return text[:end].rstrip() + ELLIPSIS


def isolate(text: str) -> str:
    """`text` set apart, so that its direction leaves what surrounds it alone."""
    return f"{FSI}{text}{PDI}" if text else ""


def is_rtl(text: str) -> bool:
    """Whether its first letter with a direction runs from right to left."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False


def safe_href(url: str) -> str | None:
    """`url`, percent-encoded where it must be, if it is a plain http or https address;
    else None, and it is shown as text."""
    if len(url) > URL_LIMIT or any(ord(c) <= 32 or 0x7F <= ord(c) <= 0x9F for c in url):
        return None
    try:
        encoded = quote(url, safe="!#$%&'()*+,/:;=?@[]~")
        parts = urlsplit(encoded)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or len(encoded) > URL_LIMIT:
        return None
    return encoded


class _Replacements(dict[int, str | None]):
    """What `str.translate` asks for each character once; None drops it."""

    def __missing__(self, point: int) -> str | None:
        self[point] = value = _replacement(chr(point))
        return value


def _replacement(character: str) -> str | None:
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category == "Cc" or (category == "Cf" and character not in _KEPT_FORMAT):
        return None
    return character


_replacements = _Replacements()
