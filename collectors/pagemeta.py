"""What a page says of itself: title, canonical address, language, date, authors.

Read from the parsed tree: Open Graph and other meta elements, JSON-LD, HTML's own
elements, and what newsrooms print above the text. Pure; nothing is raised, what is not
there is None or empty.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from lxml.etree import XPath
from lxml.html import HtmlElement

from collectors.charset import printable
from collectors.dates import parse_date
from collectors.errors import FetchError
from collectors.feeds import http_url, language_code, names, plain_line
from collectors.folding import fold
from collectors.urls import site_of

MAX_JSON: Final = 300_000


@dataclass(frozen=True, slots=True)
class PageMeta:
    title: str = ""
    canonical_url: str | None = None
    language: str | None = None  # as declared; often wrong, see collectors.extract
    published: datetime | None = None
    authors: tuple[str, ...] = ()
    article_body: str = ""  # plain text from JSON-LD, for pages that build themselves by script


@dataclass(slots=True)
class _Found:
    """One pass over the document's head and JSON-LD."""

    metas: dict[str, list[str]] = field(default_factory=dict)
    articles: list[dict[str, Any]] = field(default_factory=list)  # JSON-LD objects, articles first

    def meta(self, *names_: str) -> Iterator[str]:
        for name in names_:
            yield from self.metas.get(name, ())

    def linked(self, key: str) -> Iterator[Any]:
        for article in self.articles:
            value = article.get(key)
            yield from value if isinstance(value, list) else (value,)


def read_meta(tree: HtmlElement, *, url: str, now: datetime) -> PageMeta:
    found = _Found(_metas(tree), list(_json_ld(tree)))
    body = max((str(text) for text in found.linked("articleBody") if text), key=len, default="")
    return PageMeta(
        title=_title(tree, found),
        canonical_url=_canonical(tree, found, url),
        language=_language(tree, found),
        published=_published(tree, found, url, now),
        authors=_authors(tree, found),
        article_body=printable(body),
    )


_METAS = XPath("//meta[@content and (@property or @name or @itemprop or @http-equiv)]")
_SCRIPTS = XPath("//script[@type='application/ld+json']")
_ARTICLE_TYPES: Final = re.compile(r"Article$|^(?:BlogPosting|Report|LiveBlogPosting)$")


def _metas(tree: HtmlElement) -> dict[str, list[str]]:
    metas: dict[str, list[str]] = {}
    for element in _METAS(tree):
        content = str(element.get("content")).strip()
        if content:
            for attribute in ("property", "name", "itemprop", "http-equiv"):
                if name := element.get(attribute):
                    metas.setdefault(name.strip().lower(), []).append(content)
    return metas


def _json_ld(tree: HtmlElement) -> Iterator[dict[str, Any]]:
    """Objects that describe an article, then those that describe the page."""
    pages: list[dict[str, Any]] = []
    for script in _SCRIPTS(tree)[:20]:
        text = script.text or ""
        if not text or len(text) > MAX_JSON:
            continue
        try:
            data = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
        for item in _objects(data):
            kinds = item.get("@type")
            kinds = kinds if isinstance(kinds, list) else [kinds]
            if any(_ARTICLE_TYPES.search(str(kind)) for kind in kinds):
                yield item
            elif "WebPage" in kinds:
                pages.append({key: item[key] for key in ("datePublished",) if key in item})
    yield from pages


def _objects(data: Any) -> Iterator[dict[str, Any]]:
    items = data if isinstance(data, list) else [data]
    for item in items:
        if isinstance(item, dict):
            yield item
            graph = item.get("@graph")
            if isinstance(graph, list):
                yield from (node for node in graph if isinstance(node, dict))


# --- title ---------------------------------------------------------------------------------

_H1S = XPath("//h1")
_TITLES = XPath("//head/title | //title")
_SHORT_TITLE: Final = 20
_SEPARATOR: Final = re.compile(r"\s+[|\-–—:»«•·/]+\s+|\s*\|\s*")


def _title(tree: HtmlElement, found: _Found) -> str:
    h1s = [line for h1 in _H1S(tree)[:5] if (line := plain_line(h1.text_content()))]
    tab = next((plain_line(title.text_content()) for title in _TITLES(tree)[:1]), "")
    site_names = {fold(plain_line(name)) for name in found.meta("og:site_name", "application-name")}
    shared = [plain_line(text) for text in found.meta("og:title", "twitter:title")]
    shared += [plain_line(str(text)) for text in found.linked("headline") if text]
    for candidate in shared:
        title = _without_site(candidate, site_names, h1s)
        if title and fold(title) not in site_names:
            return title
    in_tab = fold(tab)
    for h1 in h1s:  # the one the tab repeats; a logo is an h1 on many pages
        if len(h1) > 10 and fold(h1) in in_tab and fold(h1) not in site_names:
            return h1
    title = _without_site(tab, site_names, h1s)
    if len(title) < _SHORT_TITLE or fold(title) in site_names:  # the site's name, or a section's
        title = max((title, *h1s[:1]), key=len)
    return title


