"""Files of past news: what is read of them, and which line is at fault."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.archives import LINE_BYTES, Bad, Captured, Given, Item, Listed, kind_of, read_file
from tests.fakes.warcs import warc

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def read(path: Path, content: bytes) -> list[Item]:
    path.write_bytes(content)
    return list(read_file(path, kind_of(path), now=NOW))


def errors(items: list[Item]) -> list[tuple[str, str]]:
    return [(i.where.rpartition(":")[2], i.error) for i in items if isinstance(i, Bad)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_list_is_an_address_a_line(tmp_path: Path, pack: object) -> None:
    lines = (
        "\ufeffhttps://example.org/1\n\n# ملاحظة\n  https://user:pw@example.org/2  \nftp://x/y\n"
    )
    items = read(tmp_path / "urls.txt", pack(lines.encode()))  # type: ignore[operator]
    assert [(i.url, i.where[-1]) for i in items if isinstance(i, Listed)] == [
        ("https://example.org/1", "1"),
        ("https://example.org/2", "4"),
    ]
    ((line, error),) = errors(items)
    assert line == "5"
    assert "only http and https" in error


def test_json_lines_are_articles_and_addresses(tmp_path: Path) -> None:
    records = [
        {"url": "https://example.org/1", "title": " هدنة\nفي سرت", "text": "نص\nثان\u0000",
         "date": "1 آذار 2026", "source": "enab", "authors": ["سميرة"]},
        {"url": "https://example.org/2", "published": "2026-02-01T10:00:00+02:00", "text": None},
    ]  # fmt: skip
    lines = "\n".join(json.dumps(r, ensure_ascii=False) for r in records)
    assert read(tmp_path / "a.jsonl", lines.encode()) == [
        Given(
            "https://example.org/1", f"{tmp_path}/a.jsonl:1", "هدنة في سرت", "نص\nثان",
            datetime(2026, 3, 1, tzinfo=UTC), "enab", None, ("سميرة",),
        ),
        Listed(
            "https://example.org/2", f"{tmp_path}/a.jsonl:2",
            published=datetime(2026, 2, 1, 8, tzinfo=UTC),
        ),
    ]  # fmt: skip


def test_each_bad_line_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    good = b'{"url": "https://example.org/1"}\n'
    lines = [
        good, b"{torn\n", b'["a list"]\n', b'{"title": "t"}\n', b'{"url": 7}\n',
        b'{"url": "https://example.org/2", "text": "\xff"}\n',
        b'{"url": "https://example.org/2", "text": "x"}\n',
        b'{"url": "https://example.org/2", "date": "the day before"}\n',
        b'{"url": "https://example.org/2", "date": "2031-01-01"}\n',
        b'{"url": "' + b"x" * LINE_BYTES + b'"}\n', good,
    ]  # fmt: skip
    items = read(tmp_path / "a.jsonl", b"".join(lines))
    assert [i.where[-2:].strip(":") for i in items if isinstance(i, Listed)] == ["1", "11"]
    told = dict(errors(items))
    assert list(told) == [str(n) for n in range(2, 11)]
    for line, said in {
        "2": "no JSON", "3": "no JSON object", "4": "url: missing", "5": "url: no text but 7",
        "6": "no UTF-8 at byte", "7": "no title", "8": "date: none", "9": "date: none",
        "10": "a line of more than",
    }.items():  # fmt: skip
        assert said in told[line]


def test_a_torn_gzip_is_told_after_what_could_be_read(tmp_path: Path) -> None:
    line = b'{"url": "https://example.org/%d"}\n'
    packed = gzip.compress(b"".join(line % n for n in range(20_000)))
    items = read(tmp_path / "a.jsonl.gz", packed[: len(packed) // 2])
    ((_, error),) = errors(items)
    assert "the gzip ends or breaks here" in error
    assert len(items) > 5_000


@pytest.mark.parametrize("packed", [True, False])
def test_of_a_warc_the_pages_that_answered_are_read(tmp_path: Path, packed: bool) -> None:
    html = "text/html; charset=utf-8"
    content = warc(
        ("https://example.org/1", "200 OK", html, b"<p>1</p>"),
        ("https://example.org/gone", "404 Not Found", html, b"<p>no</p>"),
        ("https://example.org/logo.png", "200 OK", "image/png", b"\x89PNG"),
        ("https://example.org/2", "200 OK", html, b"<p>2</p>"),
        packed=packed,
    )
    items = read(tmp_path / "crawl.warc.gz", content)
    assert [(i.url, i.body, i.content_type) for i in items if isinstance(i, Captured)] == [
        ("https://example.org/1", b"<p>1</p>", html),
        ("https://example.org/2", b"<p>2</p>", html),
    ]
    assert len(items) == 2


@pytest.mark.parametrize("packed", [True, False])
def test_a_torn_warc_is_told_with_the_record(tmp_path: Path, packed: bool) -> None:
    pages = [
        (f"https://example.org/{n}", "200 OK", "text/html", bytes(range(256)) * 800)
        for n in range(3)
    ]
    items = read(tmp_path / "crawl.warc", warc(*pages, packed=packed)[:-900])
    assert items
    assert isinstance(items[-1], Bad)
    assert f"{tmp_path}/crawl.warc: record " in items[-1].where
    assert not any(isinstance(i, Captured) and len(i.body) != 256 * 800 for i in items)


def test_what_a_file_holds_is_seen(tmp_path: Path) -> None:
    for content, kind in [
        (warc(), "warc"), (warc(packed=False), "warc"), (b' {"url": 1}', "jsonl"),
        (b"<?xml version='1.0'?><urlset/>", "sitemap"), (gzip.compress(b"<urlset/>"), "sitemap"),
        (b"https://example.org", "addresses"), (b"", "addresses"),
    ]:  # fmt: skip
        path = tmp_path / "file"
        path.write_bytes(content)
        assert kind_of(path) == kind
