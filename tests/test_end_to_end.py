"""`rasid run` as a process, over real HTTP and SMTP, killed with -9 again and again:
every article once, every alert once (at most one repeat a kill)."""

import email
import email.policy
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from rasid.app import now
from rasid.demo.broker import Brokers
from rasid.demo.sinks import mail_server
from streams import records
from streams.carriers import open_log
from streams.errors import LogError
from streams.log import Log
from streams.records import Alert, Article, DeadLetter, Delivery, Entry, Report, decode
from tests.fakes.newssite import Item, NewsSite

KILLS = 4
ARTICLES = 240
DEADLINE_S = 120.0

# Real articles to run over: beside the clone, or where RASID_CORPUS says.
CORPUS = Path(os.environ.get("RASID_CORPUS", Path(__file__).parents[2] / "shared"))


def real_articles() -> list[tuple[str, str]]:
    """Titles and texts: the seeds and a few hundred of the corpus; written here where it is
    not at hand."""
    found: list[tuple[str, str]] = []
    for path in sorted(CORPUS.glob("seeds/*.txt")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        found.append((max(lines[:3], key=len), "\n".join(lines)))
    corpus = CORPUS / "corpus" / "articles.jsonl.gz"
    if corpus.exists():
        with gzip.open(corpus, "rt", encoding="utf-8") as lines_:
            rows = [json.loads(line) for line in lines_]
        rows = [r for r in rows if len(r["text"]) > 600 and r["title"].strip()]
        rng = random.Random(7)
        near = [r for r in rows if "هدنة" in r["text"] or "قوات" in r["text"]]
        found += [(r["title"], r["text"]) for r in rng.sample(near, ARTICLES // 2)]
        found += [(r["title"], r["text"]) for r in rng.sample(rows, ARTICLES // 2)]
    else:
        found += written_articles()
    return found


def written_articles() -> list[tuple[str, str]]:
    towns = ["سرت", "الجفرة", "مأرب", "تعز", "إدلب", "حلب", "مصراتة", "عدن", "الحديدة", "درعا"]
    days = ["الأحد", "الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة"]
    result = []
    for i in range(ARTICLES):
        town, day = towns[i % len(towns)], days[i % len(days)]
        if i % 3:
            title = f"مجلس بلدي {town} يناقش موازنة العام ({i})"
            text = f"عقد المجلس البلدي في {town} يوم {day} جلسته رقم {i} لمناقشة الموازنة. "
        else:
            title = f"المبعوث الأممي يدعو إلى هدنة إنسانية في {town} ({i})"
            text = f"دعا المبعوث الأممي يوم {day} طرفي القتال في {town} إلى هدنة إنسانية فورية. "
        filler = " ".join(
            f"وقال المصدر رقم {i * 31 + k} إن الوضع في {town} مستقر." for k in range(9)
        )
        result.append((title, f"{text}\n{filler}\nوتابع أن اللقاء رقم {i} سيعقد يوم {day} المقبل."))
    return result


class Daemon:
    """`rasid run`, started, killed, started again."""

    def __init__(self, config: Path, log_file: Path) -> None:
        self._config, self._log_file = config, log_file
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rasid", "run", "--config", str(self._config)],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def end(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def wait_until(what: str, holds: Callable[[], bool], daemon: Daemon) -> None:
    """Look until it holds; fails with what it waited for when time is up or the daemon ended."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        assert daemon.process is not None
        assert daemon.process.poll() is None, f"the daemon ended while waiting for {what}"
        try:
            if holds():
                return
        except (LogError, KeyError):
            pass  # not written yet
        time.sleep(0.05)
    pytest.fail(f"waited {DEADLINE_S:.0f} s for {what}")


def values(log: Log, name: str, kind: Any) -> list[Any]:
    return [decode(kind, m.value) for m in log.read(name)]


def count(log: Log, name: str) -> int:
    return next((info.records for info in log.topics() if info.name == name), 0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[list[NewsSite], Controller]]:
    articles = real_articles()
    published = datetime.now(UTC) - timedelta(hours=1)
    with ExitStack() as stack:
        sites = [
            stack.enter_context(
                NewsSite([Item(f"{i}", t, x, published) for i, (t, x) in enumerate(articles[k::4])])
            )
            for k in range(4)
        ]
        mail = mail_server(tmp_path / "mail")
        stack.callback(mail.stop)
        yield sites, mail


@pytest.fixture(params=["sqlite", "kafka"])
def log_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/rasid.db"
    broker: Brokers = request.getfixturevalue("broker")
    return f"{broker.url}/end-to-end"


def configuration(tmp_path: Path, log_url: str, sites: list[NewsSite], mail_port: int) -> Path:
    config = tmp_path / "rasid.yaml"
    sources = "".join(
        f"  - {{id: site-{k}, feeds: [{{url: '{s.base}/feed.xml', interval: 1s}}]}}\n"
        for k, s in enumerate(sites)
    )
    config.write_text(
        f"log: {log_url}\n"
        "collect: {site_delay: 0s, allow_networks: [127.0.0.0/8]}\n"
        f"sources:\n{sources}"
        "receivers:\n  - name: editors\n    email: {from: rasid@example.org, "
        f"to: [editors@example.org], smtp: 'smtp://127.0.0.1:{mail_port}', tls: none}}\n"
        "serve: 127.0.0.1:0\n"
    )
    return config


def all_read(log: Log) -> bool:
    """Whether each stage has begun to read and nothing lies before any."""
    behind = {
        (info.name, stage): left for info in log.topics() for stage, left in info.positions.items()
    }
    begun = {(records.ARTICLES, "process"), (records.FLAGS, "alert"), (records.ALERTS, "alert")}
    return begun <= behind.keys() and not any(behind.values())


def test_killed_again_and_again_every_article_and_alert_comes_once(
    tmp_path: Path, log_url: str, world: tuple[list[NewsSite], Controller]
) -> None:
    sites, mail = world
    total = sum(len(site.items) for site in sites)
    daemon = Daemon(configuration(tmp_path, log_url, sites, mail.port), tmp_path / "daemon.log")
    log = open_log(log_url, clock=now)
    with closing(log):
        for kill in range(KILLS):
            daemon.start()
            goal = total * (kill + 1) // (KILLS + 2)
            wait_until(
                f"{goal} articles", lambda goal=goal: count(log, records.ARTICLES) >= goal, daemon
            )
            daemon.kill()
        daemon.start()
        wait_until(
            "every page",
            lambda: (
                (entries := values(log, records.ENTRIES, Entry))
                and len(entries) == total
                and not any(e.status == "waiting" for e in entries)
            ),
            daemon,
        )
        wait_until(
            "every record to be read",
            lambda: all_read(log),
            daemon,
        )
        wait_until(
            "every alert to be sent",
            lambda: (
                len(rows := values(log, records.DELIVERIES, Delivery)) == count(log, records.ALERTS)
                and not any(d.status == "pending" for d in rows)
            ),
            daemon,
        )
        assert daemon.end() == 0

        articles: list[Article] = values(log, records.ARTICLES, Article)
        assert Counter((a.id, a.revision) for a in articles).most_common(1)[0][1] == 1
        assert {a.linked_url for a in articles} == {
            f"{site.base}/articles/{item.slug}" for site in sites for item in site.items
        }
        reports: list[Report] = values(log, records.FLAGS, Report)
        assert Counter((r.article_id, r.revision) for r in reports).most_common(1)[0][1] == 1
        alerts: list[Alert] = values(log, records.ALERTS, Alert)
        assert alerts, "none of these articles brought an alert: the test would show nothing"
        assert max(Counter(a.id for a in alerts).values()) == 1
        assert {a.article_id for a in alerts} <= {r.article_id for r in reports if r.flags}
        letters = values(log, records.DEADLETTERS, DeadLetter)
        assert [(d.stage, d.cause, d.error) for d in letters] == []
        deliveries: list[Delivery] = values(log, records.DELIVERIES, Delivery)
        assert {d.status for d in deliveries} == {"sent"}

        arrived = Counter(
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)["Message-ID"]
            for path in (tmp_path / "mail").glob("*.eml")
        )
        assert len(arrived) == len(alerts)
        assert arrived.total() - len(arrived) <= KILLS
