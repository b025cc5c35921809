"""Make text from outside fit for a record: valid Unicode, no control characters, bounded."""

import re
import unicodedata
from typing import Final

TITLE_CHARS: Final = 2000  # a longer headline is cut, with an ellipsis
TEXT_CHARS: Final = 1_000_000
SUMMARY_CHARS: Final = 300_000  # of an entry's own text, HTML
NAME_CHARS: Final = 200
TEXT_BYTES: Final = 700_000  # a record on Kafka has a megabyte; a book in a page is no article

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPACE = re.compile(r"\s+")


def clean_text(text: str, limit: int) -> str:
    """Without lone surrogates (shown as U+FFFD) and control characters but line breaks and
    tabs, cut at `limit` characters with an ellipsis, never inside a letter with its marks."""
    text = _CONTROL.sub("", valid(text))
    if len(text) <= limit:
        return text
    end = limit - 1
    while end > 0 and (unicodedata.combining(text[end]) or text[end] == "\u200d"):
        end -= 1
    return text[:end].rstrip() + "…"


def valid(text: str) -> str:
    """Text that UTF-8 can write: halves of surrogate pairs joined, or shown as U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_line(text: str, limit: int) -> str:
    """The same, on one line."""
    return clean_text(_SPACE.sub(" ", text).strip(), limit)
