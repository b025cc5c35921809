"""What a sitemap lists, whole and as a feed."""

import gzip
from datetime import UTC, datetime

import pytest

from collectors.errors import FetchError
from collectors.sitemaps import Place, parse_sitemap, read_sitemap

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "https://example.org/sitemap.xml"
NEWS = 'xmlns:n="http://www.google.com/schemas/sitemap-news/0.9"'


def urlset(*entries: str) -> bytes:
    inner = "".join(f"<url>{entry}</url>" for entry in entries)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" {NEWS}>{inner}</urlset>'
    ).encode()


def news(path: str, date: str, title: str) -> str:
    return (
        f"<loc>{path}</loc><lastmod>2026-03-01T11:00:00Z</lastmod><n:news><n:publication>"
        f"<n:name>صحيفة</n:name><n:language>ar</n:language></n:publication>"
        f"<n:publication_date>{date}</n:publication_date><n:title>{title}</n:title></n:news>"
    )


def read(body: bytes) -> list[Place]:
    return list(read_sitemap(body, url=URL, content_type="text/xml", now=NOW).places)


def test_what_is_published_is_told_apart_from_what_was_changed() -> None:
    body = urlset(
        news("https://example.org/1", "2026-02-27T08:00:00Z", "هدنة في سرت"),
        "<loc>https://example.org/2</loc><lastmod>2026-02-20</lastmod>",
    )
    changed = datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert read(body) == [
        Place(
            "https://example.org/1", "هدنة في سرت", datetime(2026, 2, 27, 8, tzinfo=UTC), changed,
            "ar",
        ),
        Place("https://example.org/2", changed=datetime(2026, 2, 20, tzinfo=UTC)),
    ]  # fmt: skip


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_index_packed_or_not_lists_sitemaps(pack: object) -> None:
    body = (
        b"<sitemapindex><sitemap><loc>https://example.org/a.xml.gz</loc></sitemap></sitemapindex>"
    )
    found = read_sitemap(pack(body), url=URL, content_type="", now=NOW)  # type: ignore[operator]
    assert found.is_index
    assert [place.url for place in found.places] == ["https://example.org/a.xml.gz"]


def test_as_a_feed_only_the_last_days_count_the_newest_first() -> None:
    body = urlset(
        news("https://example.org/old", "2026-02-20T08:00:00Z", "قديم"),
        news("https://example.org/a", "2026-02-28T08:00:00Z", "أول"),
        news("https://example.org/b", "2026-03-01T08:00:00Z", "ثان"),
        "<loc>mailto:desk@example.org</loc>",
    )
    feed = parse_sitemap(body, url=URL, content_type="", now=NOW)
    assert [entry.url[-1] for entry in feed.entries] == ["b", "a"]
    assert dict(feed.dropped) == {"old": "1", "unusable": "1"}
    assert feed.language == "ar"


def test_a_torn_one_gives_its_whole_entries() -> None:
    body = urlset("<loc>https://example.org/1</loc>", "<loc>https://example.org/2</loc>")
    torn = read_sitemap(body[:-40], url=URL, content_type="", now=NOW)
    assert [place.url for place in torn.places] == ["https://example.org/1"]
    assert torn.torn


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"<!doctype html><html><body>404</body></html>", "html_instead"),
        (b"<rss><channel/></rss>", "not_a_feed"),
        (b"no xml", "not_a_feed"),
        (b"\x1f\x8bbroken", "not_a_feed"),
        (b'<!DOCTYPE u [<!ENTITY a "b">]><urlset><url><loc>&a;</loc></url></urlset>', "entity"),
    ],
)
def test_what_is_none_says_so(body: bytes, reason: str) -> None:
    with pytest.raises(FetchError) as refused:
        read(body)
    assert refused.value.reason == reason


def test_as_a_feed_an_index_is_refused() -> None:
    body = b"<sitemapindex><sitemap><loc>https://example.org/a.xml</loc></sitemap></sitemapindex>"
    with pytest.raises(FetchError, match="an index"):
        parse_sitemap(body, url=URL, content_type="", now=NOW)


def test_what_unpacks_to_more_than_the_bound_is_refused() -> None:
    bomb = gzip.compress(b"<urlset>" + b" " * 2_000_000)
    with pytest.raises(FetchError) as refused:
        read_sitemap(bomb, url=URL, content_type="", now=NOW, max_bytes=1_000_000)
    assert refused.value.reason == "too_large"
