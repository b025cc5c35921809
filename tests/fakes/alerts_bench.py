"""Reports, and a stage at a real log in a thread."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from alerts.index import StoryIndex
from alerts.messages import outgoing
from alerts.receivers import EmailOptions, Receiver, SlackOptions
from alerts.routing import Route
from alerts.stage import AlertStage
from alerts.stories import decide
from streams.log import Log, Transaction
from streams.metrics import StageMetrics
from streams.records import (
    ALERTS,
    DEADLETTERS,
    DELIVERIES,
    FLAGS,
    STORIES,
    Alert,
    DeadLetter,
    Delivery,
    Flag,
    Report,
    Story,
    decode,
    encode,
)
from tests.fakes.slack_server import SlackServer
from tests.fakes.smtp_server import MailServer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def utc_now() -> datetime:
    return datetime.now(UTC)


def make_flag(**changes: Any) -> Flag:
    fields: dict[str, Any] = {
        "theme": "oil_field",
        "development": "attacked",
        "score": 0.9,
        "rule": "oil-attacked",
        "spans": (),
        "quote": "أعلن مصدر عسكري أن مسيّرة قصفت خزانين في حقل الواحة صباح اليوم",
        "countries": ("LY",),
    }
    return Flag(**{**fields, **changes})


def make_report(article_id: str = "a1", **changes: Any) -> Report:
    """Fresh news on an oil field of its own, with a text of its own; it is where its flags are."""
    seed = sum(map(ord, article_id)) * 1_000_003
    seen = changes.get("seen", NOW)
    fields: dict[str, Any] = {
        "article_id": article_id,
        "revision": 1,
        "url": f"https://news.example/{article_id}",
        "title": f"قصف حقل الواحة النفطي {article_id}",
        "source": "desk-test",
        "source_name": "صحيفة التجربة",
        "language": "ar",
        "published": seen - timedelta(minutes=5),
        "seen": seen,
        "sketch": tuple(seed + n for n in range(40)),
        "flags": (make_flag(places=(f"حقل {article_id}",)),),
    }
    fields |= changes
    fields.setdefault(
        "places",
        tuple(f"{c}/{name}" for f in fields["flags"] for c in f.countries for name in f.places),
    )
    return Report(**fields)


def make_alert(**changes: Any) -> Alert:
    """The alert that `make_report` brings, for the receiver `desk`."""
    report = make_report(**changes)
    decision = decide(StoryIndex(), report, max_age_s=1e12)
    (due,) = outgoing(decision, report, Route("desk"), created=NOW).due
    return due.alert


class Bench:
    """A log in a file, Reports put into it, and alert stages run on it."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.registry = CollectorRegistry()
        self.work()
        self._runs: list[tuple[threading.Event, threading.Thread]] = []

    def work(self) -> None:
        """Take the seat that Reports are put in from."""
        self._writer = self.log.stage("process")
        assert self._writer.acquire(5)

    def rest(self) -> None:
        """Leave it."""
        self._writer.close()

    def put(self, *reports: Report) -> None:
        tx = Transaction()
        for report in reports:
            tx.append(FLAGS, report.article_id, encode(report))
        self._writer.commit(tx)

    def append(self, topic: str, key: str, value: bytes) -> None:
        tx = Transaction()
        tx.append(topic, key, value)
        self._writer.commit(tx)

    def stage(
        self,
        receivers: Sequence[Receiver],
        route: Route | None = None,
        *,
        max_age_s: float = 86_400,
        clock: Callable[[], datetime] = utc_now,
        **options: Any,
    ) -> AlertStage:
        self.registry = CollectorRegistry()
        return AlertStage(
            self.log.stage("alert", reads=(ALERTS, FLAGS)),
            receivers,
            route or Route(receivers[0].name),
            max_age_s=max_age_s,
            clock=clock,
            registry=self.registry,
            metrics=StageMetrics(self.registry),
            **options,
        )

    def start(self, stage: AlertStage) -> None:
        stop = threading.Event()
        thread = threading.Thread(target=stage.run, args=(stop,), daemon=True)
        thread.start()
        self._runs.append((stop, thread))

    def stop(self) -> None:
        while self._runs:
            stop, thread = self._runs.pop()
            stop.set()
            thread.join(15)
            assert not thread.is_alive()

    def close(self) -> None:
        self.stop()
        self._writer.close()
        self.log.close()

    def values(self, topic: str, kind: Any) -> list[Any]:
        try:
            return [decode(kind, message.value) for message in self.log.read(topic)]
        except KeyError:
            return []

    def stories(self) -> list[Story]:
        return sorted(self.values(STORIES, Story), key=lambda story: story.opened)

    def alerts(self) -> list[Alert]:
        return self.values(ALERTS, Alert)

    def deliveries(self) -> list[Delivery]:
        return sorted(self.values(DELIVERIES, Delivery), key=lambda each: each.alert.created)

    def letters(self) -> list[DeadLetter]:
        return self.values(DEADLETTERS, DeadLetter)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Watch the log until `condition` holds."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "what was waited for did not happen"
            time.sleep(0.01)

    def until_settled(self, count: int, timeout_s: float = 10.0) -> list[Delivery]:
        """The deliveries, once `count` of them are done with."""

        def settled() -> bool:
            return sum(each.status != "pending" for each in self.deliveries()) >= count

        self.until(settled, timeout_s)
        return self.deliveries()


def fresh(article_id: str, **changes: Any) -> Any:
    return make_report(article_id, seen=utc_now(), **changes)


def desk(slack: SlackServer, name: str = "desk") -> Receiver:
    return Receiver(name, SlackOptions(webhook_url=slack.webhook_url))


def editors(mail_server: MailServer, *to: str, name: str = "editors") -> Receiver:
    return Receiver(
        name,
        EmailOptions(
            "rasid@desk.example",
            to or ("a@desk.example",),
            "127.0.0.1",
            mail_server.port,
            tls="none",
        ),
    )
