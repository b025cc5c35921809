"""A sitemap's bytes into what it lists. Pure; meant for the pool.

Google's news sitemaps (`news:news` with title and date) are what some newsrooms keep up
better than a feed. A plain sitemap works by `lastmod`. Polled as a feed, only what is dated
within the last days counts, and an index is not followed: a sitemap may list a whole archive.
That is what `collectors.backfill` reads it for.
https://www.sitemaps.org/protocol.html, https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap
"""

import contextlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
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
WHOLE_BYTES: Final = 50 * 1024 * 1024  # of one sitemap, unpacked: the protocol's own bound

_DECLARED: Final = re.compile(rb"""^[^<]{0,8}<\?xml[^>]{0,80}?encoding\s*=\s*["']([\w.:-]{1,40})""")
_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")


@dataclass(frozen=True, slots=True)
class Place:
    """A page, or of an index a further sitemap."""

    url: str
    title: str = ""
    published: datetime | None = None
    changed: datetime | None = None
    language: str | None = None  # ISO 639-1


@dataclass(frozen=True, slots=True)
class Sitemap:
    """`torn` says why a document ends in the middle; its whole entries are there."""

    places: tuple[Place, ...]
    is_index: bool = False
    unusable: int = 0  # entries without an address that can be fetched
    torn: str = ""


def read_sitemap(
    body: bytes, *, url: str, content_type: str, now: datetime, max_bytes: int = WHOLE_BYTES
) -> Sitemap:
    """All that a sitemap or an index of sitemaps lists, in its order; gzip is unpacked.

    Raises FetchError: empty, html_instead, not_a_feed, entity, too_large."""
    elements, error = _elements(_text(body, url, content_type, max_bytes))
    root = _local(elements[-1].tag) if elements else "nothing"
    kinds = [kind for each in elements if (kind := _local(each.tag)) in ("url", "sitemap")]
    places: list[Place] = []
    for element in elements:
        if _local(element.tag) in ("url", "sitemap"):
            fields = _fields(element)
            if link := http_url(fields.get("loc", ""), url):
                title = plain_line(fields.get("title", ""))
                language = language_code(fields.get("language"))
                published = parse_date(fields.get("publication_date", ""), now=now)
                changed = parse_date(fields.get("lastmod", ""), now=now)
                places.append(Place(link, title, published, changed, language))
    if not kinds if error else root not in ("urlset", "sitemapindex"):
        raise FetchError(f"{url}: no sitemap but {error or root}", reason="not_a_feed", url=url)
    return Sitemap(
        tuple(places), "sitemap" in kinds[:1] or root == "sitemapindex",
        len(kinds) - len(places), str(error or ""),
    )  # fmt: skip


def parse_sitemap(body: bytes, *, url: str, content_type: str, now: datetime) -> ParsedFeed:
    """As a feed: the newest entries of the last three days first, at most 1,000.

    Raises FetchError: empty, html_instead, not_a_feed (an index too), entity, too_large."""
    found = read_sitemap(body, url=url, content_type=content_type, now=now, max_bytes=FEED_BYTES)
    if found.is_index:
        raise FetchError(f"{url}: no sitemap of pages but an index", reason="not_a_feed", url=url)
    dated = [
        (date, place)
        for place in found.places
        if (date := place.published or place.changed) is not None
    ]
    recent = sorted(
        (pair for pair in dated if now - pair[0] <= RECENT), key=lambda pair: pair[0], reverse=True
    )
    dropped = {
        "unusable": found.unusable,
        "old": len(found.places) - len(recent),
        "too_many": max(len(recent) - MAX_ENTRIES, 0),
    }
    notes = [(reason, str(count)) for reason, count in dropped.items() if count]
    if found.torn:
        notes.append(("truncated", "the sitemap ends in the middle; its whole entries are used"))
    languages = {place.language for _, place in recent if place.language}
    return ParsedFeed(
        tuple(
            ParsedEntry(place.url, place.title, published=date)
            for date, place in recent[:MAX_ENTRIES]
        ),
        language=languages.pop() if len(languages) == 1 else None,
        dropped=tuple(notes),
    )


def _text(body: bytes, url: str, content_type: str, max_bytes: int) -> str:
    """Without declaration; entities and document types refused."""
    if body.startswith(b"\x1f\x8b"):  # sitemap.xml.gz
        try:
            body = read_packed(body, url=url, max_bytes=max_bytes)
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
    torn = None
    try:
        parser.feed(text)
        parser.close()
    except ElementTree.ParseError as error:
        torn = error
    with contextlib.suppress(ElementTree.ParseError):  # the same, after the sound ones
        events = cast(Iterator[tuple[str, ElementTree.Element]], parser.read_events())
        elements.extend(element for _, element in events)
    return elements, torn


def _fields(element: ElementTree.Element) -> dict[str, str]:
    """`loc` and `lastmod` of the entry itself, and all of its news; not those of its pictures."""
    fields = {_local(part.tag): part.text or "" for part in element}
    news = (part for part in element.iter() if "sitemap-news" in str(part.tag))
    return fields | {_local(part.tag): part.text or "" for part in news}


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2].lower()
