"""Addresses: one article, one name."""

import pytest

from collectors.errors import FetchError
from collectors.urls import (
    article_id,
    canonical_url,
    clean_url,
    origin_of,
    site_of,
    without_credentials,
)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("HTTP://WWW.Example.COM:80/a", "http://www.example.com/a"),
        ("https://example.com:443", "https://example.com/"),
        ("https://example.com:8443/a", "https://example.com:8443/a"),
        ("https://example.com/a#comments", "https://example.com/a"),
        ("https://example.com/?p=17&utm_source=rss&utm_medium=feed", "https://example.com/?p=17"),
        ("https://example.com/a?fbclid=x", "https://example.com/a"),
        ("https://example.com/a?b=2&a=1", "https://example.com/a?b=2&a=1"),
        ("https://example.com/a/../b/./c/..", "https://example.com/b/"),
        ("https://example.com/%7euser/%d8%a7", "https://example.com/~user/%D8%A7"),
        ("https://example.com/خبر جديد", "https://example.com/%D8%AE%D8%A8%D8%B1%20%D8%AC%D8%AF%D9%8A%D8%AF"),
        ("https://example.com/100%", "https://example.com/100%25"),
        ("https://user:secret@example.com/a", "https://example.com/a"),
        ("  https://exa\nmple.com/a\t", "https://example.com/a"),
        ("https://موقع.السعودية/", "https://xn--4gbrim.xn--mgberp4a5d4ar/"),
        ("https://example.com./a", "https://example.com/a"),
        ("http://[::1]:80/a", "http://[::1]/a"),
        ("https://example.com/\ud800", "https://example.com/%EF%BF%BD"),
    ],
)  # fmt: skip
def test_canonical_url_drops_what_does_not_change_the_page(written: str, canonical: str) -> None:
    assert canonical_url(written) == canonical
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize(
    "written",
    [
        "", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "mailto:a@b.c",
        "//example.com/a", "/a", "http://", "http://exa mple.com/", "http://x:99999/",
        "http://[::1/", "http://a..b/", "http://example.com/" + "a" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(written: str) -> None:
    with pytest.raises(FetchError) as caught:
        canonical_url(written)
    assert caught.value.reason == "bad_url"


def test_article_id_is_the_same_for_http_and_https_and_every_machine() -> None:
    assert article_id("http://example.com/a") == article_id("https://example.com/a")
    assert article_id("https://example.com/a") == "c47c880e9461e16545268e3156a7b7f6"
    assert article_id("https://example.com/a") != article_id("https://example.com/b")
    assert len(article_id("https://example.com/a")) == 32


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://www.enabbaladi.net/feed", "enabbaladi.net"),
        ("https://news.bbc.co.uk/", "bbc.co.uk"),
        ("https://yemen.blogspot.com/feeds", "yemen.blogspot.com"),
        ("http://127.0.0.1:8000/feed.xml", "127.0.0.1:8000"),
        ("http://127.0.0.1/", "127.0.0.1:80"),
        ("https://localhost/", "localhost:443"),
        ("http://[::1]:90/", "[::1]:90"),
        ("http://[::1]/", "[::1]:80"),
    ],
)
def test_site_is_the_registrable_domain_or_host_and_port(url: str, site: str) -> None:
    assert site_of(url) == site


def test_clean_url_keeps_the_query_and_resolves_against_a_base() -> None:
    assert clean_url("/a?utm_source=x&b", base="https://example.com/c/d") == (
        "https://example.com/a?utm_source=x&b"
    )


def test_origin_is_what_one_robots_txt_speaks_for() -> None:
    assert origin_of("https://Example.com:443/a?b") == "https://example.com"
    assert origin_of("http://example.com:8080/") == "http://example.com:8080"


@pytest.mark.parametrize(
    ("url", "without"),
    [
        ("https://u:p@a.example/x?y=1#z", "https://a.example/x?y=1#z"),
        ("HTTP://u@a.example:8000", "HTTP://a.example:8000"),
        ("//u:p@ss@a.example/", "//a.example/"),
        ("https://a.example/@user/x", "https://a.example/@user/x"),
        ("https://a.example?mail=a@b", "https://a.example?mail=a@b"),
        ("/x@y", "/x@y"),
    ],
)
def test_credentials_are_taken_out_and_nothing_else(url: str, without: str) -> None:
    assert without_credentials(url) == without
