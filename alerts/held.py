"""Messages kept back for a digest: which, until when, and the digest made of them."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from alerts.deliveries import withdrawn
from alerts.digests import ROWS, by_story, digest, is_void
from alerts.holding import NO_WISHES, Wishes
from streams.errors import Malformed
from streams.log import Stage, Transaction
from streams.records import ALERTS, DELIVERIES, STORIES, Delivery, Story, decode, encode

log = structlog.get_logger(__name__)


class HeldBack:
    """Ids and times only; the rows in the log are what counts."""

    def __init__(self, stage: Stage) -> None:
        self.wishes: Mapping[str, Wishes] = {}
        self._stage = stage
        self._due: dict[str, dict[str, datetime]] = {}  # receiver → alert → when

    def load(self, rows: Iterable[tuple[str, str, datetime]]) -> None:
        """Start over: (receiver, alert, when it may be told)."""
        self._due = {}
        for receiver, alert, due in rows:
            self.add(receiver, alert, due)

    def add(self, receiver: str, alert: str, due: datetime) -> None:
        self._due.setdefault(receiver, {})[alert] = due

    def when(self, receiver: str, now: datetime) -> datetime:
        """When the receiver's next digest is due."""
        return self.wishes.get(receiver, NO_WISHES).digest_at(now)

    def wait_s(self, now: datetime, limit_s: float) -> float:
        """Seconds until the next digest is due, `limit_s` at most."""
        later = [due for held in self._due.values() for due in held.values() if due > now]
        return min(limit_s, (min(later) - now).total_seconds()) if later else limit_s

    def tell(self, now: datetime, well: Callable[[str], bool]) -> int:
        """Make digests of what is due to receivers that are well: each an alert in the ledger,
        its lines' rows done with, in one transaction a receiver. Returns how many. What was taken
        back before anybody heard of it is told to nobody."""
        made = 0
        for receiver, held in list(self._due.items()):
            ready = [alert for alert, due in held.items() if due <= now][:ROWS]
            if not ready or not well(receiver):
                continue
            rows = [row for alert in ready if (row := self._row(alert)) is not None]
            rows.sort(key=lambda row: (row.alert.created, row.alert.id))
            stories = self._stories(rows)
            tx = Transaction()
            for told in by_story(rows):
                if is_void(told, stories):
                    rows = [row for row in rows if row not in told]
                    told = [withdrawn(row) for row in told]
                for row in told:
                    tx.put(DELIVERIES, row.alert.id, encode(row))
            if rows:
                alert = digest(receiver, rows, stories, now)
                tx.append(ALERTS, receiver, encode(alert))
                made += 1
            self._stage.commit(tx)
            for each in ready:
                held.pop(each, None)
            if not held:
                del self._due[receiver]
        return made

    def again(self, delivery: Delivery, tx: Transaction, now: datetime) -> None:
        """A digest could not be sent: its lines wait for another."""
        for line in delivery.alert.lines:
            for alert in (line.alert_id, *line.also):
                row = self._row(alert)
                if row is not None:
                    due = now + timedelta(seconds=60)
                    tx.put(DELIVERIES, alert, encode(row), due=due)
                    self.add(delivery.alert.receiver, alert, due)

    def _stories(self, rows: Iterable[Delivery]) -> dict[str, Story]:
        """The stories of these messages, as they stand."""
        found = {}
        for story_id in {part.story_id for row in rows for part in row.alert.stories}:
            row = self._stage.get(STORIES, story_id)
            if row is not None:
                with suppress(Malformed):  # told when it was loaded
                    found[story_id] = decode(Story, row.value)
        return found

    def _row(self, alert: str) -> Delivery | None:
        row = self._stage.get(DELIVERIES, alert)
        if row is None:
            return None
        try:
            return decode(Delivery, row.value)
        except Malformed as error:
            log.error("delivery_unreadable", alert=alert, error=str(error))
            return None
