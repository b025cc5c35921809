"""A news sitemap's bytes into entries, as a feed's. Pure; meant for the pool.

Google's news sitemaps (`news:news` with title and date) are what some newsrooms keep up
better than a feed. A plain sitemap works by `lastmod`. Only what is dated within the last
days counts: a sitemap may list a whole archive. A sitemap index is not followed.
https://www.sitemaps.org/protocol.html, https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap
"""

import contextlib
import re
import zlib
from collections import Counter as Tally
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, cast
from xml.etree import ElementTree  # entities are refused before it sees them

from collectors.body import read_packed
from collectors.charset import decode
from collectors.dates import parse_date
from collectors.errors import FetchError
from collectors.feeds import ParsedEntry, ParsedFeed, http_url, language_code, plain_line
from collectors.fetch import FEED_BYTES

MAX_ENTRIES: Final = 1000
RECENT: Final = timedelta(days=3)

_DECLARED: Final = re.compile(rb"""^[^<]{0,8}<\?xml[^>]{0,80}?encoding\s*=\s*["']([\w.:-]{1,40})""")
_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")


def parse_sitemap(body: bytes, *, url: str, content_type: str, now: datetime) -> ParsedFeed:
    """The newest entries of the last three days first, at most 1,000.

    Raises FetchError: empty, html_instead, not_a_feed, entity, too_large."""
    elements, torn = _elements(_text(body, url, content_type))
    entries: list[tuple[datetime, ParsedEntry]] = []
    languages: set[str] = set()
    dropped: Tally[str] = Tally()
    for element in elements:
        if _local(element.tag) != "url":
            continue
        fields = _fields(element)
        published = _date(fields, now)
        link = http_url(fields.get("loc", ""), url)
        if not link:
            dropped["unusable"] += 1
        elif published is None or now - published > RECENT:
            dropped["old"] += 1
        else:
            title = plain_line(fields.get("title", ""))
            entries.append((published, ParsedEntry(link, title, published=published)))
            if language := language_code(fields.get("language")):
                languages.add(language)
    root = _local(elements[-1].tag) if elements else "nothing"
    if not (entries or dropped) if torn else root != "urlset":
        raise FetchError(
            f"{url}: no sitemap of pages but {torn or root}", reason="not_a_feed", url=url
        )
    entries.sort(key=lambda pair: pair[0], reverse=True)
    if len(entries) > MAX_ENTRIES:
        dropped["too_many"] = len(entries) - MAX_ENTRIES
    notes = [(reason, str(count)) for reason, count in dropped.items()]
    if torn:
        notes.append(("truncated", "the sitemap ends in the middle; its whole entries are used"))
    return ParsedFeed(
        tuple(entry for _, entry in entries[:MAX_ENTRIES]),
        language=languages.pop() if len(languages) == 1 else None,
        dropped=tuple(notes),
    )


def _text(body: bytes, url: str, content_type: str) -> str:
    """Without declaration; entities and document types refused."""
    if body.startswith(b"\x1f\x8b"):  # sitemap.xml.gz
        try:
            body = read_packed(body, url=url, max_bytes=FEED_BYTES)
        except zlib.error as error:
            raise FetchError(f"{url}: damaged gzip", reason="not_a_feed", url=url) from error
    declared = _DECLARED.match(body)
    text = decode(
        body, declared=declared[1].decode() if declared else None, content_type=content_type
    )
    if not text.strip():
        raise FetchError(f"{url}: the answer has no content", reason="empty", url=url)
    head = text[:2000].lower()
    if "<!doctype html" in head or "<html" in head:
        raise FetchError(
            f"{url}: a web page in the sitemap's place", reason="html_instead", url=url
        )
    if "<!doctype" in text.lower() or "<!entity" in text.lower():
        raise FetchError(f"{url}: declares a document type; refused", reason="entity", url=url)
    return _DECLARATION.sub("", text, count=1).lstrip("\ufeff \r\n\t")


def _elements(text: str) -> tuple[list[ElementTree.Element], ElementTree.ParseError | None]:
    """Elements in the order they end, as far as the document is sound."""
    parser: ElementTree.XMLPullParser[ElementTree.Element] = ElementTree.XMLPullParser(["end"])
    elements: list[ElementTree.Element] = []
    try:
        with contextlib.suppress(ElementTree.ParseError):  # comes again, after the sound ones
            parser.feed(text)
            parser.close()
        events = cast(Iterator[tuple[str, ElementTree.Element]], parser.read_events())
        elements.extend(element for _, element in events)
    except ElementTree.ParseError as error:
        return elements, error
    return elements, None


def _fields(element: ElementTree.Element) -> dict[str, str]:
    """`loc` and `lastmod` of the entry itself, and all of its news; not those of its pictures."""
    fields = {_local(part.tag): part.text or "" for part in element}
    news = (part for part in element.iter() if "sitemap-news" in str(part.tag))
    return fields | {_local(part.tag): part.text or "" for part in news}


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2].lower()


def _date(fields: dict[str, str], now: datetime) -> datetime | None:
    for name in ("publication_date", "lastmod"):
        if (text := fields.get(name, "").strip()) and (date := parse_date(text, now=now)):
            return date
    return None
