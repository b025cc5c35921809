"""What the collect stage asks of sites, and how often."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from collectors.catalogue import Feed
from collectors.urls import site_of
from streams.log import Stage
from tests.fakes.collecting import HTML, PARAGRAPH, XML, Desk, page, publish, rss
from tests.fakes.scripted_server import ScriptedServer


def test_a_429_with_retry_after_is_obeyed(desk: Desk, server: ScriptedServer) -> None:
    server.answers["/feed"] = (429, {"Retry-After": "900"}, b"")
    desk.collect(desk.polled("rate_limited"))
    with_due = [row for row in desk.rows() if row.due is not None]
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


@pytest.fixture
def other(desk: Desk) -> Iterator[ScriptedServer]:
    """A second site, whose feed is polled too: by its polls time is told."""
    with ScriptedServer() as it:
        it.answers["/feed"] = (200, XML, rss())
        desk.feeds.append(Feed(it.base + "/feed", interval_s=0.03))
        yield it


def test_a_restart_does_not_ask_a_site_that_wants_rest_for_pages(
    desk: Desk, server: ScriptedServer, other: ScriptedServer
) -> None:
    publish(server, "a", "b")
    server.answers["/a"] = server.answers["/b"] = server.held
    desk.with_options(stop_s=0.0)
    desk.collect(lambda: server.counts()["/a"] == server.counts()["/b"] == 1)
    server.answers["/feed"] = (429, {"Retry-After": "3600"}, b"")
    desk.collect(desk.polled("rate_limited"))
    publish(server, "a", "b")
    asked = len(server.asked)
    polls = other.counts()["/feed"]
    desk.collect(lambda: other.counts()["/feed"] >= polls + 4)
    assert len(server.asked) == asked
    assert [entry.status for entry in desk.entries().values()] == ["waiting"] * 2


def test_a_restart_leaves_alone_a_site_whose_page_was_answered_429(
    desk: Desk, server: ScriptedServer, other: ScriptedServer
) -> None:
    desk.with_options(site_delay_s=0.01)  # one thing at a time
    publish(server, "a", "b")
    server.answers["/a"] = server.answers["/b"] = (429, {"Retry-After": "3600"}, b"")
    desk.collect(lambda: any(e.reason == "rate_limited" for e in desk.entries().values()))
    asked = len(server.asked)
    publish(server, "a", "b")
    polls = other.counts()["/feed"]
    desk.collect(lambda: other.counts()["/feed"] >= polls + 4)
    assert len(server.asked) == asked
    assert server.counts()["/a"] + server.counts()["/b"] == 1


@dataclass
class Shared:
    """The seat of one of several instances: `others` are sites that are not its own."""

    inner: Stage
    others: set[str]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def owns(self, partition_key: str) -> bool:
        return partition_key not in self.others


def test_a_page_on_another_instances_site_is_visited_more_slowly(
    desk: Desk, server: ScriptedServer, other: ScriptedServer
) -> None:
    pages = [f"{other.base}/{name}" for name in "abc"]
    other.answers |= {f"/{n}": (200, HTML, page(f"عنوان {n}", f"{PARAGRAPH} {n}")) for n in "abc"}
    server.answers["/feed"] = (200, XML, rss(*((url, f"عنوان {url[-1]}", "x") for url in pages)))
    desk.wrap = lambda stage: Shared(stage, {site_of(other.base)})  # type: ignore[assignment,return-value]
    desk.with_options(site_delay_s=0.1)
    desk.collect(desk.settled(3))
    times = [asked.at for asked in other.asked if asked.path in ("/a", "/b", "/c")]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.19
    assert other.counts()["/feed"] == 0


def test_a_page_on_another_site_of_ones_own_keeps_that_sites_pace(
    desk: Desk, server: ScriptedServer, other: ScriptedServer
) -> None:
    """Its feed and the pages that another site's feed lists go by one clock."""
    other.answers["/a"] = (200, HTML, page("عنوان"))
    server.answers["/feed"] = (200, XML, rss((f"{other.base}/a", "عنوان", "x")))
    desk.with_options(site_delay_s=0.1)
    desk.collect(lambda: desk.settled(1)() and other.counts()["/feed"] >= 2)
    times = [asked.at for asked in other.asked if asked.path != "/robots.txt"]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= 0.09
