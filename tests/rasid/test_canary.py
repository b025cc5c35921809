"""Rasid's own article goes the whole road to its own receiver, to nobody else, and its loss is
told."""

import asyncio
import itertools
import json
import re
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from alerts.webhook import signature
from collectors.errors import FetchError
from collectors.extract import extract_page
from collectors.feeds import parse_feed
from collectors.guard import AddressGuard
from processors.flagger import Document, load_flagger
from processors.sketch import sketch
from rasid.app import App, now
from rasid.canary import (
    RULES,
    Canary,
    CanaryMetrics,
    arrived,
    feed,
    is_lost,
    number_at,
    page,
    time_of,
)
from rasid.config import Config
from rasid.storybook import deliveries, stories
from streams.carriers import open_log
from streams.log import Transaction
from streams.records import (
    ALERTS,
    CANARY,
    DELIVERIES,
    SILENCES,
    Alert,
    Delivery,
    Silence,
    decode,
    encode,
)
from streams.sqlite import SqliteLog
from tests.fakes.clock import FakeClock
from tests.fakes.daemon import Daemon
from tests.fakes.webhook_server import SECRET, WebhookServer

EVERY_S = 300.0
AT = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- what it says -------------------------------------------------------------------------------


def test_the_same_minutes_have_the_same_article() -> None:
    number = number_at(AT, EVERY_S)
    assert time_of(number, EVERY_S) == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert page(number, EVERY_S) == page(number_at(AT + timedelta(minutes=3), EVERY_S), EVERY_S)


def test_feed_and_page_are_read_as_any_other() -> None:
    number = number_at(AT, EVERY_S)
    parsed = parse_feed(
        feed("http://127.0.0.1:1/canary", [number], EVERY_S).encode(),
        url="http://127.0.0.1:1/canary/feed", content_type="application/rss+xml", now=AT,
    )  # fmt: skip
    (entry,) = parsed.entries
    assert entry.url == f"http://127.0.0.1:1/canary/{number}"
    assert entry.published == time_of(number, EVERY_S)
    found = extract_page(
        page(number, EVERY_S).encode(), url=entry.url, content_type="text/html; charset=utf-8",
        now=AT,
    )  # fmt: skip
    assert str(number) in found.text
    assert len(found.text) > 300


def test_each_is_flagged_by_its_own_rule_only_and_is_like_no_other() -> None:
    flagger = load_flagger([RULES], check_examples=False)
    bodies = []
    for number in range(100, 130):
        html = re.sub("<[^>]+>", "\n", page(number, EVERY_S))
        bodies.append(html)
        flags = flagger.flag(Document(title=html.split("\n")[3], text=html, language="ar"))
        assert {(f.theme, f.development, f.countries) for f in flags} == {("canary", "sang", ())}
    for one, other in itertools.pairwise(bodies):
        mine, theirs = set(sketch(one)), set(sketch(other))
        assert len(mine & theirs) < len(mine) / 2


def test_it_is_lost_when_two_have_not_come() -> None:
    for minutes, lost in ((0, False), (10, False), (11, False), (11.1, True)):
        assert is_lost(AT + timedelta(minutes=minutes), AT, EVERY_S) is lost


def test_a_message_about_something_else_is_no_arrival() -> None:
    assert arrived(b'{"article": {"url": "http://127.0.0.1:1/canary/12"}}') == 12
    for other in (b"", b"[]", b'{"article": null}', b'{"article": {"url": "http://a/canary/x"}}'):
        assert arrived(other) is None


# --- what it does -------------------------------------------------------------------------------


class Told(list[str]):
    """What the operators were told; `heard` says whether they could be."""

    heard = True

    def __call__(self, text: str, since: datetime, over: bool) -> bool:
        self.append(text.partition(":")[0])
        assert over is ("back" in text)
        return self.heard


def bird(clock: FakeClock, told: Told) -> tuple[Canary, CollectorRegistry]:
    registry = CollectorRegistry()
    metrics = CanaryMetrics(registry)
    return Canary("127.0.0.1:1", EVERY_S, clock=clock, metrics=metrics, tell=told), registry


def post(canary: Canary, number: int, *, forged: bool = False) -> int:
    """Post a message to it as its receiver's channel would; the answer's status."""
    data = json.dumps({"article": {"url": f"http://127.0.0.1:1/canary/{number}"}}).encode()
    channel: Any = canary.receiver.channel
    headers = {
        "X-Rasid-Timestamp": "1",
        "X-Rasid-Signature": signature("guess" if forged else channel.secret, "1", data),
    }

    async def go() -> int:
        app = web.Application()
        app.add_routes(canary.routes())
        async with TestClient(TestServer(app)) as client:
            answer = await client.post("/canary/arrived", data=data, headers=headers)
            return answer.status

    return asyncio.run(go())


def test_its_loss_is_told_once_and_its_return_once() -> None:
    clock, told = FakeClock(AT), Told()
    canary, registry = bird(clock, told)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"rasid_canary_{name}", labels)

    assert value("last_arrived_timestamp_seconds") is None  # nobody watches yet
    canary.watch()
    assert value("last_arrived_timestamp_seconds") == AT.timestamp()
    clock.advance(60)
    assert post(canary, number_at(clock(), EVERY_S)) == 200
    assert value("road_seconds", receiver=CANARY) == 120.0  # since 12:00
    for _ in range(3):
        clock.advance(600)
        canary.watch()
    assert told == ["The canary is lost"]
    assert value("lost_total") == 1
    assert post(canary, number_at(clock(), EVERY_S), forged=True) == 403
    canary.watch()
    assert told == ["The canary is lost"]
    post(canary, number_at(clock(), EVERY_S))
    canary.watch()
    canary.watch()
    assert told == ["The canary is lost", "The canary is back"]