def _without_site(title: str, site_names: set[str], h1s: list[str]) -> str:
    """`title` without the site's name before or after it."""
    for h1 in h1s:
        if (
            len(h1) > 10
            and title != h1
            and title.startswith(h1)
            and _SEPARATOR.match(title, len(h1))
        ):
            return h1
    while breaks := list(_SEPARATOR.finditer(title)):
        first, last = breaks[0], breaks[-1]
        if fold(title[last.end() :]) in site_names:
            title = title[: last.start()].strip()
        elif fold(title[: first.start()]) in site_names:
            title = title[first.end() :].strip()
        else:
            break
    return title


# --- address, language ---------------------------------------------------------------------

_CANONICALS = XPath("//link[@rel='canonical' and @href]/@href")
_HTML_LANG = XPath("/html/@lang")


def _canonical(tree: HtmlElement, found: _Found, url: str) -> str | None:
    """The address the page gives itself, if it is of the same site and no front page: another
    site's word would let one page take another's place."""
    for text in (*_CANONICALS(tree)[:3], *found.meta("og:url")):
        candidate = http_url(str(text), url)
        if not candidate:
            continue
        try:
            same_site = site_of(candidate) == site_of(url)
        except FetchError:
            continue
        if same_site and (not _is_front(candidate) or _is_front(url)):
            return candidate
    return None


def _is_front(url: str) -> bool:
    path, _, query = url.split("://", 1)[-1].partition("#")[0].partition("?")
    return (
        not query
        and re.fullmatch(r"[^/]*(?:/|/(?:[a-z]{2}|index\.\w+|home|wp|feed)/?)?", path) is not None
    )


def _language(tree: HtmlElement, found: _Found) -> str | None:
    declared = [*_HTML_LANG(tree), *found.meta("og:locale", "content-language", "language")]
    return next((code for text in declared if (code := language_code(text))), None)


# --- date ----------------------------------------------------------------------------------

_DATE_METAS: Final = (
    "article:published_time", "og:article:published_time", "og:published_time", "datepublished",
    "article:published", "publish-date", "publishdate", "publish_date", "published_time",
    "pubdate", "published-date", "parsely-pub-date", "sailthru.date", "article_date_original",
    "dc.date.issued", "dcterms.issued", "dcterms.created", "dc.date.created", "dc.date",
    "dcterms.date", "date", "cxenseparse:recs:publishtime", "cxenseparse:publishtime",
)  # fmt: skip
_TIMES = XPath(
    "//*[@itemprop='datePublished' and (@datetime or @content)]"
    "| //time[@pubdate or contains(@class, 'publish') or contains(@class, 'entry-date')]"
    "| //article//time[@datetime] | //main//time[@datetime] | //time[@datetime]"
)
_MODIFIED: Final = re.compile(r"updat|modif", re.IGNORECASE)
_DATED = XPath(
    "//*[self::span or self::div or self::p or self::time or self::li or self::small or self::a]"
    "[contains(@class, 'date') or contains(@class, 'time') or contains(@class, 'publish')"
    " or contains(@class, 'meta') or contains(@id, 'date')]"
)
_DATED_CHARS: Final = 120
_IN_URL: Final = re.compile(r"/((?:19|20)\d\d)/(0?[1-9]|1[0-2])/(0?[1-9]|[12]\d|3[01])(?:/|$)")


def _published(tree: HtmlElement, found: _Found, url: str, now: datetime) -> datetime | None:
    for text in _date_texts(tree, found):
        if date := parse_date(text, now=now):
            return date
    if match := _IN_URL.search(url):
        return parse_date("-".join(match.groups()), now=now)
    return None


def _date_texts(tree: HtmlElement, found: _Found) -> Iterator[str]:
    """From the surest to the least sure."""
    yield from found.meta(*_DATE_METAS)
    for key in ("datePublished", "dateCreated", "uploadDate"):
        yield from (str(text) for text in found.linked(key) if text)
    for element in _TIMES(tree)[:5]:
        if not _MODIFIED.search(f"{element.get('class')} {element.get('itemprop')}"):
            yield element.get("datetime") or element.get("content") or element.text_content()
    for element in _DATED(tree)[:40]:
        if len(element) <= 6 and not _MODIFIED.search(element.get("class") or ""):
            text = " ".join(element.itertext()).strip()
            if any(char.isdecimal() for char in text) and len(text) <= _DATED_CHARS:
                yield text


# --- authors -------------------------------------------------------------------------------

_BYLINES = XPath(
    "//*[@rel='author'] | //*[@itemprop='author']//*[@itemprop='name']"
    "| //*[self::span or self::div or self::a or self::p]"
    "[@class='author' or @class='byline' or contains(@class, 'author-name')"
    " or contains(@class, 'author_name') or contains(@class, 'post-author')]"
)
_BY: Final = re.compile(
    r"^(?:بقلم|كتب(?:ت|ه)?|إعداد|اعداد|تحرير|by|par|posted by)\s*[:/|-]?\s+", re.I
)


def _authors(tree: HtmlElement, found: _Found) -> tuple[str, ...]:
    linked = (
        str(author.get("name") or "") if isinstance(author, dict) else str(author or "")
        for author in found.linked("author")
    )
    declared = found.meta("author", "article:author", "dc.creator")
    return (
        _people(linked)
        or _people(declared)
        or _people(element.text_content() for element in _BYLINES(tree)[:3])
    )


def _people(texts: Iterable[str]) -> tuple[str, ...]:
    lines = (_BY.sub("", " ".join(text.split())) for text in texts)
    return names(line for line in lines if 2 < len(line) <= 80 and "://" not in line)
