"""The collect stage on a real log, against a real server that misbehaves."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from collectors.catalogue import Feed
from streams.errors import LogUnavailable, NewerSchema, OwnershipLost
from streams.log import Stage, Transaction
from streams.records import FEEDS, encode
from tests.fakes.collecting import HTML, PARAGRAPH, XML, Desk, page, rss
from tests.fakes.scripted_server import ScriptedServer, drip


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as it:
        yield it


@pytest.fixture
def desk(tmp_path: Path, server: ScriptedServer) -> Desk:
    return Desk(tmp_path, [Feed(server.base + "/feed", interval_s=0.05)])


def publish(server: ScriptedServer, *names: str, headers: dict[str, str] | None = None) -> None:
    """A feed that lists pages /NAME, and the pages."""
    items = [(f"{server.base}/{name}", f"عنوان {name}", f"ملخص {name}") for name in names]
    server.answers["/feed"] = (200, XML | (headers or {}), rss(*items))
    for name in names:
        server.answers[f"/{name}"] = (200, HTML, page(f"عنوان {name}", f"{PARAGRAPH} {name}"))


def test_entries_become_articles(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a", "b", "c")
    desk.collect(desk.settled(3))
    articles = {article.url: article for article in desk.articles()}
    assert set(articles) == {f"{server.base}/{name}" for name in "abc"}
    article = articles[f"{server.base}/a"]
    assert (article.revision, article.title, article.text) == (1, "عنوان a", f"{PARAGRAPH} a")
    assert (article.source, article.source_name, article.country) == (
        "desk-test",
        "صفحة التجربة",
        "LY",
    )
    assert (article.language, article.text_from, article.page_error) == ("ar", "page", None)
    assert article.first_poll is True
    assert article.feed == desk.feeds[0].url
    entry = desk.entries()[f"{server.base}/a"]
    assert (entry.status, entry.revision, entry.summary) == ("done", 1, "")
    assert desk.sample("rasid_pages_total", outcome="article") == 3
    assert desk.sample("rasid_records_out_total", stage="collect") == 3
    assert desk.sample("rasid_feeds", state="well") == 1
    assert server.counts()["/robots.txt"] == 1
    assert server.asked[-1].headers["User-Agent"].startswith("Rasid/")


def test_a_page_that_no_log_would_take_leaves_the_feeds_own_words(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "book")
    chapters = (f"{PARAGRAPH} {number} " * 20 for number in range(600))
    server.answers["/book"] = (200, HTML, page("عنوان book", "\n".join(chapters)))
    desk.collect(desk.settled(1))
    (article,) = desk.articles()
    assert (article.text_from, article.page_error) == ("entry", "too_large")
    assert article.text == "ملخص book"


def test_nothing_is_fetched_or_written_again_after_a_restart(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a", "b")
    desk.collect(desk.settled(2))
    publish(server, "new", "a", "b")
    desk.collect(desk.settled(3))
    assert server.counts()["/a"] == server.counts()["/b"] == server.counts()["/new"] == 1
    assert len(desk.articles()) == 3
    assert {a.url[-3:]: a.first_poll for a in desk.articles()}["new"] is False


def test_a_poll_asks_conditionally_and_takes_a_304(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a", headers={"ETag": '"v1"', "Last-Modified": "Sun, 01 Mar 2026 11:00:00 GMT"})
    server.answers["/feed"] = [server.answers["/feed"], (304, {}, b"")]
    desk.collect(desk.polled("not_modified"))
    second = server.requests("/feed")[1].headers
    assert second["If-None-Match"] == '"v1"'
    assert second["If-Modified-Since"] == "Sun, 01 Mar 2026 11:00:00 GMT"
    assert "If-None-Match" not in server.requests("/feed")[0].headers


def test_an_unchanged_body_is_not_parsed(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    desk.collect(desk.polled("unchanged"))
    calls = desk.pools[0].calls
    assert calls.count("parse_feed") == 1


def test_a_304_after_a_failure_does_not_make_a_feed_well(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a", headers={"ETag": '"v1"'})
    whole = server.answers["/feed"]
    server.answers["/feed"] = [whole, (500, {}, b""), (304, {}, b"")]
    desk.collect(desk.polled("bad_status"))
    state = desk.known()
    assert (state.well, state.failures >= 2) == (False, True)
    assert "If-None-Match" not in server.requests("/feed")[2].headers
    server.answers["/feed"] = whole
    desk.clock.advance(hours=1)
    desk.collect(desk.polled("unchanged"))
    state = desk.known()
    assert (state.well, state.failures) == (True, 0)


def test_the_validators_of_a_failed_body_are_not_kept(desk: Desk, server: ScriptedServer) -> None:
    server.answers["/feed"] = (
        200,
        {"ETag": '"bad"'},
        b"<!doctype html><html><body>x</body></html>",
    )
    desk.collect(desk.polled("html_instead"))
    state = desk.known()
    assert (state.etag, state.body_hash, state.well, state.first_polled) == (
        None,
        None,
        False,
        None,
    )
    assert desk.sample("rasid_feeds", state="failing") == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "empty"), (b"   \n", "empty"), (b"just text", "not_a_feed"),
     (b'<!DOCTYPE r [<!ENTITY a "b">]><rss><channel/></rss>', "entity")],
)  # fmt: skip
def test_a_body_that_is_no_feed_is_a_failure_with_its_reason(
    desk: Desk, server: ScriptedServer, body: bytes, reason: str
) -> None:
    server.answers["/feed"] = (200, XML, body)
    desk.collect(desk.polled(reason))
    assert desk.sample("rasid_polls_total", outcome=reason) >= 1


def test_a_torn_feed_gives_its_whole_entries_and_is_asked_for_again_whole(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a", "b")
    body = rss((f"{server.base}/a", "عنوان a", "x"), (f"{server.base}/b", "عنوان b", "y"))
    server.answers["/feed"] = (200, {"ETag": '"torn"'}, body[: body.rindex(b"<title>")])
    desk.collect(desk.settled(1))
    state = desk.known()
    assert (state.etag, state.body_hash) == (None, None)
    server.answers["/feed"] = (200, XML, body)
    desk.collect(desk.settled(2))
    assert sorted(article.url[-1] for article in desk.articles()) == ["a", "b"]


def test_a_redirect_inside_is_refused_and_everything_else_goes_on(
    desk: Desk, server: ScriptedServer
) -> None:
    desk.feeds.append(Feed(server.base + "/evil", interval_s=0.05))
    server.answers["/evil"] = (302, {"Location": "http://169.254.169.254/latest/"}, b"")
    publish(server, "a")
    desk.collect(lambda: desk.settled(1)() and desk.state(desk.feeds[1].url) is not None)
    state = desk.known(desk.feeds[1].url)
    assert state.last_status == "address"
    assert "169.254.169.254" in (state.last_error or "")


def test_one_address_in_two_feeds_is_one_article(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    other = rss((f"{server.base}/a?utm_source=section#top", "عنوان a", "بعبارة أخرى"))
    server.answers["/section"] = (200, XML, other)
    desk.feeds.append(Feed(server.base + "/section", interval_s=0.05))
    desk.collect(
        lambda: (
            all(
                (state := desk.state(feed.url)) is not None and state.last_status == "unchanged"
                for feed in desk.feeds
            )
            and desk.settled(1)()
        )
    )
    assert [article.revision for article in desk.articles()] == [1]
    assert len(desk.entries()) == 1


def test_two_links_to_one_canonical_page_are_one_article(
    desk: Desk, server: ScriptedServer
) -> None:
    base = server.base
    server.answers["/feed"] = (
        200, XML, rss((f"{base}/amp/1", "عنوان", "x"), (f"{base}/news/1", "عنوان", "x")),
    )  # fmt: skip
    body = page("عنوان", canonical=f"{base}/news/1")
    server.answers["/amp/1"] = server.answers["/news/1"] = (200, HTML, body)
    desk.collect(desk.settled(2))
    assert [(a.url, a.revision) for a in desk.articles()] == [(f"{base}/news/1", 1)]
    assert {e.article_id for e in desk.entries().values()} == {desk.articles()[0].id}


def test_a_changed_entry_is_looked_at_again_and_makes_a_revision_if_the_page_changed(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a", "b")
    desk.collect(desk.settled(2))
    server.answers["/feed"] = (
        200,
        XML,
        rss(
            (f"{server.base}/a", "عنوان a", "ملخص آخر"),
            (f"{server.base}/b", "عنوان b", "ملخص b"),
        ),
    )  # fmt: skip
    desk.collect(lambda: desk.entries()[f"{server.base}/a"].status == "unchanged")
    assert [server.counts()["/a"], server.counts()["/b"]] == [2, 1]
    assert len(desk.articles()) == 2
    server.answers["/a"] = (200, HTML, page("عنوان a", PARAGRAPH + " تصحيح: لم يتفق الطرفان."))
    server.answers["/feed"] = (200, XML, rss((f"{server.base}/a", "عنوان a", "ملخص ثالث")))
    desk.collect(lambda: len(desk.articles()) == 3)
    first, last = desk.articles()[0], desk.articles()[-1]
    assert (last.revision, last.id in {a.id for a in desk.articles()[:2]}) == (2, True)
    assert "تصحيح" in last.text
    assert last.seen <= last.fetched
    assert first.revision == 1


def test_a_page_that_fails_for_good_leaves_the_entrys_own_text_marked(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a")
    server.answers["/a"] = (404, {}, b"")
    desk.collect(desk.settled(1))
    (article,) = desk.articles()
    assert (article.text_from, article.page_error, article.text) == ("entry", "not_found", "ملخص a")
    assert server.counts()["/a"] == 1
    assert desk.entries()[f"{server.base}/a"].reason == "not_found"


def test_a_page_that_may_come_is_tried_three_times_and_no_longer_waited_for(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a")
    server.answers["/a"] = (500, {}, b"")
    desk.collect(desk.settled(1))
    (article,) = desk.articles()
    assert (article.text_from, article.page_error) == ("entry", "server_error")
    assert server.counts()["/a"] == 3
    assert desk.sample("rasid_pages_total", outcome="retry") == 2
    assert desk.sample("rasid_page_failures_total", reason="server_error") == 3


def test_a_page_that_comes_at_the_second_try_is_the_article(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a")
    server.answers["/a"] = [(503, {}, b""), server.answers["/a"]]
    desk.collect(desk.settled(1))
    assert [a.text_from for a in desk.articles()] == ["page"]


def test_a_page_that_drips_is_given_up_at_the_deadline(desk: Desk, server: ScriptedServer) -> None:
    desk.with_options(request_timeout_s=0.3, page_tries=1)
    publish(server, "a", "b")
    server.answers["/a"] = drip
    desk.collect(desk.settled(2))
    assert {a.url[-1]: a.page_error for a in desk.articles()} == {"a": "timeout", "b": None}


def test_a_challenge_page_is_no_article(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    server.answers["/a"] = (
        200,
        HTML,
        b"<html><head><title>Just a moment...</title></head><body></body></html>",
    )
    desk.collect(desk.settled(1))
    assert [(a.text_from, a.page_error) for a in desk.articles()] == [("entry", "challenge")]


def test_the_credentials_of_a_link_are_in_no_record(desk: Desk, server: ScriptedServer) -> None:
    link = f"{server.base}/a".replace("http://", "http://desk:s3cret@")
    server.answers["/feed"] = (200, XML, rss((link, "عنوان a", "x")))
    server.answers["/a"] = (200, HTML, page("عنوان a", canonical=link))
    desk.collect(desk.settled(1))
    (article,) = desk.articles()
    assert (article.url, article.linked_url) == (f"{server.base}/a", f"{server.base}/a")
    assert "s3cret" not in str(article) + str(desk.entries())


def test_an_entry_without_a_link_says_so_in_its_row(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    server.answers["/feed"] = (
        200,
        XML,
        rss(("", "بلا رابط", "x"), (f"{server.base}/a", "عنوان a", "x")),
    )
    desk.collect(desk.settled(2))
    entry = desk.entries()["بلا رابط"]
    assert (entry.status, entry.reason) == ("skipped", "no_link")
    assert desk.sample("rasid_entries_total", kind="skipped") == 1
    assert len(desk.articles()) == 1


def test_headlines_long_and_broken_survive(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    long = "خبر " * 2500
    server.answers["/feed"] = (
        200,
        XML,
        rss((f"{server.base}/a", long + "\x00", "x")).replace(b"\x00", b""),
    )
    desk.collect(desk.settled(1))
    (article,) = desk.articles()
    assert article.title.endswith("…")
    assert 900 < len(article.title) <= 2000


def test_an_entry_without_a_date_takes_its_pages(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    server.answers["/feed"] = (200, XML, rss((f"{server.base}/a", "عنوان a", "x"), dates=False))
    desk.collect(desk.settled(1))
    assert desk.articles()[0].published is None
    assert desk.articles()[0].first_poll is True


def test_a_429_with_retry_after_is_obeyed(desk: Desk, server: ScriptedServer) -> None:
    server.answers["/feed"] = (429, {"Retry-After": "900"}, b"")
    desk.collect(desk.polled("rate_limited"))
    with_due = [row for row in _rows(desk) if row.due is not None]
    wait_s = (with_due[0].due - desk.clock()).total_seconds()
    assert 890 < wait_s <= 900
    assert server.counts()["/feed"] == 1


def test_robots_txt_is_obeyed_for_feeds_and_pages(desk: Desk, server: ScriptedServer) -> None:
    server.answers["/robots.txt"] = (200, {}, b"User-agent: *\nDisallow: /a\nDisallow: /closed")
    desk.feeds.append(Feed(server.base + "/closed", interval_s=0.05))
    publish(server, "a", "b")
    desk.collect(lambda: desk.settled(2)() and desk.state(desk.feeds[1].url) is not None)
    assert {a.url[-1]: a.page_error for a in desk.articles()} == {"a": "robots", "b": None}
    state = desk.known(desk.feeds[1].url)
    assert state.last_status == "robots"
    assert server.counts()["/a"] == server.counts()["/closed"] == 0


def test_requests_to_one_site_keep_the_sites_delay(desk: Desk, server: ScriptedServer) -> None:
    desk.with_options(site_delay_s=0.15)
    publish(server, "a", "b", "c")
    desk.collect(desk.settled(3))
    times = [item.at for item in server.asked if item.path != "/robots.txt"]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= 0.14


def test_requests_under_way_are_given_up_at_a_stop_and_taken_up_again(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a")
    good = server.answers["/a"]
    server.answers["/a"] = server.held
    desk.with_options(stop_s=0.0)
    desk.collect(lambda: server.counts()["/a"] == 1)
    assert desk.articles() == []
    assert desk.entries()[f"{server.base}/a"].status == "waiting"
    server.answers["/a"] = good
    desk.collect(desk.settled(1))
    assert [a.revision for a in desk.articles()] == [1]
    assert server.counts()["/a"] == 2


@dataclass
class Torn:
    """A stage whose commits fail as told: `faults` are raised in turn, None lets one pass."""

    inner: Stage
    faults: list[Exception | None]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def commit(self, tx: Transaction, after: Any = ()) -> None:
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault
        self.inner.commit(tx, after)


def test_what_a_log_that_is_away_did_not_take_is_written_when_it_is_back(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a", "b")
    away: list[Exception | None] = [LogUnavailable("locked", reason="locked")] * 3
    desk.wrap = lambda stage: Torn(stage, away)  # type: ignore[assignment,return-value]
    desk.collect(desk.settled(2))
    assert sorted((a.url[-1], a.revision) for a in desk.articles()) == [("a", 1), ("b", 1)]
    assert server.counts()["/a"] == 1


def test_a_seat_lost_and_won_back_repeats_nothing(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a", "b")
    lost: list[Exception | None] = [None, OwnershipLost("another instance works")]
    desk.wrap = lambda stage: Torn(stage, lost)  # type: ignore[assignment,return-value]
    desk.collect(desk.settled(2))
    assert lost == []
    assert sorted((a.url[-1], a.revision) for a in desk.articles()) == [("a", 1), ("b", 1)]


def test_a_state_of_a_newer_rasid_stops_the_stage(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    desk.collect(desk.settled(1))
    state = desk.known()
    stage = desk.log.stage("collect")
    assert stage.acquire(1.0)
    tx = Transaction()
    tx.put(FEEDS, f"{state.site}/{state.url}", encode(msgspec.structs.replace(state, v=2)))
    stage.commit(tx)
    stage.close()
    with pytest.raises(NewerSchema):
        desk.collect(lambda: False, timeout_s=5)


def test_a_reload_takes_new_feeds_up_and_leaves_old_ones(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a", "b")
    server.answers["/other"] = (200, XML, rss((f"{server.base}/b", "عنوان b", "x")))
    server.answers["/feed"] = (200, XML, rss((f"{server.base}/a", "عنوان a", "x")))
    collector = desk.collector()
    stop = threading.Event()
    thread = threading.Thread(target=collector.run, args=(stop,))
    thread.start()
    try:
        _wait_for(desk.settled(1))
        assert collector.ready
        old = desk.feeds[0].url
        desk.feeds[:] = [Feed(server.base + "/other", interval_s=0.05)]
        collector.reload([desk.source], desk.options)
        _wait_for(lambda: desk.settled(2)())
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
    assert not collector.ready
    assert desk.state(old) is not None
    assert [row.due is None for row in _rows(desk) if row.key.endswith("/feed")] == [True]


def test_entries_of_a_feed_that_has_another_address_now_are_taken_over(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a", "b", "c")
    pages = {path: server.answers[path] for path in ("/b", "/c")}
    server.answers |= dict.fromkeys(pages, server.held)
    desk.with_options(stop_s=0.0)
    desk.collect(lambda: desk.settled(1)() and server.counts()["/b"] + server.counts()["/c"] > 0)
    server.answers |= pages | {"/feed2": server.answers["/feed"]}
    desk.feeds[:] = [Feed(server.base + "/feed2", interval_s=0.05)]
    desk.collect(desk.settled(3))
    assert sorted((a.url[-1], a.revision) for a in desk.articles()) == [(n, 1) for n in "abc"]
    assert server.counts()["/a"] == 1
    assert {entry.feed for entry in desk.entries().values()} == {desk.feeds[0].url}


def test_what_waits_is_taken_over_by_a_feed_that_had_it_all_along(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a", headers={"ETag": '"v1"'})
    good = server.answers["/a"]
    server.answers["/a"] = server.held
    desk.with_options(stop_s=0.0)
    desk.collect(lambda: server.counts()["/a"] == 1)
    desk.feeds.append(Feed(server.base + "/section", interval_s=0.05))

    async def section(request: web.Request) -> web.Response:
        if "If-None-Match" in request.headers:
            return web.Response(status=304)
        body = rss((f"{server.base}/a", "عنوان a", "بعبارة أخرى"))
        return web.Response(body=body, headers={"ETag": '"v1"'})

    server.answers["/section"] = section
    desk.collect(
        lambda: (s := desk.state(desk.feeds[1].url)) is not None and s.last_status == "not_modified"
    )
    del desk.feeds[0]
    server.answers["/a"] = good
    desk.collect(desk.settled(1))
    assert [(a.url[-1], a.feed) for a in desk.articles()] == [("a", desk.feeds[0].url)]


_CHILD = """
import sys
from pathlib import Path
from collectors.catalogue import Feed
from tests.fakes.collecting import Desk
desk = Desk(Path(sys.argv[1]), [Feed(sys.argv[2], interval_s=0.05)])
desk.collect(lambda: False, timeout_s=60)
"""


def test_kill_minus_nine_between_a_poll_and_its_pages_loses_and_repeats_nothing(
    desk: Desk, server: ScriptedServer, tmp_path: Path
) -> None:
    publish(server, *"abcdefgh", headers={"ETag": '"v1"'})
    good = {path: server.answers[path] for path in ("/e", "/f", "/g", "/h")}
    for path in good:
        server.answers[path] = server.held
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path), desk.feeds[0].url],
        cwd=Path(__file__).parents[2], env=os.environ | {"PYTHONPATH": "."},
    )  # fmt: skip
    try:
        _wait_for(lambda: desk.settled(4)() and all(server.counts()[path] for path in good))
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    server.answers |= good
    server.answers["/feed"] = (304, {}, b"")
    desk.collect(desk.settled(8))
    assert sorted((a.url[-1], a.revision) for a in desk.articles()) == [(n, 1) for n in "abcdefgh"]
    assert {server.counts()[f"/{name}"] for name in "abcd"} == {1}


def _wait_for(condition: Any, timeout_s: float = 20.0) -> None:
    """For what another thread or process does: there is no event of it to wait on."""
    pause = threading.Event()
    for _ in range(int(timeout_s / 0.05)):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("not so in time")


def _rows(desk: Desk) -> list[Any]:
    stage = desk.log.stage("collect")
    assert stage.acquire(1.0)
    try:
        return list(stage.scan(FEEDS))
    finally:
        stage.close()
