"""What the collect stage asks of sites, and how often."""

from itertools import pairwise

from collectors.catalogue import Feed
from tests.fakes.collecting import Desk, publish
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
