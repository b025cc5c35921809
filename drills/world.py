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
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import get_args

import yaml

import processors
from alerts.changes import Kind
from streams import records
from streams.errors import LogError
from streams.log import Log
from streams.records import Alert, Article, DeadLetter, Delivery, Report, Story, decode
from tests.fakes.newssite import Item, NewsSite

STAGES = ("collect", "process", "alert")
# How a truce goes in an affair, in this order: the first opens a story, each later one changes it.
TURNS = (
    (
        "{envoy} يدعو إلى هدنة إنسانية في {town}",
        "دعا {envoy} {one} و{other} في {town} إلى هدنة إنسانية فورية.",
    ),
    (
        "{one} و{other} في {town} يتفقان على وقف لإطلاق النار",
        "اتفق {one} و{other} في {town}، بوساطة {envoy}، على وقف لإطلاق النار يسري منتصف الليل.",
    ),
    (
        "خرق وقف إطلاق النار في {town}",
        "خرق {one} وقف إطلاق النار في {town} صباح اليوم، وندد {other} و{envoy} بذلك.",
    ),
    (
        "انهيار وقف إطلاق النار في {town}",
        "انهار وقف إطلاق النار بين {one} و{other} في {town} بعد ساعات من إعلانه، كما قال {envoy}.",
    ),
)
# Who has a hand in an affair; none of them is known to any rule.
NAMED = (("envoy", "الوسيط"), ("one", "فصيل"), ("other", "فصيل"))
AT_A_TIME = 10
TEAMS = ("برشلونة", "مانشستر")  # whose truces are of sport, as the rules have it
LETTERS = "بتجدزسشطعفقكمنحغ"
SCATTER = 650_011  # a prime
SINKS = Mapping[str, str]  # receiver → its part of the configuration


def item(number: int, published: datetime) -> Item:
    """Of `AT_A_TIME` affairs, in as many towns, each article tells one's next turn; then come the
    next, in other towns and with other names, so that the ten thousandth article is as much worth
    a message as the first."""
    lap, within = divmod(number, AT_A_TIME * len(TURNS))
    turn, nth = divmod(within, AT_A_TIME)
    affair = lap * AT_A_TIME + nth
    town = towns()[affair % len(towns())]
    words = {
        role: f"{what} {_name(len(NAMED) * affair + k)}" for k, (role, what) in enumerate(NAMED)
    }
    title, lead = (part.format(town=town, **words) for part in TURNS[turn])
    named = list(words.values())
    mark = 1_000_000 + number  # no year
    rest = " ".join(
        f"وقال المصدر رقم {mark}{k} إن {named[k % len(named)]} لم يعلق على ذلك." for k in range(9)
    )
    return Item(str(number), f"{title} ({mark})", f"{lead}\n{rest}", published)


@cache
def towns() -> Sequence[str]:
    """Of the bundled gazetteers, neighbours in different countries."""
    by_country: dict[str, list[str]] = defaultdict(list)
    for name in ("places-geonames.yaml", "places.yaml"):
        path = Path(processors.__file__).parent / "rules" / "shared" / name
        for code, held in yaml.safe_load(path.read_text(encoding="utf-8"))["entries"].items():
            first = (each.split(" = ")[0] for each in held["towns"])
            by_country[code] += [
                name for name in first if not set(name) & set("!|+") and name not in TEAMS
            ]
    return [town for several in zip_longest(*by_country.values()) for town in several if town]


def _name(number: int) -> str:
    """An invented word, another for each number, and no two in a row alike."""
    number = number * SCATTER % len(LETTERS) ** 5
    letters = ""
    for _ in range(5):
        number, at = divmod(number, len(LETTERS))
        letters += LETTERS[at]
    return f"{letters[:3]}ا{letters[3:]}ر"


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

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """It does nothing meanwhile."""
        self._running[name].send_signal(signal.SIGSTOP)
        yield
        self._running[name].send_signal(signal.SIGCONT)

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


class Watch:
    """How far it all is, by what is read of the log from time to time; what was read is not read
    again."""

    def __init__(self, log: Log, publisher: Publisher, mails: Path) -> None:
        self._log = log
        self._publisher = publisher
        self._mails = mails
        self._counts: Counter[str] = Counter()
        self._next: dict[str, dict[int, int]] = defaultdict(dict)

    def count(self, topic: str) -> int:
        """Records of a topic; none while the log cannot tell."""
        with suppress(LogError, KeyError):
            for message in self._log.read(topic, self._next[topic]):
                self._counts[topic] += 1
                self._next[topic][message.partition] = message.offset + 1
        return self._counts[topic]

    def progress(self, stage: str) -> int:
        """A number that grows with what the stage has done."""
        if stage == "collect":
            return self.count(records.ARTICLES)
        with suppress(LogError, KeyError):
            return sum(_offsets(self._log.positions().get(stage, {})).values())
        return 0

    def waiting(self, stage: str) -> int:
        """What the stage has still to do: articles to fetch, to flag; reports to decide, and
        messages to send."""
        if stage == "collect":
            return self._publisher.published - self.count(records.ARTICLES)
        with suppress(LogError, KeyError):
            lag = sum(self._log.lag().get(stage, {}).values())
            if stage == "process" or lag:
                return lag
            return self.count(records.ALERTS) - sum(1 for _ in self._mails.glob("*.eml"))
        return 0

    def drained(self) -> bool:
        """Whether all that was published came all the way."""
        return self.count(records.ARTICLES) >= self._publisher.published and drained(
            self._log, self._publisher.published
        )


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
            and not any(any(lag.values()) for lag in log.lag().values())
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


@dataclass(frozen=True)
class Ledger:
    """What the log says that receivers are owed. `undecided`: reports with flags in no story.
    `untold`: articles that a story took as worth a message, of which there is none."""

    alerts: Sequence[Alert]
    reports_lost: int
    reports_repeated: int
    letters: int
    undecided: int
    untold: int
    details: Sequence[str]  # of what is lost


def ledger(log: Log) -> Ledger:
    where = {m.key: f"{m.partition}:{m.offset}" for m in log.read(records.ARTICLES)}
    articles = set(where)
    reports = [decode(Report, m.value) for m in log.read(records.FLAGS)]
    alerts = [decode(Alert, m.value) for m in log.read(records.ALERTS)]
    in_stories = [
        article
        for row in log.rows(records.STORIES)
        for article in decode(Story, row.value).articles
    ]
    letters = [decode(DeadLetter, m.value) for m in log.read(records.DEADLETTERS)]
    reported = {report.article_id for report in reports}
    flagged = {report.article_id for report in reports if report.flags}
    worth = {a.article_id for a in in_stories if a.decision in get_args(Kind)}
    return Ledger(
        alerts,
        reports_lost=len(articles - reported),
        reports_repeated=len(reports) - len(reported),
        letters=len(letters),
        undecided=len(flagged - {article.article_id for article in in_stories}),
        untold=len(worth - {alert.article_id for alert in alerts}),
        details=[
            *(f"{each} at {where[each]} has no report" for each in sorted(articles - reported)),
            *(f"dead letter of {letter.key}: {letter.error}" for letter in letters),
        ],
    )


def sound(log_url: str) -> bool:
    """Whether the SQLite file is; the brokers look after their own."""
    if not log_url.startswith("sqlite:"):
        return True
    import sqlite3

    with closing(sqlite3.connect(log_url.removeprefix("sqlite://"))) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
