"""The collect stage says when it is going blind: once, to the operators, and in its rows."""

from collections.abc import Callable
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
    desk.with_options(health_s=0.01)


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
    assert (told.kind, told.about) == ("operator", f"feed/{desk.feeds[0].url}")
    assert told.title.startswith("صفحة التجربة: a web page comes in its place for")
    assert desk.known().unwell == ("html",)
    desk.clock.advance(hours=8)
    polls = len(server.requests("/feed"))
    desk.collect(lambda: len(server.requests("/feed")) >= polls + 1)
    assert len(notices(desk)) == 1
    server.answers["/feed"] = whole
    desk.clock.advance(hours=30)
    desk.collect(lambda: len(notices(desk)) == 2)
    over = notices(desk)[1]
    assert (over.about, over.thread) == (told.about, told.id)
    assert "well again" in over.title
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
    (told,) = notices(desk)
    assert "its pages give no article (the last: forbidden)" in told.title
    assert "ask its webmaster" in told.title


def test_a_page_that_came_at_its_second_try_counts_as_none_lost(
    desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "bad", "late")
    server.answers["/bad"] = (500, {}, b"")
    server.answers["/late"] = [(503, {}, b""), server.answers["/late"]]
    desk.collect(lambda: desk.settled(2)() and desk.known().page_error == "server_error")
    assert desk.known().lost_pages == 1  # after three tries


def test_what_was_told_leaves_the_next_poll_as_it_was(desk: Desk, server: ScriptedServer) -> None:
    desk.feeds[:] = [Feed(server.base + "/feed", interval_s=3600)]
    server.answers["/feed"] = (301, {"Location": f"{server.base}/new"}, b"")
    server.answers["/new"] = (200, XML, rss((f"{server.base}/a", "عنوان", "x")))
    desk.collect(lambda: (s := desk.state()) is not None and s.unwell == ("moved",))
    assert desk.known().unwell_since is not None
    (row,) = desk.rows()
    assert row.due is not None  # the next poll, as it was
    assert row.due - desk.clock() > timedelta(minutes=59)


def undated(server: ScriptedServer, *names: str) -> None:
    publish(server, *names)
    items = [(f"{server.base}/{name}", f"عنوان {name}", "x") for name in names]
    server.answers["/feed"] = (200, XML, rss(*items, dates=False))


def fails(desk: Desk, server: ScriptedServer) -> None:
    server.answers["/feed"] = (500, {}, b"")
    for _ in range(4):
        polled = len(server.requests("/feed"))
        desk.clock.advance(hours=9)
        desk.collect(lambda n=polled: len(server.requests("/feed")) > n)  # type: ignore[misc]
        desk.collect(desk.polled("server_error"))


def falls_silent(desk: Desk, server: ScriptedServer) -> None:
    desk.clock.advance(days=9)


def loses_its_dates(desk: Desk, server: ScriptedServer) -> None:
    undated(server, *(f"u{n}" for n in range(ODD)))


def loses_its_pages(desk: Desk, server: ScriptedServer) -> None:
    names = [f"p{n}" for n in range(ODD)]
    publish(server, *names)
    for name in names:
        server.answers[f"/{name}"] = (403, {}, b"")


def moves(desk: Desk, server: ScriptedServer) -> None:
    server.answers["/new"] = server.answers["/feed"]
    server.answers["/feed"] = (301, {"Location": f"{server.base}/new"}, b"")


@pytest.mark.parametrize(
    ("reason", "befall"),
    [
        ("failing", fails),
        ("quiet", falls_silent),
        ("dates", loses_its_dates),
        ("pages", loses_its_pages),
        ("moved", moves),
    ],
)
def test_each_trouble_is_told_once_and_its_end_once(
    reason: str, befall: Callable[[Desk, ScriptedServer], None], desk: Desk, server: ScriptedServer
) -> None:
    publish(server, "a", "b")
    desk.collect(desk.settled(2))
    befall(desk, server)
    desk.collect(lambda: len(notices(desk)) == 1)
    assert desk.known().unwell == (reason,)
    if reason != "failing":  # which is asked again in hours only
        polls = len(server.requests("/feed"))
        desk.collect(lambda: len(server.requests("/feed")) > polls + 1)
    assert len(notices(desk)) == 1
    desk.clock.advance(days=1)  # a feed that failed is asked again by then
    publish(server, *(f"w{n}" for n in range(ODD)), clock=desk.clock)
    desk.collect(lambda: len(notices(desk)) == 2)
    told, over = notices(desk)
    assert (over.about, over.thread) == (told.about, told.id)
    assert "well again" in over.title


def test_the_hours_at_which_it_publishes_are_learnt(desk: Desk, server: ScriptedServer) -> None:
    publish(server, "a")
    desk.collect(desk.settled(1))
    publish(server, "b", "c", "d", "a")
    desk.collect(desk.settled(4))
    assert sum(desk.known().hours) == 4
