"""Kill -9 of any stage at a random moment, over and over; nothing may be lost.

    uv run python -m drills.kills --log kafka --kills 500 [--seed 1]
    uv run python -m drills.kills --log sqlite --kills 500

A world publishes numbered articles and a mail server counts what comes. `rasid collect`, `process`
and `alert` run as processes of their own. Each round one of them, once it has made progress since
its start, is killed after a moment of chance and started again. Afterwards all is waited for, and
what came is held against what was published. Exit code 1 when a promise is broken.
"""

import argparse
import email
import email.policy
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rasid.app import now
from rasid.demo.broker import Brokers
from rasid.demo.sinks import mail_server
from streams import records
from streams.carriers import open_log
from streams.errors import LogError
from streams.log import Log
from streams.records import Alert, Article, Delivery, decode
from tests.fakes.newssite import Item, NewsSite

STAGES = ("collect", "process", "alert")
PUBLISHED_A_ROUND = 4
PROGRESS_S = 60.0
DRAIN_S = 180.0
TOWNS = ("سرت", "الجفرة", "مأرب", "تعز", "إدلب", "حلب", "مصراتة", "عدن", "الحديدة", "درعا")


@dataclass
class Outcome:
    """What a drill found."""

    kills: Counter[str] = field(default_factory=Counter)
    published: int = 0
    articles: int = 0
    articles_lost: int = 0
    articles_repeated: int = 0
    alerts: int = 0
    alerts_lost: int = 0
    mails_repeated: int = 0
    positions_went_back: int = 0
    sound: bool = True
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return (
            self.articles_lost == self.articles_repeated == self.alerts_lost == 0
            and self.mails_repeated <= self.kills["alert"]
            and self.positions_went_back == 0
            and self.sound
            and self.alerts > 0
        )


class Stages:
    """The three processes."""

    def __init__(self, config: Path, folder: Path) -> None:
        self._config, self._folder = config, folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "rasid", name, "--config", str(self._config)],
                stdout=subprocess.DEVNULL,
                stderr=log,
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


def drill(log_url: str, folder: Path, *, kills: int, seed: int = 1) -> Outcome:
    """Run it; raises RuntimeError where a stage ends by itself or makes no progress."""
    chance = random.Random(seed)  # the moment within the work is the scheduler's choice too
    outcome = Outcome()
    began = time.monotonic()
    with ExitStack() as stack:
        sites = [stack.enter_context(NewsSite([])) for _ in range(3)]
        mail = mail_server(folder / "mail")
        stack.callback(mail.stop)
        config = folder / "rasid.yaml"
        config.write_text(_configuration(log_url, sites, mail.port), encoding="utf-8")
        stages = Stages(config, folder)
        stack.callback(stages.end)
        log = stack.enter_context(closing(open_log(log_url, clock=now, instance="watcher")))

        def publish() -> None:
            for _ in range(PUBLISHED_A_ROUND):
                number = outcome.published
                chance.choice(sites).items.append(_item(number, TOWNS[number % len(TOWNS)]))
                outcome.published += 1

        for name in STAGES:
            stages.start(name)
        stood: dict[str, int] = {}
        since = dict.fromkeys(STAGES, 0)  # progress when the stage was last started
        for _ in range(kills):
            publish()
            name = chance.choice(STAGES)
            _wait(
                _further(log, name, since[name]), f"progress of {name}", stages, PROGRESS_S, publish
            )
            time.sleep(chance.random() * 0.3)
            stages.kill(name)
            outcome.kills[name] += 1
            outcome.positions_went_back += _went_back(log, stood)
            since = {**since, name: _progress(log)[name]}
            stages.start(name)
        _wait(lambda: _drained(log, outcome.published), "all to be done", stages, DRAIN_S)
        stages.end()
        _judge(log, folder, outcome, sites)
        outcome.sound = _sound(log_url)
    outcome.seconds = time.monotonic() - began
    return outcome


