"""The XML of a feed, made fit for a parser, or refused, before one sees it.

    bytes → text (collectors.charset) → junk before the document cut → prolog read:
    entities and outside DTDs refused, the DOCTYPE taken out → root known to be a feed's
    → a torn end closed after the last whole entry

A document in a feed's place that is none is a FetchError whose reason says what it is.
"""

import re
from dataclasses import dataclass
from typing import Final

from collectors.charset import decode
from collectors.errors import FetchError

_DECLARED: Final = re.compile(
    rb"""^[^<]{0,64}<\?xml[^>]{0,80}?encoding\s*=\s*["']([\w.:-]{1,40})"""
)
_START: Final = re.compile(
    r"<\?xml|<!doctype|<(?:\w{1,20}:)?(?:rss|feed|rdf|channel)[\s/>]|<(?:html|head|body)[\s>]", re.I
)
_SKIPPED: Final = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_DOCTYPE: Final = re.compile(r"<!DOCTYPE\s+([\w:.-]+)([^<>\[]{0,500})(\[|>)", re.IGNORECASE)
_ROOT: Final = re.compile(r"<((?:[\w.-]{1,40}:)?([\w.-]{1,40}))[\s/>]")
_FEED_ROOTS: Final = frozenset({"rss", "feed", "rdf", "channel"})
_HTML_ROOTS: Final = frozenset({"html", "head", "body", "div", "script"})
_JUNK_CHARS: Final = 50_000  # how far into a body a feed may begin, behind warnings of its server


@dataclass(frozen=True, slots=True)
class Document:
    """`text` begins with an XML declaration and the root; `truncated` when its end was mended."""

    text: str
    root: str  # local name, lower case; "json" when it is no XML but an object
    truncated: bool = False


def read_document(body: bytes, *, url: str, content_type: str) -> Document:
    """Raises FetchError: empty, html_instead, not_a_feed, entity."""
    declared = _DECLARED.match(body)
    text = decode(
        body, declared=declared[1].decode() if declared else None, content_type=content_type
    ).strip()
    if not text:
        raise FetchError(
            f"{url}: the answer has no content", reason="empty", retryable=True, url=url
        )
    if text.startswith("{"):
        return Document(text, "json")
    start = _START.search(text, 0, _JUNK_CHARS)
    if start is None:
        _refuse_other(text, url, content_type)
    assert start is not None
    text = _without_prolog(text[start.start() :], url)
    root = _ROOT.match(text)
    name = root[2].lower() if root else ""
    if root is None or name not in _FEED_ROOTS:
        if name in _HTML_ROOTS:
            raise _html_instead(url)
        _refuse_other(text, url, content_type)
    assert root is not None
    if _declares_entities(text):
        raise _entity(url)
    text = _CHARACTER.sub(_allowed_character, text)
    text, truncated = _closed(text, root[1], name)
    return Document(f'<?xml version="1.0" encoding="utf-8"?>\n{text}', name, truncated)


def _refuse_other(text: str, url: str, content_type: str) -> None:
    if "html" in content_type.lower() or re.match(r"<(?:br|div|p|script|table)\b", text, re.I):
        raise _html_instead(url)
    shown = " ".join(text[:60].split())
    raise FetchError(f"{url}: no RSS or Atom, it begins {shown!r}", reason="not_a_feed", url=url)


def _html_instead(url: str) -> FetchError:
    return FetchError(f"{url}: a web page in the feed's place", reason="html_instead", url=url)


def _entity(url: str) -> FetchError:
    return FetchError(
        f"{url}: declares entities or a DTD of its own, which can make a small file huge or"
        " read others; refused",
        reason="entity",
        url=url,
    )


def _without_prolog(text: str, url: str) -> str:
    """From the root element on."""
    position = 0
    while position < len(text):
        if skipped := _SKIPPED.match(text, position):
            position = skipped.end()
        elif text[position : position + 9].lower() == "<!doctype":
            position = _after_doctype(text, position, url)
        else:
            break
    return text[position:]


def _after_doctype(text: str, position: int, url: str) -> int:
    match = _DOCTYPE.match(text, position)
    if match is None:
        raise _entity(url)
    name, external, last = match[1].lower(), match[2].lower(), match[3]
    if name == "html":
        raise _html_instead(url)
    # RSS 0.91 names Netscape's DTD, long gone; it is left out, not fetched.
    if ("system" in external or "public" in external) and "netscape" not in external:
        raise _entity(url)
    if last == "[":  # declarations of its own: whatever they are, a feed needs none
        raise _entity(url)
    return match.end()


_CHARACTER: Final = re.compile(r"&#(?:(\d{1,9})|[xX]([0-9a-fA-F]{1,8}));")


def _allowed_character(match: re.Match[str]) -> str:
    """A reference to what no text may hold (NUL, half a surrogate pair) would end the parsing."""
    code = int(match[1]) if match[1] else int(match[2], 16)
    allowed = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE
    return match[0] if allowed or 0x10000 <= code <= 0x10FFFF else ""


def _declares_entities(text: str) -> bool:
    """Whether `<!ENTITY` stands anywhere but in CDATA or a comment, where it is only talked of."""
    if "<!entity" not in text.lower():
        return False
    position = 0
    while True:
        position = text.find("<!", position)
        if position < 0:
            return False
        if text[position : position + 8].lower() == "<!entity":
            return True
        end = ""
        if text.startswith("<![CDATA[", position):
            end = "]]>"
        elif text.startswith("<!--", position):
            end = "-->"
        position = text.find(end, position + 2) if end else position + 2
        if position < 0:
            return False


def _closed(text: str, tag: str, root: str) -> tuple[str, bool]:
    """A document without its closing tag is cut after its last whole entry and closed."""
    if text.rfind(f"</{tag}") >= 0 or re.match(rf"<{re.escape(tag)}[^<>]*/>", text):
        return text, False
    prefix = tag.rpartition(":")[0]
    item = "entry" if root == "feed" else "item"
    ends = [f"</{item}>", f"</{prefix}:{item}>" if prefix else f"</{item}>"]
    whole = max(text.rfind(end) + len(end) if end in text else -1 for end in ends)
    if whole < 0:
        # not one whole entry: the head of the feed may still close
        whole = text.find(f"<{item}")
        whole = whole if whole >= 0 else len(text)
    channel = "</channel>" if root == "rss" and "</channel>" not in text[:whole] else ""
    return f"{text[:whole]}{channel}</{tag}>", True
