"""The collect stage against feeds and pages that fail."""

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from collectors.agenda import Agenda
from collectors.articles import Settlement, settle
from collectors.catalogue import Feed
from tests.fakes.collecting import HTML, PARAGRAPH, XML, Desk, page, publish, rss
from tests.fakes.scripted_server import ScriptedServer, drip


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


def test_a_page_that_fails_while_the_clock_is_set_back_is_not_left_alone_for_the_hour(
    desk: Desk, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, "a")
    server.answers["/a"] = [(503, {}, b""), server.answers["/a"]]

    looked = threading.Semaphore(0)
    take = Agenda.take

    def settled_then_set_back(*arguments: Any, **more: Any) -> Settlement:
        settled = settle(*arguments, **more)
        if settled.outcome == "retry":
            desk.clock.advance(hours=-1)
            for _ in range(4):  # both agendas have been looked at since, before it is on one
                assert looked.acquire(timeout=10)
        return settled

    def looked_at(self: Agenda, now: datetime) -> Iterator[str]:
        yield from take(self, now)
        if desk.clock.ahead:
            looked.release()

    monkeypatch.setattr("collectors.pager.settle", settled_then_set_back)
    monkeypatch.setattr(Agenda, "take", looked_at)
    desk.collect(desk.settled(1))
    assert [a.text_from for a in desk.articles()] == ["page"]
    assert server.counts()["/a"] == 2


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
