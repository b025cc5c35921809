"""From Reports to stories and alerts, and from alerts to deliveries: what the stage writes.

Handlers for a `streams.worker.Worker`. What they keep in memory is ahead of the log while a
batch is under way: call `landed` once it is committed, `load` when it was not.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from alerts.held import HeldBack
from alerts.holding import Gate, Held, Limit, Recent, rule_of
from alerts.index import KEPT, StoryIndex
from alerts.messages import outgoing
from alerts.routing import Route, Target
from alerts.stories import decide, story_id
from alerts.trouble import Trouble, troubles
from streams.errors import Malformed
from streams.log import Clock, Message, Stage, Transaction
from streams.notices import notice
from streams.records import (
    ALERTS,
    CANARY,
    DELIVERIES,
    STORIES,
    Alert,
    Delivery,
    Report,
    Silence,
    Story,
    decode,
    encode,
)

log = structlog.get_logger(__name__)

# Notices in a time; more is one digest: where the network fails, all feeds do.
NOTICES: Final = Limit(5, 600.0)


@dataclass(slots=True)
class Landed:
    """What a batch brought: decisions by name, and deliveries to take up."""

    decisions: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)  # by reason
    # receiver, alert, its story, since when, due
    queued: list[tuple[str, str, str, datetime, datetime]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pending:
    """A delivery to take up again."""

    created: datetime
    alert: str
    receiver: str
    story: str  # empty for an edit, which waits for nothing
    due: datetime
    queued: datetime
    reason: str | None


class Ledger:
    """`editable` names the receivers whose messages can be edited once they are sent; `gate`
    holds what may not go now, in `held`; `silences` reads those there are."""

    def __init__(
        self,
        stage: Stage,
        route: Route,
        *,
        max_age_s: float,
        clock: Clock,
        held: HeldBack,
        silences: Callable[[], Sequence[Silence]] = tuple,
        editable: Collection[str] = (),
    ) -> None:
        self.route = route
        self.max_age_s = max_age_s
        self.editable = editable
        self.gate = Gate()
        self.operators: str | None = None  # the receiver of notices
        self.troubles: dict[str, Trouble] = {}  # of receivers, as rows had it at `load`
        self._held = held
        self._silences = silences
        self._recent = Recent()
        self._stage = stage
        self._clock = clock
        self._index = StoryIndex()
        self._deliveries: dict[str, str] = {}  # of this batch: alert → receiver
        self._landed = Landed()

    def load(self) -> None:
        """Learn the stories of the last days from their table, and forget all else."""
        self._index = StoryIndex()
        self._begin()
        since = self._clock() - KEPT
        known: list[Story] = []
        for row in self._stage.scan(STORIES):
            try:
                story = decode(Story, row.value)
            except Malformed as error:
                log.error("story_unreadable", story=row.key, error=str(error))
                continue
            if story.updated > since:
                known.append(story)
        for story in sorted(known, key=lambda each: (each.updated, each.id)):
            self._index.put(story)
        self._load_recent()

    def landed(self) -> Landed:
        """What was written since the last call, now that it is in the log."""
        landed = self._landed
        self._begin()
        self._index.expire(self._clock())
        return landed

    def on_report(self, message: Message, tx: Transaction) -> None:
        report = decode(Report, message.value)
        self._recall(report)
        decision = decide(self._index, report, max_age_s=self.max_age_s)
        now = self._clock()
        silences = self._silences()

        def judge(alert: Alert, target: Target) -> Held | None:
            return self.gate.judge(alert, target, silences, self._recent, now)

        # Rasid's own goes to its own, whatever is routed, silenced or held.
        if report.source == CANARY:
            out = outgoing(decision, report, Route(CANARY), created=now)
        else:
            out = outgoing(decision, report, self.route, created=now, judge=judge)
        for story in out.stories:
            tx.put(STORIES, story.id, encode(story))
        for due in out.due:
            tx.append(ALERTS, due.alert.receiver, encode(due.alert))
        for alert, held in out.held:
            row = Delivery(
                alert=alert,
                status="silenced" if held.due is None else "held",
                reason=held.reason,
                error=held.why,
                updated=now,
                queued=now,
            )
            tx.put(DELIVERIES, alert.id, encode(row), due=held.due)
        tripped = self._tripped(out.held, now)
        for rule, why in tripped.items():
            receiver = self.operators or self.route.receiver
            text = f"{why}; what it makes beyond that is held for the next digest"
            notice(tx, f"rule/{rule}", text, since=now, receiver=receiver)
        edits = [edit for edit in out.edits if edit.receiver in self.editable or edit.not_before]
        for edit in edits:
            row = Delivery(alert=edit, updated=now, queued=now, edits=edit.thread)
            tx.put(DELIVERIES, edit.id, encode(row), due=max(now, edit.not_before or now))
        # Only now, when nothing can fail any more:
        for due in out.due:
            self.gate.note(self._recent, due.alert, now)
        for rule in tripped:
            self._recent.note(("tripped", f"rule/{rule}"), now)
        for alert, held in out.held:
            self._landed.held[held.reason] += 1
            if held.due is not None:
                self._held.add(alert.receiver, alert.id, held.due)
        for story in out.stories:
            self._index.put(story)
        if report.source != CANARY:
            self._landed.decisions[decision.outcome] += 1
        self._landed.queued += [
            (edit.receiver, edit.id, "", now, max(now, edit.not_before or now)) for edit in edits
        ]

    def on_alert(self, message: Message, tx: Transaction) -> None:
        """A message due becomes a row to work from. One that has its row already is left
        alone, unless it was given up: then this is its replay."""
        alert = decode(Alert, message.value)
        now = self._clock()
        if alert.id in self._deliveries:
            return
        row = self._stage.get(DELIVERIES, alert.id)
        if alert.about and row is None:
            self._on_notice(msgspec.structs.replace(alert, created=message.time), now, tx)
            return
        delivery = Delivery(alert=alert, updated=now, queued=now)
        if row is not None:
            before = decode(Delivery, row.value)
            if before.status not in ("dead", "expired"):
                return
            delivery = Delivery(alert=alert, updated=now, queued=now, done=before.done)
        due = max(alert.not_before or now, now)
        tx.put(DELIVERIES, alert.id, encode(delivery), due=due)
        self._deliveries[alert.id] = alert.receiver
        if alert.kind == "digest":  # a message like any other, to its receiver's limit
            self.gate.note(self._recent, alert, now)
        self._landed.queued.append((alert.receiver, alert.id, alert.story_id, now, due))

    def _on_notice(self, alert: Alert, now: datetime, tx: Transaction) -> None:
        """To the operators; where it says that something is over, to who was told of it."""
        receiver = alert.receiver or self.operators
        if alert.thread is not None:
            receiver = self._deliveries.get(alert.thread)
            if receiver is None and (row := self._stage.get(DELIVERIES, alert.thread)):
                receiver = decode(Delivery, row.value).alert.receiver
        if receiver is None:
            log.info("notice_untold", about=alert.about, text=alert.title)
            return
        alert = msgspec.structs.replace(alert, receiver=receiver)
        delivery = Delivery(alert=alert, updated=now, queued=now)
        due = now
        if self._recent.count(("notices", receiver), NOTICES, now) >= NOTICES.messages:
            due = now + timedelta(seconds=NOTICES.seconds)
            why = f"{NOTICES.messages} notices in {NOTICES.seconds:g} s"
            delivery = msgspec.structs.replace(
                delivery, status="held", reason="rate_limited", error=why
            )
        tx.put(DELIVERIES, alert.id, encode(delivery), due=due)
        self._deliveries[alert.id] = receiver
        if delivery.status == "held":
            self._held.add(receiver, alert.id, due)
            self._landed.held["rate_limited"] += 1
        else:
            self._recent.note(("notices", receiver), now)
            self._landed.queued.append((receiver, alert.id, alert.story_id, now, due))

    def pending(self) -> Sequence[Pending]:
        """Every delivery still due, in the order the messages were made."""
        far = self._clock() + timedelta(days=3650)
        found = []
        held: list[tuple[str, str, datetime]] = []
        for row in self._stage.due(DELIVERIES, far, 1_000_000):
            try:
                delivery = decode(Delivery, row.value)
            except Malformed as error:
                log.error("delivery_unreadable", alert=row.key, error=str(error))
                continue
            if delivery.status in ("held", "expired") and row.due is not None:
                held.append((delivery.alert.receiver, delivery.alert.id, row.due))
            if delivery.status == "pending" and row.due is not None:
                found.append(
                    Pending(
                        created=delivery.alert.created,
                        alert=delivery.alert.id,
                        receiver=delivery.alert.receiver,
                        story="" if delivery.edits else delivery.alert.story_id,
                        due=row.due,
                        queued=delivery.queued or delivery.alert.created,
                        reason=delivery.reason,
                    )
                )
        self._held.load(held)
        found.sort(key=lambda each: (each.created, each.alert))
        return found

    def _load_recent(self) -> None:
        """Count again what was made lately, as limits ask for it."""
        kept = []
        for row in self._stage.scan(DELIVERIES):
            with suppress(Malformed):  # told when it is to be sent
                kept.append(decode(Delivery, row.value))
        self.troubles = troubles(kept)
        self._recent = self.gate.counted(kept, self._clock())

    def _tripped(self, held: Sequence[tuple[Alert, Held]], now: datetime) -> dict[str, str]:
        """Rules that make too many messages, with what to say of each, once an hour."""
        found: dict[str, str] = {}
        for alert, each in held:
            rule = rule_of(alert)
            if each.reason == "rule_limit" and not self._recent.count(
                ("tripped", f"rule/{rule}"), self.gate.rule_limit, now
            ):
                log.error("rule_limit", why=each.why)
                found[rule] = each.why
        return found

    def _recall(self, report: Report) -> None:
        """Bring back the story of an article too old to be held in memory."""
        if report.revision > 1 and not self._index.holding(report.article_id):
            row = self._stage.get(STORIES, story_id(report.article_id))
            if row is not None:
                self._index.put(decode(Story, row.value))

    def _begin(self) -> None:
        self._deliveries = {}
        self._landed = Landed()
