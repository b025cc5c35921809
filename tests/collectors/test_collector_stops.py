"""The collect stage stopped, killed, reloaded, and its log away: nothing lost, nothing twice."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from collectors.catalogue import Feed
from streams.errors import LogUnavailable, NewerSchema, OwnershipLost
from streams.log import Stage, Transaction
from streams.records import FEEDS, encode
from tests.fakes.collecting import XML, Desk, publish, rss
from tests.fakes.scripted_server import ScriptedServer


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


_CHILD = """
import sys
from pathlib import Path
from collectors.catalogue import Feed
from tests.fakes.collecting import Desk
desk = Desk(Path(sys.argv[1]), [Feed(sys.argv[2], interval_s=0.05)])
desk.collect(lambda: False, timeout_s=60)
"""


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
    assert [row.due is None for row in desk.rows() if row.key.endswith("/feed")] == [True]


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
