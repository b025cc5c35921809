"""How far the daemon has come, read from its log while it works."""

from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar

from rasid.app import now
from streams import records
from streams.carriers import open_log
from streams.records import Delivery, Entry, FeedState, decode


@dataclass(frozen=True, slots=True)
class Watched:
    """Counts of done and known, step by step."""

    STEPS: ClassVar[tuple[str, ...]] = (
        "feeds polled",
        "pages read",
        "articles flagged",
        "alerts sent",
    )

    feeds: int
    feeds_polled: int
    entries: int
    entries_waiting: int
    articles: int
    articles_behind: int
    reports_behind: int
    alerts: int
    alerts_ended: int

    def steps(self) -> dict[str, tuple[int, int]]:
        done = (
            (self.feeds_polled, self.feeds),
            (self.entries - self.entries_waiting, self.entries),
            (self.articles - self.articles_behind, self.articles),
            (self.alerts_ended, self.alerts),
        )
        return dict(zip(self.STEPS, done, strict=True))

    @property
    def finished(self) -> bool:
        return (
            self.feeds_polled == self.feeds
            and self.entries > 0
            and self.articles > 0
            and self.entries_waiting == 0
            and self.articles_behind == 0
            and self.reports_behind == 0
            and self.alerts_ended == self.alerts
        )


def watch(url: str, *, feeds: int) -> Watched:
    """Read the state of the log. Raises LogError while there is none."""
    with closing(open_log(url, clock=now)) as log:
        topics = {info.name: info for info in log.topics()}

        def behind(topic: str, stage: str) -> int:
            info = topics.get(topic)
            return info.positions.get(stage, info.records) if info else 0

        def rows(table: str) -> list[bytes]:
            return [m.value for m in log.read(table)] if table in topics else []

        states = [decode(FeedState, value) for value in rows(records.FEEDS)]
        entries = [decode(Entry, value) for value in rows(records.ENTRIES)]
        deliveries = [decode(Delivery, value) for value in rows(records.DELIVERIES)]
        alerts = topics[records.ALERTS].records if records.ALERTS in topics else 0
        return Watched(
            feeds=feeds,
            feeds_polled=sum(s.last_polled is not None for s in states),
            entries=len(entries),
            entries_waiting=sum(e.status == "waiting" for e in entries),
            articles=topics[records.ARTICLES].records if records.ARTICLES in topics else 0,
            articles_behind=behind(records.ARTICLES, "process"),
            reports_behind=behind(records.FLAGS, "alert") + behind(records.ALERTS, "alert"),
            alerts=alerts,
            alerts_ended=sum(d.status != "pending" for d in deliveries),
        )