def _configuration(log_url: str, sites: list[NewsSite], mail_port: int) -> str:
    sources = "".join(
        f"  - {{id: site-{k}, feeds: [{{url: '{s.base}/feed.xml', interval: 1s}}]}}\n"
        for k, s in enumerate(sites)
    )
    return (
        f"log: {log_url}\ninstance: drilled\n"
        "collect: {site_delay: 0s, allow_networks: [127.0.0.0/8], processes: 1}\n"
        f"sources:\n{sources}"
        "receivers:\n  - name: editors\n    email: {from: rasid@example.org, "
        f"to: [editors@example.org], smtp: 'smtp://127.0.0.1:{mail_port}', tls: none}}\n"
        "serve: none\n"
    )


def _item(number: int, town: str) -> Item:
    title = f"المبعوث الأممي يدعو إلى هدنة إنسانية في {town} ({number})"
    text = f"دعا المبعوث الأممي طرفي القتال في {town} إلى هدنة إنسانية فورية.\n" + " ".join(
        f"وقال المصدر رقم {number * 31 + k} إن الوضع في {town} مستقر." for k in range(9)
    )
    return Item(str(number), title, text, datetime.now(UTC))


def _progress(log: Log) -> Mapping[str, int]:
    """A number a stage that grows with what it has done."""
    try:
        positions = log.positions()
        articles = sum(1 for _ in log.read(records.ARTICLES))
    except (LogError, KeyError):
        return dict.fromkeys(STAGES, 0)
    stood = {stage: sum(_offsets(positions.get(stage, {})).values()) for stage in STAGES}
    return {**stood, "collect": articles}


def _further(log: Log, name: str, since: int) -> Callable[[], bool]:
    return lambda: _progress(log)[name] > since


def _offsets(positions: Mapping[str, Mapping[int, int]]) -> dict[tuple[str, int], int]:
    return {(topic, p): offset for topic, at in positions.items() for p, offset in at.items()}


def _went_back(log: Log, stood: dict[str, int]) -> int:
    """How many positions are behind where they were."""
    now_ = {
        f"{stage} {where}": offset
        for stage, positions in log.positions().items()
        for where, offset in _offsets(positions).items()
    }
    back = sum(offset < stood.get(where, 0) for where, offset in now_.items())
    stood.update(now_)
    return back


def _drained(log: Log, published: int) -> bool:
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


def _wait(
    holds: Callable[[], bool],
    what: str,
    stages: Stages,
    limit_s: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """`meanwhile` is called now and then, that there is something to do."""
    end = time.monotonic() + limit_s
    asked = time.monotonic()
    while not holds():
        stages.check()
        if time.monotonic() > end:
            raise RuntimeError(f"waited {limit_s:.0f} s for {what}")
        if time.monotonic() - asked > 5.0:
            asked = time.monotonic()
            meanwhile()
        time.sleep(0.05)


def _judge(log: Log, folder: Path, outcome: Outcome, sites: list[NewsSite]) -> None:
    articles: list[Article] = [decode(Article, m.value) for m in log.read(records.ARTICLES)]
    published = {f"{site.base}/articles/{item.slug}" for site in sites for item in site.items}
    outcome.articles = len(articles)
    outcome.articles_lost = len(published - {a.linked_url for a in articles})
    outcome.articles_repeated = len(articles) - len({(a.id, a.revision) for a in articles})
    alerts = {decode(Alert, m.value).id for m in log.read(records.ALERTS)}
    outcome.alerts = len(alerts)
    arrived = Counter(
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)["Message-ID"]
        for path in (folder / "mail").glob("*.eml")
    )
    outcome.alerts_lost = max(len(alerts) - len(arrived), 0)
    outcome.mails_repeated = arrived.total() - len(arrived)


def _sound(log_url: str) -> bool:
    if not log_url.startswith("sqlite:"):
        return True
    import sqlite3

    with closing(sqlite3.connect(log_url.removeprefix("sqlite://"))) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--log", choices=("sqlite", "kafka"), default="sqlite")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rasid-drill-") as name, ExitStack() as stack:
        folder = Path(name)
        url = f"sqlite://{folder}/rasid.db"
        if wanted.log == "kafka":
            url = stack.enter_context(Brokers(folder / "kafka")).url
        outcome = drill(url, folder, kills=wanted.kills, seed=wanted.seed)
    print(outcome)
    print("every promise was kept" if outcome.kept else "A PROMISE WAS BROKEN")
    return 0 if outcome.kept else 1


if __name__ == "__main__":
    sys.exit(main())
