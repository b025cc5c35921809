"""Messages kept back for a digest: which, until when, and the digest made of them."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import structlog

from alerts.digests import LINES, digest
from alerts.holding import NO_WISHES, Wishes
from streams.errors import Malformed
from streams.log import Stage, Transaction
from streams.records import ALERTS, DELIVERIES, Delivery, decode, encode

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
        its lines' rows done with, in one transaction a receiver. Returns how many."""
        made = 0
        for receiver, held in list(self._due.items()):
            ready = [alert for alert, due in held.items() if due <= now][:LINES]
            if not ready or not well(receiver):
                continue
            rows = [row for alert in ready if (row := self._row(alert)) is not None]
            tx = Transaction()
            for row in rows:
                tx.put(DELIVERIES, row.alert.id, encode(row))
            if rows:
                rows.sort(key=lambda row: (row.alert.created, row.alert.id))
                alert = digest(receiver, rows, now)
                tx.append(ALERTS, receiver, encode(alert))
                made += 1
            self._stage.commit(tx)
            for told in ready:
                held.pop(told, None)
            if not held:
                del self._due[receiver]
        return made

    def again(self, delivery: Delivery, tx: Transaction, now: datetime) -> None:
        """A digest could not be sent: its lines wait for another."""
        for line in delivery.alert.lines:
            row = self._row(line.alert_id)
            if row is not None:
                due = now + timedelta(seconds=60)
                tx.put(DELIVERIES, line.alert_id, encode(row), due=due)
                self.add(delivery.alert.receiver, line.alert_id, due)

    def _row(self, alert: str) -> Delivery | None:
        row = self._stage.get(DELIVERIES, alert)
        if row is None:
            return None
        try:
            return decode(Delivery, row.value)
        except Malformed as error:
            log.error("delivery_unreadable", alert=alert, error=str(error))
            return None
