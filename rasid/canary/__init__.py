"""The canary: an article of Rasid's own that goes the whole road every few minutes.

    /canary/feed ─ polled ─▶ /canary/N ─ page, extraction, rule, story, delivery ─▶ /canary/arrived

The only proof that all of it works. Feed, page and receiver are on Rasid's own endpoint, so it
needs nobody. An article is a function of its number, the number one of the time: nothing is
kept, and of several machines each can serve what another lists. It comes from a source of its own
(`streams.records.CANARY`), is flagged by a rule of its own, shares no story with anything, and
goes to a receiver of its own and to no other.
"""

import hmac
import random
import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from alerts.receivers import Receiver, WebhookOptions
from alerts.webhook import signature
from collectors.catalogue import Feed, Source
from streams.log import Clock
from streams.records import CANARY

RULES: Final = Path(__file__).parent / "rules"
GRACE: Final = timedelta(minutes=1)
LOST: Final = (
    "The canary is lost: no article of Rasid's own comes through from feed to receiver. Something"
    " on the road stands still: rasid doctor, docs/runbooks/canary-lost.md"
)
BACK: Final = "The canary is back: articles come through from feed to receiver again."
_POLL_S: Final = 20.0
_TREES: Final = (
    "نخل", "تين", "زيتون", "رمان", "لوز", "جوز", "مشمش", "خوخ", "تفاح", "كمثرى", "برتقال", "ليمون",
    "سدر", "أرز", "سرو", "صنوبر", "بلوط", "توت", "عنب", "موز", "جميز", "خروب", "فستق", "بندق",
)  # fmt: skip

log = structlog.get_logger(__name__)


