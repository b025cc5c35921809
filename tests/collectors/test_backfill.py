"""Past news into its lane: once each, politely, and only as fast as it is read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from collectors import backfill
from collectors.backfill import Backfill, Busy, Tally
from collectors.catalogue import Feed, Source
from collectors.options import CollectOptions
from rasid.demo.broker import Brokers
from streams.carriers import open_log
from streams.log import Lag, Log, Transaction
from streams.records import (
    ARTICLES,
    BACKFILL,
    ENTRIES,
    FEEDS,
    FLAGS,
    Article,
    Entry,
    FeedState,
    decode,
    encode,
)
from tests.fakes.collecting import HTML, LOOPBACK, PARAGRAPH, InlinePool, page
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.warcs import warc

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Bench:
    """Runs on one log; `told` is what the latest said of records that gave no article."""

    log: Log
    folder: Path
    polled: list[Source] = field(default_factory=list)
    catalogue: list[Source] = field(default_factory=list)
    options: CollectOptions = field(
        default_factory=lambda: CollectOptions(
            site_delay_s=0.0, allow_networks=LOOPBACK, page_retry_s=0.01, gather_s=0.002
        )
    )
    told: list[str] = field(default_factory=list)

    def make(self, **changes: Any) -> Backfill:
        self.told = []
        return Backfill(
            self.log, self.options, polled=self.polled, catalogue=self.catalogue, clock=utc_now,
            tell=self.told.append, make_pool=InlinePool, **changes,
        )  # fmt: skip

    def run(self, *inputs: str, **changes: Any) -> dict[str, int]:
        """What the tally counts, without zeros."""
        tally = self.make(**changes).run(inputs)
        counts = ("read", "written", "met", "older", "failed", "bad")
        return {name: n for name in counts if (n := getattr(tally, name))}

    def file(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def lines(self, *records: dict[str, Any]) -> str:
        return self.file("a.jsonl", "".join(json.dumps(record) + "\n" for record in records))

    def articles(self) -> list[Article]:
        return [decode(Article, message.value) for message in self.log.read(BACKFILL)]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as it:
        yield it


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(open_log(f"sqlite://{tmp_path}/rasid.db", clock=utc_now), tmp_path)


def given(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "url": f"https://archive.example/{number}", "title": f"خبر {number}",
        "text": f"{PARAGRAPH} {number}", "date": "2026-02-01", **changes,
    }  # fmt: skip


def publish(server: ScriptedServer, *names: str) -> list[str]:
    for name in names:
        server.answers[f"/{name}"] = (200, HTML, page(f"عنوان {name}", f"{PARAGRAPH} {name}"))
    return [f"{server.base}/{name}" for name in names]


def sitemap(*urls: str, kind: str = "urlset") -> tuple[int, dict[str, str], bytes]:
    tag = "url" if kind == "urlset" else "sitemap"
    inner = "".join(f"<{tag}><loc>{url}</loc></{tag}>" for url in urls)
    return (200, {"Content-Type": "text/xml"}, f"<{kind}>{inner}</{kind}>".encode())


def test_json_lines_become_articles_of_who_published_them(bench: Bench) -> None:
    bench.polled = [Source(id="own", name="مكتبنا", country="LY", language="ar")]
    bench.catalogue = [Source(id="arch", name="الأرشيف", homepage="https://archive.example/")]
    path = bench.lines(
        given(1), given(2, source="own"), given(3, source="جريدة", url="https://example.org/3")
    )
    assert bench.run(path) == {"read": 3, "written": 3}
    first, second, third = bench.articles()
    assert (first.source, first.source_name, first.language) == ("arch", "الأرشيف", "ar")
    assert (second.source, second.country) == ("own", "LY")
    assert (third.source, third.source_name) == ("example.org", "جريدة")
    assert (first.title, first.published) == ("خبر 1", datetime(2026, 2, 1, tzinfo=UTC))
    assert (first.revision, first.alerts, first.text_from) == (1, False, "page")


def test_a_second_run_does_nothing_twice_and_the_rest(bench: Bench) -> None:
    assert bench.run(bench.lines(given(1), given(1), given(2))) == {
        "read": 3, "written": 2, "met": 1,
    }  # fmt: skip
    assert bench.run(bench.lines(given(1), given(2), given(3))) == {
        "read": 3, "written": 1, "met": 2,
    }  # fmt: skip
    assert [a.title[-1] for a in bench.articles()] == ["1", "2", "3"]


def test_bad_records_are_told_with_their_line_and_the_rest_is_done(bench: Bench) -> None:
    path = bench.file("a.jsonl", f"{json.dumps(given(1))}\n{{torn\n{json.dumps(given(2))}\n")
    assert bench.run(path) == {"read": 3, "written": 2, "bad": 1}
    assert [line.partition(": no JSON")[0] for line in bench.told] == [f"{path}:2"]


def test_a_sitemap_and_those_an_index_lists_are_fetched_once(
    bench: Bench, server: ScriptedServer
) -> None:
    urls = publish(server, *"abc")
    base = server.base
    server.answers["/index.xml"] = sitemap(
        f"{base}/one.xml", f"{base}/two.xml", f"{base}/index.xml", f"{base}/none.xml",
        kind="sitemapindex",
    )  # fmt: skip
    server.answers["/one.xml"] = sitemap(*urls[:2])
    server.answers["/two.xml"] = sitemap(*urls[1:])
    index = f"{base}/index.xml"
    assert bench.run(index) == {"read": 5, "written": 3, "met": 1, "bad": 1}
    assert sorted(a.url for a in bench.articles()) == urls
    assert bench.told == [f"{base}/none.xml: {base}/none.xml answered 404"]
    asked = server.counts()
    assert bench.run(index) == {"read": 5, "met": 4, "bad": 1}
    assert [server.counts()[f"/{name}"] for name in "abc"] == [1, 1, 1]
    assert asked["/index.xml"] == 1


def test_an_index_of_indexes_without_end_is_left(bench: Bench, server: ScriptedServer) -> None:
    base = server.base
    for n in range(9):
        server.answers[f"/{n}.xml"] = sitemap(f"{base}/{n + 1}.xml", kind="sitemapindex")
    assert bench.run(f"{base}/0.xml") == {"read": 1, "bad": 1}
    assert bench.told == [f"{base}/4.xml: an index within 4 others; not followed"]


def test_a_list_is_fetched_and_what_failed_is_tried_again_by_the_next_run(
    bench: Bench, server: ScriptedServer
) -> None:
    a, b, c, d = publish(server, *"abcd")
    good = server.answers["/b"]
    server.answers["/b"] = (404, {}, b"")
    server.answers["/c"] = [(503, {}, b""), server.answers["/c"]]
    server.answers["/d"] = (500, {}, b"")
    path = bench.file("urls.txt", f"{a}\n{b}\n{c}\n{d}\n")
    assert bench.run(path) == {"read": 4, "written": 2, "failed": 2}
    assert sorted(bench.told) == [
        f"{path}:2: {b} answered 404", f"{path}:4: {d} answered 500",
    ]  # fmt: skip
    assert (server.counts()["/b"], server.counts()["/d"]) == (1, 3)
    server.answers["/b"] = good
    assert bench.run(path) == {"read": 4, "written": 1, "met": 2, "failed": 1}
    assert sorted(article.url[-1] for article in bench.articles()) == ["a", "b", "c"]


def test_two_addresses_of_one_page_are_one_article_in_every_run(
    bench: Bench, server: ScriptedServer
) -> None:
    base = server.base
    body = page("عنوان", canonical=f"{base}/news/1")
    server.answers["/amp/1"] = server.answers["/print/1"] = (200, HTML, body)
    path = bench.file("urls.txt", f"{base}/amp/1\n{base}/print/1\n")
    assert bench.run(path) == {"read": 2, "written": 1, "met": 1}
    asked = server.counts()["/amp/1"] + server.counts()["/print/1"]
    bench.run(path)
    assert [article.url for article in bench.articles()] == [f"{base}/news/1"]
    assert server.counts()["/amp/1"] + server.counts()["/print/1"] == asked + 1  # not the known one


def test_a_warc_is_read_without_fetching(bench: Bench, server: ScriptedServer) -> None:
    html = "text/html; charset=utf-8"
    path = bench.file(
        "crawl.warc.gz",
        warc(
            ("https://archive.example/1", "200 OK", html, page("عنوان أول")),
            ("https://archive.example/2", "200 OK", html, b"<html><body>x</body></html>"),
        ),
    )
    assert bench.run(path) == {"read": 2, "written": 1, "failed": 1}
    assert [(a.url, a.title) for a in bench.articles()] == [
        ("https://archive.example/1", "عنوان أول")
    ]
    assert bench.told[0].startswith(f"{path}: record 3: https://archive.example/2")
    assert server.asked == []


def test_what_the_live_lane_has_met_is_left_to_it(bench: Bench, server: ScriptedServer) -> None:
    (url,) = publish(server, "a")
    stage = bench.log.stage("collect")
    assert stage.acquire(1)
    tx = Transaction()
    key = backfill.article_id(backfill.canonical_url(url))
    entry = Entry(
        article_id=key, source="s", feed="f", site="x", url=url, seen=SINCE, updated=SINCE
    )
    tx.put(ENTRIES, f"x/{key}", encode(entry))
    stage.commit(tx)
    stage.close()
    assert bench.run(bench.file("urls.txt", url)) == {"read": 1, "met": 1}
    assert server.asked == []


def test_what_is_older_than_asked_for_is_left_out(bench: Bench) -> None:
    path = bench.lines(given(1, date="2025-12-31"), given(2), given(3, date=None))
    assert bench.run(path, since=SINCE) == {"read": 3, "written": 2, "older": 1}


def test_alerts_are_asked_for_in_the_article(bench: Bench) -> None:
    bench.run(bench.lines(given(1)), alerts=True)
    assert [article.alerts for article in bench.articles()] == [True]


def test_robots_txt_and_the_guard_are_obeyed(bench: Bench, server: ScriptedServer) -> None:
    a, b = publish(server, "a", "b")
    server.answers["/robots.txt"] = (200, {}, b"User-agent: *\nDisallow: /a")
    path = bench.file("urls.txt", f"{a}\n{b}\nhttp://10.0.0.1/c\n")
    assert bench.run(path) == {"read": 3, "written": 1, "failed": 2}
    assert server.counts()["/a"] == 0


def test_a_site_that_is_polled_too_is_asked_at_half_the_pace(
    bench: Bench, server: ScriptedServer
) -> None:
    bench.options = CollectOptions(site_delay_s=0.1, allow_networks=LOOPBACK, gather_s=0.002)
    bench.polled = [Source(id="own", name="x", feeds=(Feed(server.base + "/feed"),))]
    path = bench.file("urls.txt", "\n".join(publish(server, *"abc")))
    bench.run(path)
    times = [asked.at for asked in server.asked if asked.path != "/robots.txt"]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.19


def test_a_site_that_asked_the_collectors_for_rest_is_left_alone(
    bench: Bench, server: ScriptedServer
) -> None:
    stage = bench.log.stage("collect")
    assert stage.acquire(1)
    tx = Transaction()
    for name, status in (("rests", "rate_limited"), ("well", "ok")):
        state = FeedState(source="s", url=f"https://{name}.org/feed", site=name, last_status=status)
        due = utc_now() + timedelta(hours=1)
        tx.put(FEEDS, f"{name}/{state.url}", encode(state), due=due)
    stage.commit(tx)
    stage.close()
    found = backfill.resting(bench.log, utc_now())
    assert {url: round(wait_s / 60) for url, wait_s in found.items()} == {
        "https://rests.org/feed": 60
    }


def test_no_more_is_handed_on_than_the_stages_can_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "_LOOK_S", 0.0)
    told: list[Lag] = [
        {"alert": {FLAGS: 501}},
        {"process": {ARTICLES: 300, BACKFILL: 201}},
        {"process": {BACKFILL: 500}},
    ]
    lags = iter([*told, *[{}] * 9])
    written: list[int] = []
    waited: list[Tally] = []

    class Behind:
        def __getattr__(self, name: str) -> Any:
            return getattr(bench.log, name)

        def lag(self) -> Lag:
            return next(lags)

    run = Backfill(
        Behind(), bench.options, polled=[], catalogue=[], clock=utc_now,  # type: ignore[arg-type]
        tell=bench.told.append, make_pool=InlinePool,
        show=lambda tally: waited.append(tally) if tally.waits else written.append(tally.read),
    )  # fmt: skip
    run.run([bench.lines(given(1))])
    assert len(waited) == 2
    assert written[0] == 0


def test_one_run_at_a_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "SEAT_S", 0.01)
    stage = bench.log.stage(backfill.STAGE)
    assert stage.acquire(1)
    with pytest.raises(Busy):
        bench.run(bench.lines(given(1)))
    stage.close()
    assert bench.run(bench.lines(given(1))) == {"read": 1, "written": 1}


def test_a_run_killed_in_the_middle_is_taken_up(bench: Bench, server: ScriptedServer) -> None:
    urls = publish(server, *"abcdef")
    path = bench.file("urls.txt", "\n".join(urls))
    good = server.answers["/e"]
    server.answers["/e"] = server.held
    bench.options = CollectOptions(
        site_delay_s=0.0, allow_networks=LOOPBACK, gather_s=0.002, request_timeout_s=30
    )

    class Killed(BaseException):
        pass

    def show(tally: Tally) -> None:
        if tally.written == 5:
            raise Killed

    with pytest.raises(Killed):
        bench.make(show=show).run([path])
    server.answers["/e"] = good
    assert bench.run(path) == {"read": 6, "written": 1, "met": 5}
    assert sorted(article.url[-1] for article in bench.articles()) == list("abcdef")


def test_on_kafka_too_a_second_run_does_nothing_twice(tmp_path: Path, broker: Brokers) -> None:
    bench = Bench(open_log(f"{broker.url}/backfill?partitions=2", clock=utc_now), tmp_path)
    try:
        assert bench.run(bench.lines(given(1), given(2))) == {"read": 2, "written": 2}
        assert bench.run(bench.lines(given(2), given(3))) == {"read": 2, "written": 1, "met": 1}
        assert sorted(a.title[-1] for a in bench.articles()) == ["1", "2", "3"]
        assert list(bench.log.read(ARTICLES)) == []
    finally:
        bench.log.close()


def test_articles_that_need_no_fetching_wait_for_no_page(
    bench: Bench, server: ScriptedServer
) -> None:
    server.answers["/slow"] = server.held
    path = bench.lines(given(1), {"url": f"{server.base}/slow"})
    under_way = []

    def show(tally: Tally) -> None:
        if tally.written:
            under_way.append(tally.under_way)
            server.release.set()

    bench.make(show=show).run([path])
    assert under_way[0] == 1


def test_a_file_that_is_not_there_is_named_before_anything_is_done(bench: Bench) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        bench.run(bench.lines(given(1)), str(bench.folder / "none.jsonl"))
    assert not (bench.folder / "rasid.db").exists()
