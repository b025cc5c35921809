"""From Reports to stories and alerts, and from alerts to deliveries: what the stage writes.

Handlers for a `streams.worker.Worker`. What they keep in memory is ahead of the log while a
batch is under way: call `landed` once it is committed, `load` when it was not.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from alerts.index import KEPT, StoryIndex
from alerts.routing import Route, receivers_for
from alerts.stories import Known, alert_for, decide, story_id
from streams.errors import Malformed
from streams.log import Clock, Message, Stage, Transaction
from streams.records import (
    ALERTS,
    DELIVERIES,
    STORIES,
    Alert,
    Delivery,
    Report,
    Story,
    StoryArticle,
    decode,
    encode,
)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Landed:
    """What a batch brought: decisions by name, and deliveries to take up."""

    decisions: Counter[str] = field(default_factory=Counter)
    queued: list[tuple[str, str, datetime]] = field(default_factory=list)  # receiver, alert, when


@dataclass(frozen=True, slots=True)
class Pending:
    """A delivery to take up again."""

    created: datetime
    alert: str
    receiver: str
    due: datetime
    queued: datetime
    reason: str | None


class Ledger:
    def __init__(self, stage: Stage, route: Route, *, max_age_s: float, clock: Clock) -> None:
        self.route = route
        self.max_age_s = max_age_s
        self._stage = stage
        self._clock = clock
        self._index = StoryIndex()
        self._stories: dict[str, Story] = {}  # of this batch
        self._deliveries: set[str] = set()  # of this batch
        self._landed = Landed()

    def load(self) -> None:
        """Learn the stories of the last days from their table, and forget all else."""
        self._index = StoryIndex()
        self._begin()
        since = self._clock() - KEPT
        known: list[tuple[str, StoryArticle]] = []
        for row in self._stage.scan(STORIES):
            try:
                story = decode(Story, row.value)
            except Malformed as error:
                log.error("story_unreadable", story=row.key, error=str(error))
                continue
            known += [(story.id, article) for article in story.articles if article.seen > since]
        known.sort(key=lambda each: (each[1].seen, each[1].article_id))
        for story_key, article in known:
            self._index.add(story_key, article)

    def landed(self) -> Landed:
        """What was written since the last call, now that it is in the log."""
        landed = self._landed
        self._begin()
        self._index.expire(self._clock())
        return landed

    def on_report(self, message: Message, tx: Transaction) -> None:
        report = decode(Report, message.value)
        decision = decide(report, self._known(report), max_age_s=self.max_age_s)
        story = decision.story
        if story is not None:
            tx.put(STORIES, story.id, encode(story))
        if decision.outcome == "alerted" and story is not None:
            created = self._clock()
            for receiver in receivers_for(self.route, report):
                alert = alert_for(report, story, receiver, created=created)
                tx.append(ALERTS, receiver, encode(alert))
        # Only now, when nothing can fail any more:
        if story is not None:
            self._stories[story.id] = story
            for article in story.articles:
                if article.article_id == report.article_id:
                    self._index.add(story.id, article)
        self._landed.decisions[decision.outcome] += 1

    def on_alert(self, message: Message, tx: Transaction) -> None:
        """A message due becomes a row to work from. One that has its row already is left
        alone, unless it was given up: then this is its replay."""
        alert = decode(Alert, message.value)
        now = self._clock()
        delivery = Delivery(alert=alert, updated=now, queued=now)
        if alert.id in self._deliveries:
            return
        row = self._stage.get(DELIVERIES, alert.id)
        if row is not None:
            before = decode(Delivery, row.value)
            if before.status not in ("dead", "expired"):
                return
            delivery = Delivery(alert=alert, updated=now, queued=now, done=before.done)
        tx.put(DELIVERIES, alert.id, encode(delivery), due=now)
        self._deliveries.add(alert.id)
        self._landed.queued.append((alert.receiver, alert.id, now))

    def pending(self) -> Sequence[Pending]:
        """Every delivery still due, in the order the messages were made."""
        far = self._clock() + timedelta(days=3650)
        found = []
        for row in self._stage.due(DELIVERIES, far, 1_000_000):
            try:
                delivery = decode(Delivery, row.value)
            except Malformed as error:
                log.error("delivery_unreadable", alert=row.key, error=str(error))
                continue
            if delivery.status == "pending" and row.due is not None:
                found.append(
                    Pending(
                        created=delivery.alert.created,
                        alert=delivery.alert.id,
                        receiver=delivery.alert.receiver,
                        due=row.due,
                        queued=delivery.queued or delivery.alert.created,
                        reason=delivery.reason,
                    )
                )
        found.sort(key=lambda each: (each.created, each.alert))
        return found

    def _known(self, report: Report) -> Known | None:
        found = self._index.find(report)
        if found is not None:
            story = self._story(found.story_id)
            if story is not None:  # else it went by age
                return Known(story, found.copy_of, found.repeated)
        elif report.revision > 1:  # of an article too old to be held in memory
            story = self._story(story_id(report.article_id))
            if story is not None:
                return Known(story)
        return None

    def _story(self, key: str) -> Story | None:
        if key in self._stories:
            return self._stories[key]
        row = self._stage.get(STORIES, key)
        return None if row is None else decode(Story, row.value)

    def _begin(self) -> None:
        self._stories = {}
        self._deliveries = set()
        self._landed = Landed()