class Canary:
    """`address` is where the endpoint answers; `tell` takes what the operators must hear,
    since when, and whether it is over; it answers whether it could be told."""

    def __init__(
        self,
        address: str,
        every_s: float,
        *,
        clock: Clock,
        metrics: "CanaryMetrics",
        tell: Callable[[str, datetime, bool], bool],
    ) -> None:
        host, _, port = address.rpartition(":")
        self.host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104
        self.port = int(port)
        self._base = f"http://{self.host}:{port}/canary"
        self._every_s = every_s
        self._clock = clock
        self._tell = tell
        self._secret = secrets.token_hex(16)
        self._begun = clock()
        self._watched: datetime | None = None  # since when messages are ours to send
        self._arrived: datetime | None = None
        self._lost: datetime | None = None  # since when
        self._told = False
        self._metrics = metrics

    @property
    def source(self) -> Source:
        feed = Feed(f"{self._base}/feed", interval_s=min(_POLL_S, self._every_s / 4))
        return Source(CANARY, "كناري راصد", "Rasid's canary", feeds=(feed,))

    @property
    def receiver(self) -> Receiver:
        return Receiver(CANARY, WebhookOptions(f"{self._base}/arrived", self._secret))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/canary/feed", self._feed),
            web.get(r"/canary/{number:\d{1,12}}", self._page),
            web.post("/canary/arrived", self._take),
        ]

    async def _feed(self, request: web.Request) -> web.Response:
        newest = number_at(self._clock(), self._every_s)
        # What began before us was told of before, or its time would be that of our start.
        listed = [n for n in (newest, newest - 1) if time_of(n, self._every_s) >= self._begun]
        text = feed(self._base, listed, self._every_s)
        return web.Response(text=text, content_type="application/rss+xml", charset="utf-8")

    async def _page(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        text = page(number, self._every_s)
        return web.Response(text=text, content_type="text/html", charset="utf-8")

    async def _take(self, request: web.Request) -> web.Response:
        data = await request.read()
        stamp = request.headers.get("X-Rasid-Timestamp", "")
        given = request.headers.get("X-Rasid-Signature", "")
        if not hmac.compare_digest(given, signature(self._secret, stamp, data)):
            raise web.HTTPForbidden
        number = arrived(data)
        if number is not None:
            now = self._clock()
            self._arrived = now
            road = now - time_of(number, self._every_s)
            self._metrics.arrive(now, road)
            log.debug("canary_arrived", number=number, seconds=road.total_seconds())
        return web.Response(text="taken\n")

    def watch(self) -> None:
        """Look whether it is lost; call now and then while messages are ours to send."""
        now = self._clock()
        if self._watched is None:
            self._watched = now
            self._metrics.begin(now)
        since = max(self._arrived or self._watched, self._watched)
        lost = is_lost(now, since, self._every_s)
        if lost and self._lost is None:
            self._lost, self._told = since, False
            self._metrics.lost.inc()
            log.error("canary_lost", since=since.isoformat(), address=self._base)
        elif self._lost and not lost:
            log.info("canary_back")
            # What was never told as lost need not be told as back.
            if not self._told or self._tell(BACK, self._lost, True):
                self._lost = None
        if self._lost and not self._told:
            self._told = self._tell(LOST, self._lost, False)


# --- what it says: functions of the number --------------------------------------------------


def number_at(now: datetime, every_s: float) -> int:
    """Of the article that is the newest at `now`."""
    return int(now.timestamp() // every_s)


def time_of(number: int, every_s: float) -> datetime:
    """When it is published."""
    return datetime.fromtimestamp(number * every_s, UTC)


def title(number: int) -> str:
    return f"يغرد كناري راصد للمرة {number}"


def paragraphs(number: int) -> Iterator[str]:
    """Some four hundred letters, of words that no rule waits for, in an order that is this
    article's own: two that were alike would be one story, told once."""
    order = random.Random(number)  # noqa: S311 — an order, no secret
    yield f"{title(number)}، وهذا خبر يكتبه راصد لنفسه ليعرف أن الطريق سالك."
    for _ in range(4):
        words = order.sample(_TREES, 12)
        yield "رأى في بستانه " + " ثم ".join(words) + "."


def page(number: int, every_s: float) -> str:
    body = "".join(f"<p>{text}</p>" for text in paragraphs(number))
    return (
        f'<!doctype html><html lang="ar" dir="rtl"><head><title>{title(number)}</title>'
        f'<meta property="article:published_time" content="{time_of(number, every_s).isoformat()}">'
        f"</head><body><article><h1>{title(number)}</h1>{body}</article></body></html>"
    )


def feed(base: str, numbers: list[int], every_s: float) -> str:
    items = "".join(
        f"<item><title>{title(n)}</title><link>{base}/{n}</link><guid>{base}/{n}</guid>"
        f"<pubDate>{format_datetime(time_of(n, every_s))}</pubDate></item>"
        for n in numbers
    )
    return f'<rss version="2.0"><channel><title>كناري راصد</title>{items}</channel></rss>'


class _Article(msgspec.Struct):
    url: str | None = None


class _Body(msgspec.Struct):
    article: _Article | None = None


def arrived(data: bytes) -> int | None:
    """The number of the article that a message brings; None where it brings another thing."""
    try:
        body = msgspec.json.decode(data, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    match = re.search(r"/canary/(\d{1,12})$", (body.article and body.article.url) or "")
    return int(match[1]) if match else None


def is_lost(now: datetime, since: datetime, every_s: float) -> bool:
    """Whether two in a row have not come: one may be late, by a restart or a slow minute."""
    return now - since > timedelta(seconds=2 * every_s) + GRACE


# --- what it tells Prometheus -----------------------------------------------------------------


class CanaryMetrics(Collector):
    """There are no values where it is not switched on, or other instances send the messages."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._last: datetime | None = None
        self.lost = Counter(
            "rasid_canary_lost", "Times that two canaries in a row did not come.", registry=registry
        )
        self._road = Gauge(
            "rasid_canary_road_seconds",
            "From the canary's publication to its message taken, of the last that came; the time"
            " until its feed is polled is part of it.",
            ["receiver"],
            registry=registry,
        )
        registry.register(self)

    def begin(self, now: datetime) -> None:
        self._last = self._last or now

    def arrive(self, now: datetime, road: timedelta) -> None:
        self._last = now
        self._road.labels(CANARY).set(road.total_seconds())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "rasid_canary_last_arrived_timestamp_seconds",
            "When the last canary came through; the start, until the first has.",
        )
        if self._last is not None:
            family.add_metric([], self._last.timestamp())
        yield family
