"""What the drills break: sites that publish numbered articles, and what must have become of them.

sites ─▶ Rasid's processes ─▶ receivers that count
                │
               log ◀── a watcher: how far is it, did a position go back, is all of it there
"""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from streams import records
from streams.errors import LogError
from streams.log import Log
from streams.records import Article, Delivery, decode
from tests.fakes.newssite import Item, NewsSite

STAGES = ("collect", "process", "alert")
TOWNS = ("سرت", "الجفرة", "مأرب", "تعز", "إدلب", "حلب", "مصراتة", "عدن", "الحديدة", "درعا")
# How a truce goes in a town, and again: each of these is a message on its story, or a new story.
TURNS = (
    (
        "المبعوث الأممي يدعو إلى هدنة إنسانية في {town}",
        "دعا المبعوث الأممي طرفي القتال في {town} إلى هدنة إنسانية فورية.",
    ),
    (
        "طرفا القتال في {town} يتفقان على وقف لإطلاق النار",
        "اتفق طرفا القتال في {town} على وقف لإطلاق النار يسري منتصف الليل.",
    ),
    (
        "خرق وقف إطلاق النار في {town}",
        "خرقت قوات مسلحة وقف إطلاق النار في {town} صباح اليوم.",
    ),
    (
        "انهيار وقف إطلاق النار في {town}",
        "انهار وقف إطلاق النار في {town} بعد ساعات من إعلانه.",
    ),
)
SINKS = Mapping[str, str]  # receiver → its part of the configuration


def item(number: int, published: datetime) -> Item:
    town = TOWNS[number % len(TOWNS)]
    title, lead = TURNS[number // len(TOWNS) % len(TURNS)]
    rest = " ".join(
        f"وقال المصدر رقم {number * 31 + k} إن الوضع في {town} مستقر." for k in range(9)
    )
    text = f"{lead.format(town=town)}\n{rest}"
    return Item(str(number), f"{title.format(town=town)} ({number})", text, published)


class Publisher:
    """Numbered articles, each on a site of chance."""

    def __init__(self, sites: Sequence[NewsSite], chance: random.Random) -> None:
        self.published = 0
        self._sites = sites
        self._chance = chance

    def publish(self, count: int, at: datetime) -> None:
        for _ in range(count):
            self._chance.choice(self._sites).items.append(item(self.published, at))
            self.published += 1

    def addresses(self) -> set[str]:
        return {f"{site.base}/articles/{each.slug}" for site in self._sites for each in site.items}


def configuration(log_url: str, sites: Sequence[NewsSite], receivers: SINKS, more: str = "") -> str:
    """Every receiver gets every message."""
    sources = "".join(
        f"  - {{id: site-{k}, feeds: [{{url: '{s.base}/feed.xml', interval: 1s}}]}}\n"
        for k, s in enumerate(sites)
    )
    sinks = "".join(f"  - {{name: {name}, {sink}}}\n" for name, sink in receivers.items())
    routes = ", ".join(f"{{receiver: {name}, continue: true}}" for name in receivers)
    return (
        f"log: {log_url}\ninstance: drilled\n"
        "collect: {site_delay: 0s, allow_networks: [127.0.0.0/8], processes: 1}\n"
        f"sources:\n{sources}receivers:\n{sinks}"
        f"route: {{receiver: {next(iter(receivers))}, routes: [{routes}]}}\n"
        f"serve: none\n{more}"
    )


class Processes:
    """Rasid's, by name; what they say goes to NAME.log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *command], stdout=subprocess.DEVNULL, stderr=log
            )

    def kill(self, name: str) -> None:
        self._running[name].kill()
        self._running[name].wait()

    def end(self) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()

    def check(self) -> None:
        for name, process in self._running.items():
            if process.poll() is not None:
                tail = (self._folder / f"{name}.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{name} ended by itself:\n{tail}")


def wait(
    holds: Callable[[], bool],
    what: str,
    processes: Processes,
    limit_s: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """`meanwhile` is called now and then, that there is something to do."""
    end = time.monotonic() + limit_s
    asked = time.monotonic()
    while not holds():
        processes.check()
        if time.monotonic() > end:
            raise RuntimeError(f"waited {limit_s:.0f} s for {what}")
        if time.monotonic() - asked > 5.0:
            asked = time.monotonic()
            meanwhile()
        time.sleep(0.05)


def progress(log: Log) -> Mapping[str, int]:
    """A number a stage that grows with what it has done."""
    try:
        positions = log.positions()
        articles = sum(1 for _ in log.read(records.ARTICLES))
    except (LogError, KeyError):
        return dict.fromkeys(STAGES, 0)
    stood = {stage: sum(_offsets(positions.get(stage, {})).values()) for stage in STAGES}
    return {**stood, "collect": articles}


def went_back(log: Log, stood: dict[str, int]) -> int:
    """How many positions are behind where they were."""
    now = {
        f"{stage} {where}": offset
        for stage, positions in log.positions().items()
        for where, offset in _offsets(positions).items()
    }
    back = sum(offset < stood.get(where, 0) for where, offset in now.items())
    stood.update(now)
    return back


def _offsets(positions: Mapping[str, Mapping[int, int]]) -> dict[tuple[str, int], int]:
    return {(topic, p): offset for topic, at in positions.items() for p, offset in at.items()}


def drained(log: Log, published: int) -> bool:
    """Whether all that was published came all the way."""
    try:
        deliveries = [decode(Delivery, row.value) for row in log.rows(records.DELIVERIES)]
        return (
            sum(1 for _ in log.read(records.ARTICLES)) >= published
            and not any(log.lag().values())
            and len(deliveries) == sum(1 for _ in log.read(records.ALERTS))
            and not any(delivery.status == "pending" for delivery in deliveries)
        )
    except (LogError, KeyError):
        return False


def articles_found(log: Log, addresses: set[str]) -> tuple[int, int, int]:
    """How many articles there are, how many of these addresses are lost, how many came twice."""
    articles: list[Article] = [decode(Article, m.value) for m in log.read(records.ARTICLES)]
    once = Counter((a.id, a.revision) for a in articles)
    lost = addresses - {a.linked_url for a in articles}
    return len(articles), len(lost), len(articles) - len(once)


def sound(log_url: str) -> bool:
    """Whether the SQLite file is; the brokers look after their own."""
    if not log_url.startswith("sqlite:"):
        return True
    import sqlite3

    with closing(sqlite3.connect(log_url.removeprefix("sqlite://"))) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
