"""A feed's bytes into its entries. Pure; meant for a process that can be killed.

feedparser does the reading, on text that `collectors.markup` has made safe and sound;
it neither cleans HTML nor resolves what stands inside it. What it guesses of dates is
not used: `collectors.dates` reads the strings.
"""

import html
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urljoin

import feedparser

from collectors.charset import printable
from collectors.dates import parse_date
from collectors.errors import FetchError
from collectors.markup import read_document
from collectors.urls import MAX_URL_CHARS, clean_url

MAX_ENTRIES: Final = 2_000
MAX_TITLE: Final = 1_000
MAX_SUMMARY: Final = 200_000


@dataclass(frozen=True, slots=True)
class ParsedEntry:
    url: str  # absolute, http or https
    title: str = ""  # plain text, one line
    summary: str = ""  # the longest text the feed gives, HTML
    authors: tuple[str, ...] = ()
    published: datetime | None = None
    guid: str = ""


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """`dropped`: what could not be used, as (reason, detail); reasons: no_link, truncated,
    too_many."""

    entries: tuple[ParsedEntry, ...]
    language: str | None = None  # ISO 639-1
    ttl_s: float | None = None  # how long the feed asks to be left alone
    dropped: tuple[tuple[str, str], ...] = ()


def parse_feed(body: bytes, *, url: str, content_type: str, now: datetime) -> ParsedFeed:
    """Entries in the feed's order, at most 2,000.

    Raises FetchError: empty, html_instead, not_a_feed, entity, crashed. An entry without an
    address is dropped, a torn feed gives the entries that are whole; both say so in `dropped`.
    """
    document = read_document(body, url=url, content_type=content_type)
    if document.root == "json":
        return _json_feed(document.text, url, now)
    try:
        parsed = feedparser.parse(
            io.BytesIO(_MAIL_AUTHOR.sub(r"<\1>\2</\1>", document.text).encode()),  # never a path
            sanitize_html=False,
            resolve_relative_uris=False,
            response_headers={
                "content-type": "application/xml; charset=utf-8",
                "content-location": url,  # what relative links start from
            },
        )
    except Exception as error:  # feedparser lets many kinds through
        raise FetchError(
            f"{url}: the feed parser failed: {error}", reason="crashed", url=url
        ) from error
    if not parsed.entries and not parsed.version:
        raise FetchError(f"{url}: no RSS or Atom", reason="not_a_feed", url=url)
    feed = parsed.feed
    result = _collect((_entry(item, url, now) for item in parsed.entries), len(parsed.entries))
    dropped = result.dropped
    if document.truncated:
        dropped += (("truncated", "the feed ends in the middle; its whole entries are used"),)
    return replace(
        result, language=language_code(feed.get("language")), ttl_s=_ttl_s(feed), dropped=dropped
    )


def _collect(entries: Iterator[ParsedEntry], total: int) -> ParsedFeed:
    kept: list[ParsedEntry] = []
    dropped: list[tuple[str, str]] = []
    for number, entry in enumerate(entries):
        if number == MAX_ENTRIES:
            dropped.append(("too_many", f"{total} entries, the first {MAX_ENTRIES} are used"))
            break
        if entry.url:
            kept.append(entry)
        else:
            dropped.append(("no_link", (entry.title or entry.guid)[:200]))
    return ParsedFeed(tuple(kept), dropped=tuple(dropped))


def _entry(item: Any, base: str, now: datetime) -> ParsedEntry:
    guid = printable(str(item.get("id") or "")).strip()
    texts = [str(content.get("value") or "") for content in item.get("content") or ()]
    texts.append(str(item.get("summary") or ""))
    # dict.get: feedparser's own answers one date for another
    dates = (dict.get(item, name) for name in ("published", "created", "updated"))
    return ParsedEntry(
        url=_link(item, guid, base),
        title=plain_line(str(item.get("title") or "")),
        summary=printable(max(texts, key=len))[:MAX_SUMMARY],
        authors=names(str(author.get("name") or "") for author in item.get("authors") or ()),
        published=next(
            (date for text in dates if text and (date := parse_date(text, now=now))), None
        ),
        guid=guid[:MAX_URL_CHARS],
    )


def _link(item: Any, guid: str, base: str) -> str:
    candidates = [item.get("feedburner_origlink"), item.get("link")]
    links = item.get("links") or ()
    candidates += [
        link.get("href") for link in links if link.get("rel", "alternate") == "alternate"
    ]
    for candidate in candidates:
        if candidate and (url := http_url(str(candidate), base)):
            return url
    return http_url(guid, "")


