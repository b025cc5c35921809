"""The collect stage says when it is going blind: once, to the operators, and in its rows."""

from datetime import timedelta

import pytest

from collectors.catalogue import Feed
from collectors.health import ODD
from streams.errors import LogUnavailable
from streams.records import ALERTS, Alert, decode
from tests.fakes.collecting import HTML, XML, Desk, page, publish, rss
from tests.fakes.scripted_server import ScriptedServer


@pytest.fixture(autouse=True)
def _looks_often(desk: Desk) -> None:
    desk.with_options(operators="ops", health_s=0.01)


def notices(desk: Desk) -> list[Alert]:
    try:
        return [decode(Alert, message.value) for message in desk.log.read(ALERTS)]
    except (KeyError, LogUnavailable):  # not made yet
        return []


def test_a_feed_that_turned_html_is_told_once_and_once_when_it_is_well(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a")
    desk.collect(desk.settled(1))
    whole = server.answers["/feed"]
    server.answers["/feed"] = (200, HTML, page("الرئيسية"))
    for _ in range(3):
        desk.clock.advance(hours=8)
        polled = len(server.requests("/feed"))
        desk.collect(lambda n=polled: len(server.requests("/feed")) > n)  # type: ignore[misc]
        desk.collect(desk.polled("html_instead"))
    desk.clock.advance(hours=2)
    desk.collect(lambda: len(notices(desk)) == 1)
    (told,) = notices(desk)
    assert (told.receiver, told.kind, told.title.partition(";")[0]) == (
        "ops", "operator", "1 feed unwell",
    )  # fmt: skip
    (line,) = told.lines
    assert (line.url, line.source_name) == (desk.feeds[0].url, "صفحة التجربة")
    assert line.title.startswith("a web page comes in its place for")
    assert desk.known().unwell == ("html",)
    desk.clock.advance(hours=8)
    polls = len(server.requests("/feed"))
    desk.collect(lambda: len(server.requests("/feed")) >= polls + 1)
    assert len(notices(desk)) == 1
    server.answers["/feed"] = whole
    desk.clock.advance(hours=30)
    desk.collect(lambda: len(notices(desk)) == 2)
    assert notices(desk)[1].title.startswith("1 feed well again")
    assert desk.known().unwell == ()


def test_pages_that_give_no_article_are_counted_over_restarts_and_told(
    desk: Desk, server: ScriptedServer
) -> None:
    names = [f"n{n}" for n in range(ODD)]
    publish(server, *names[:3])
    for name in names[:3]:
        server.answers[f"/{name}"] = (403, {}, b"")
    desk.collect(lambda: desk.settled(3)() and desk.known().lost_pages == 3)
    publish(server, *names)
    for name in names:
        server.answers[f"/{name}"] = (403, {}, b"")
    desk.collect(lambda: len(notices(desk)) == 1)
    (line,) = notices(desk)[0].lines
    assert line.title.startswith("its pages give no article (the last: forbidden)")
    assert "ask its webmaster" in line.title


def test_a_page_that_came_at_its_second_try_counts_as_none_lost(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "bad", "late")
    server.answers["/bad"] = (500, {}, b"")
    server.answers["/late"] = [(503, {}, b""), server.answers["/late"]]
    desk.collect(lambda: desk.settled(2)() and desk.known().page_error == "server_error")
    assert desk.known().lost_pages == 1  # after three tries


def test_what_follows_within_the_hour_is_told_together(desk: Desk, server: ScriptedServer) -> None:
    body = (200, XML, rss((f"{server.base}/a", "عنوان", "x")))
    moved = (301, {"Location": f"{server.base}/new"}, b"")
    server.answers |= {"/feed": moved, "/two": body, "/three": body, "/new": body}
    desk.feeds += [Feed(f"{server.base}/{name}", interval_s=0.02) for name in ("two", "three")]
    steps = iter(("two", "three"))
    polls = 0

    def see() -> bool:
        """Lets one feed move after the other, with polls between, all in one run; then an hour
        goes by."""
        nonlocal polls
        told = len(notices(desk))
        if told == 1 and len(server.requests("/feed")) >= polls + 5:
            if name := next(steps, None):
                server.answers[f"/{name}"] = moved
            else:
                assert all(desk.known(feed.url).moved_to for feed in desk.feeds)
                desk.clock.advance(minutes=61)
            polls = len(server.requests("/feed"))
        return told == 2

    desk.collect(see)
    assert [len(notice.lines) for notice in notices(desk)] == [1, 2]
    assert {state.unwell for f in desk.feeds if (state := desk.state(f.url))} == {("moved",)}


def test_without_a_receiver_it_is_remembered_and_nobody_told(
    desk: Desk, server: ScriptedServer
) -> None:
    desk.with_options(operators="")
    desk.feeds[:] = [Feed(server.base + "/feed", interval_s=3600)]
    server.answers["/feed"] = (301, {"Location": f"{server.base}/new"}, b"")
    server.answers["/new"] = (200, XML, rss((f"{server.base}/a", "عنوان", "x")))
    desk.collect(lambda: (s := desk.state()) is not None and s.unwell == ("moved",))
    assert notices(desk) == []
    assert desk.known().unwell_since is not None
    (row,) = desk.rows()
    assert row.due is not None  # the next poll, as it was
    assert row.due - desk.clock() > timedelta(minutes=59)
