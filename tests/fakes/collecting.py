"""A collector on a real log, run in the test's own thread until something is so."""

import ipaddress
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from collectors.catalogue import Feed, Source
from collectors.collector import CollectOptions, Collector
from collectors.pool import Pool
from streams.log import Row, Stage
from streams.metrics import StageMetrics
from streams.records import ARTICLES, ENTRIES, FEEDS, Article, Entry, FeedState, decode
from streams.sqlite import SqliteLog
from tests.fakes.scripted_server import ScriptedServer

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PARAGRAPH = (
    "قالت مصادر محلية إن الطرفين اتفقا على وقف إطلاق النار في المدينة بعد أيام من القتال،"
    " على أن تبدأ المفاوضات بين الجانبين خلال الأسبوع المقبل برعاية أممية."
)


def now() -> datetime:
    return datetime.now(UTC)


class InlinePool(Pool):
    """Parses in the event loop: no processes to start, nothing to kill."""

    def __init__(self, processes: int = 1) -> None:
        super().__init__(processes)
        self.calls: list[str] = []

    async def run(self, fn: Callable[..., Any], *args: Any, timeout_s: float, **kwargs: Any) -> Any:
        self.calls.append(fn.__name__)
        return fn(*args, **kwargs)


class Clock:
    """The time, ahead of the real one by what a test says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, **by: float) -> None:
        self.ahead += timedelta(**by)


class Until(threading.Event):
    """A stop event that sets itself once a condition holds, or the test has taken too long."""

    def __init__(self, condition: Callable[[], bool], timeout_s: float) -> None:
        super().__init__()
        self._condition = condition
        self._deadline = time.monotonic() + timeout_s
        self.met = False

    def is_set(self) -> bool:
        if not super().is_set():
            self.met = self._condition()
            if self.met or time.monotonic() > self._deadline:
                self.set()
        return super().is_set()


@dataclass
class Desk:
    """`collect` runs a new collector on the same log, as a restart would."""

    folder: Path
    feeds: list[Feed]
    options: CollectOptions = field(
        default_factory=lambda: CollectOptions(
            site_delay_s=0.0, allow_networks=LOOPBACK, page_retry_s=0.05, gather_s=0.005
        )
    )
    clock: Clock = field(default_factory=Clock)
    wrap: Callable[[Stage], Stage] = lambda stage: stage
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    pools: list[InlinePool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = SqliteLog(self.folder / "rasid.db", clock=self.clock)

    def collector(self) -> Collector:
        self.registry = CollectorRegistry()
        return Collector(
            self.wrap(self.log.stage("collect")), [self.source], self.options, clock=self.clock,
            registry=self.registry, metrics=StageMetrics(self.registry), make_pool=self._pool,
        )  # fmt: skip

    @property
    def source(self) -> Source:
        return Source(id="desk-test", name="صفحة التجربة", country="LY", feeds=tuple(self.feeds))

    def collect(self, until: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
        stop = Until(until, timeout_s)
        self.collector().run(stop)
        assert stop.met, "not so before the test's time was up"

    def with_options(self, **changes: Any) -> None:
        self.options = replace(self.options, **changes)

    def articles(self) -> list[Article]:
        return [decode(Article, value) for value in self._values(ARTICLES)]

    def entries(self) -> dict[str, Entry]:
        """By address, or by title where there is none."""
        entries = [decode(Entry, value) for value in self._values(ENTRIES)]
        return {entry.url or entry.title: entry for entry in entries}

    def state(self, url: str | None = None) -> FeedState | None:
        states = [decode(FeedState, value) for value in self._values(FEEDS)]
        wanted = url or self.feeds[0].url
        return next((state for state in states if state.url == wanted), None)

    def known(self, url: str | None = None) -> FeedState:
        state = self.state(url)
        assert state is not None, "not polled yet"
        return state

    def settled(self, count: int) -> Callable[[], bool]:
        """Whether so many entries have come to an end."""
        return lambda: sum(e.status != "waiting" for e in self.entries().values()) >= count

    def polled(self, status: str) -> Callable[[], bool]:
        """Whether the first feed's latest poll came to this."""
        return lambda: (state := self.state()) is not None and state.last_status == status

    def sample(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    def rows(self) -> list[Row]:
        """Of the feeds, with their due times."""
        stage = self.log.stage("collect")
        assert stage.acquire(1.0)
        try:
            return list(stage.scan(FEEDS))
        finally:
            stage.close()

    def _values(self, name: str) -> list[bytes]:
        try:
            return [message.value for message in self.log.read(name)]
        except Exception:  # not made yet
            return []

    def _pool(self, processes: int) -> InlinePool:
        self.pools.append(InlinePool(processes))
        return self.pools[-1]


def rss(
    *items: tuple[str, str, str], dates: bool = True, clock: Callable[[], datetime] = now
) -> bytes:
    """A feed of (link, title, description), one an hour until the present hour."""
    newest = clock()
    rows = "".join(
        "<item>"
        + (f"<link>{escape(link)}</link>" if link else "")
        + (f"<title>{escape(title)}</title>" if title else "")
        + (f"<description>{escape(text)}</description>" if text else "")
        + (f"<pubDate>{format_datetime(newest - timedelta(hours=n))}</pubDate>" if dates else "")
        + "</item>"
        for n, (link, title, text) in enumerate(items)
    )
    return f'<rss version="2.0"><channel><title>t</title>{rows}</channel></rss>'.encode()


def page(title: str, text: str = PARAGRAPH, *, canonical: str = "") -> bytes:
    link = f'<link rel="canonical" href="{escape(canonical)}">' if canonical else ""
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in text.splitlines())
    return (
        f'<!doctype html><html lang="ar"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"{link}</head><body><article><h1>{escape(title)}</h1>{paragraphs}</article></body></html>"
    ).encode()


HTML = {"Content-Type": "text/html; charset=utf-8"}
XML = {"Content-Type": "application/rss+xml"}


def publish(
    server: ScriptedServer,
    *names: str,
    headers: dict[str, str] | None = None,
    clock: Callable[[], datetime] = now,
) -> None:
    """A feed that lists pages /NAME, and the pages."""
    items = [(f"{server.base}/{name}", f"عنوان {name}", f"ملخص {name}") for name in names]
    server.answers["/feed"] = (200, XML | (headers or {}), rss(*items, clock=clock))
    for name in names:
        server.answers[f"/{name}"] = (200, HTML, page(f"عنوان {name}", f"{PARAGRAPH} {name}"))