def http_url(text: str, base: str) -> str:
    """The address in `text`, made absolute, spelt as it was; "" when it is none that can be
    fetched."""
    text = printable(re.sub(r"[\r\n\t]+", "", text)).strip().replace(" ", "%20")
    if not text:
        return ""
    try:
        url = urljoin(base, text) if base else text
        clean_url(url)
    except (ValueError, FetchError):  # "http://[", mailto:, tag:
        return ""
    return url


_TAG: Final = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|big|br|cite|code|div|em|font|h[1-6]|i|img|mark|p|q|s|small|span|strike"
    r"|strong|sub|sup|u)(?:\s[^<>]{0,2000})?/?>",
    re.IGNORECASE,
)


def plain_line(text: str) -> str:
    """Plain text on one line, of text escaped once, twice or not at all, tags left out;
    `5 < 6` stays. At most 1,000 characters."""
    text = text[: 8 * MAX_TITLE]
    for _ in range(3):
        before = text
        text = html.unescape(_TAG.sub(" ", text))
        if text == before:
            break
    line = " ".join(printable(text).split())
    return line if len(line) <= MAX_TITLE else line[: MAX_TITLE - 1].rstrip() + "…"


# RSS wants `address (name)` here; feedparser tears addresses whose last part is long (.press).
_MAIL_AUTHOR: Final = re.compile(
    r"<(author|dc:creator)>\s*[^<\s@]{1,100}@[^<\s@]{1,100}\s*(?:\(([^<()]{0,100})\)\s*)?</\1>"
)


def names(names: Iterator[str]) -> tuple[str, ...]:
    """Without addresses, duplicates, and more than ten."""
    found: dict[str, None] = {}
    for name in names:
        line = plain_line(name)
        if line and "@" not in line and len(line) <= 200:
            found[line] = None
    return tuple(found)[:10]


def language_code(text: object) -> str | None:
    """`ar-SA` → `ar`; None when it is no two-letter code."""
    match = re.match(r"([a-z]{2})(?:[-_]|$)", str(text or "").strip().lower())
    return match[1] if match else None


_PERIODS_S: Final = {
    "hourly": 3_600.0, "daily": 86_400.0, "weekly": 604_800.0,
    "monthly": 2_592_000.0, "yearly": 31_536_000.0,
}  # fmt: skip


def _ttl_s(feed: Mapping[str, Any]) -> float | None:
    """`ttl` (minutes), else the syndication module's period by frequency (daily and 1 where
    only one of them is given, as it says)."""
    ttl = str(feed.get("ttl") or "").strip()
    if re.fullmatch(r"\d{1,6}", ttl) and int(ttl):
        return int(ttl) * 60.0
    period = str(feed.get("sy_updateperiod") or "").strip().lower()
    frequency = str(feed.get("sy_updatefrequency") or "").strip()
    if not period and not frequency:
        return None
    times = int(frequency) if re.fullmatch(r"\d{1,4}", frequency) and int(frequency) else 1
    seconds = _PERIODS_S.get(period or "daily")
    return seconds / times if seconds else None


def _json_feed(text: str, url: str, now: datetime) -> ParsedFeed:
    """https://www.jsonfeed.org/version/1.1/"""
    try:
        feed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FetchError(
            f"{url}: neither XML nor JSON: {error}", reason="not_a_feed", url=url
        ) from error
    items = feed.get("items")
    if "jsonfeed.org" not in str(feed.get("version")) or not isinstance(items, list):
        raise FetchError(f"{url}: JSON, but no JSON Feed", reason="not_a_feed", url=url)
    items = [item for item in items if isinstance(item, dict)]
    result = _collect((_json_entry(item, url, now) for item in items), len(items))
    return replace(result, language=language_code(feed.get("language")))


def _json_entry(item: dict[str, Any], base: str, now: datetime) -> ParsedEntry:
    guid = printable(str(item.get("id") or "")).strip()[:MAX_URL_CHARS]
    plain = html.escape(str(item.get("content_text") or ""), quote=False)
    texts = [str(item.get("content_html") or ""), plain, str(item.get("summary") or "")]
    authors = item.get("authors") or [item.get("author")]
    dates = (str(item.get(name) or "") for name in ("date_published", "date_modified"))
    return ParsedEntry(
        url=http_url(str(item.get("url") or item.get("external_url") or ""), base)
        or http_url(guid, ""),
        title=plain_line(str(item.get("title") or "")),
        summary=printable(max(texts, key=len))[:MAX_SUMMARY],
        authors=names(
            str(author.get("name") or "")
            for author in (authors if isinstance(authors, list) else ())
            if isinstance(author, dict)
        ),
        published=next((date for text in dates if (date := parse_date(text, now=now))), None),
        guid=guid,
    )