def test_what_could_not_be_told_is_told_later() -> None:
    clock, told = FakeClock(AT), Told()
    told.heard = False
    canary, registry = bird(clock, told)
    canary.watch()
    clock.advance(3600)
    canary.watch()
    told.heard = True
    canary.watch()
    canary.watch()
    assert told == ["The canary is lost", "The canary is lost"]
    assert registry.get_sample_value("rasid_canary_lost_total") == 1


def test_only_its_own_door_is_open() -> None:
    guard = AddressGuard(doors=[("127.0.0.1", 9464)])
    guard.check_host("http://127.0.0.1:9464/canary/feed")
    kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    guard.socket((*kind, ("127.0.0.1", 9464))).close()
    for other in ("127.0.0.1:9465", "127.0.0.1", "127.0.0.2:9464"):
        with pytest.raises(FetchError):
            guard.check_host(f"http://{other}/")
        host, _, port = other.partition(":")
        with pytest.raises(OSError, match="an address inside"):
            guard.socket((*kind, (host, int(port or 80))))


def test_it_needs_an_address() -> None:
    with pytest.raises(ValueError, match="lives at the address of `serve`"):
        Config.model_validate({"canary": {"every": "5m"}, "serve": "none"})


# --- the whole road -----------------------------------------------------------------------------


@pytest.fixture
def desk() -> Iterator[WebhookServer]:
    with WebhookServer() as server:
        yield server


def test_it_goes_the_whole_road_and_reaches_nobody_else(
    tmp_path: Path, desk: WebhookServer
) -> None:
    """With a route that takes all, and a silence that silences all."""
    address = f"127.0.0.1:{free_port()}"
    path = tmp_path / "rasid.yaml"
    path.write_text(
        f"log: sqlite://{tmp_path}/rasid.db\nserve: {address}\ncatalogue: none\n"
        "collect: {site_delay: 0s}\ncanary: {every: 2s}\n"
        f"receivers: [{{name: desk, webhook: {{url: '{desk.url}', secret: {SECRET}}}}}]\n"
    )
    with closing(SqliteLog(tmp_path / "rasid.db", clock=now)) as log:
        stage = log.stage("alert", reads=(ALERTS,))
        assert stage.acquire(1.0)
        tx = Transaction()
        hush = Silence(
            id="s", author="a", reason="r", created=now(), ends=now() + timedelta(hours=1)
        )
        tx.put(SILENCES, "s", encode(hush))
        stage.commit(tx)
        stage.close()
        with Daemon("--config", str(path), "--log-level", "debug", cwd=tmp_path) as daemon:
            event = daemon.event("canary_arrived")
            assert event["seconds"] < 60
            daemon.event("alert_sent")
            assert daemon.reload()["rules"] == "as before"
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"http://{address}/metrics", timeout=10) as answer:
                metrics = answer.read().decode()
            assert daemon.end() == 0
        sent = [decode(Delivery, m.value) for m in log.read(DELIVERIES)]
        assert {(d.alert.receiver, d.alert.source) for d in sent} == {(CANARY, CANARY)}
        assert len(stories(log, canary=True)) >= 1
        assert (stories(log), deliveries(log)) == ([], [])
    assert desk.bodies == []
    assert f'rasid_canary_road_seconds{{receiver="{CANARY}"}}' in metrics
    assert f'rasid_alerts_total{{outcome="sent",receiver="{CANARY}"}}' in metrics
    for none in (
        'rasid_feeds{state="well"} 0.0',
        'rasid_pages_total{outcome="article"} 0.0',
        'rasid_reports_total{decision="opened"} 0.0',
        'rasid_entries_total{kind="new"} 0.0',
        "rasid_seen_to_sent_seconds_count 0.0",
    ):
        assert none in metrics
    assert 'theme="canary"' not in metrics
    assert f'source="{CANARY}"' not in metrics


@pytest.mark.parametrize("carrier", ["sqlite", "kafka"])
def test_the_operators_are_told_through_the_log(
    carrier: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """While the alert stage works, whose topic it is."""
    url = f"sqlite://{tmp_path}/rasid.db"
    if carrier == "kafka":
        url = f"{request.getfixturevalue('broker').url}/canary?partitions=1"
    config = Config.model_validate(
        {
            "log": url, "serve": "127.0.0.1:0", "catalogue": ["none"], "canary": {},
            "receivers": [{"name": "desk", "terminal": {}}, {"name": "ops", "terminal": {}}],
            "route": {"receiver": "desk"}, "operators": "ops",
        }
    )  # fmt: skip
    rasid = App(config)
    with closing(open_log(url, clock=now)) as log, closing(rasid._log):
        seat = log.stage("alert", reads=(ALERTS,))
        assert seat.acquire(20.0)
        assert rasid._tell_operators("The canary is lost: so it goes.", AT, False)
        (message,) = seat.poll(1, 10.0)
        seat.close()
    alert = decode(Alert, message.value)
    assert (alert.about, alert.kind, alert.created) == ("canary/road", "operator", AT)
    assert alert.title == "The canary is lost: so it goes."
