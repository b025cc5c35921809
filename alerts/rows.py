"""The rows of `rasid.deliveries` as the sender works on them."""

from datetime import datetime

import structlog

from alerts.deliveries import dead_letter, folded_in, threaded
from alerts.messages import edit_id
from streams.errors import Malformed
from streams.log import Stage, Transaction
from streams.metrics import StageMetrics
from streams.records import DEADLETTERS, DELIVERIES, Delivery, decode, encode

log = structlog.get_logger(__name__)


class Later:
    """It is not its turn yet."""


class Rows:
    def __init__(self, stage: Stage, metrics: StageMetrics) -> None:
        self._stage = stage
        self._metrics = metrics

    def pending(self, alert: str) -> Delivery | None:
        """The row, if it is still to be sent."""
        delivery, _ = self._get(alert)
        return delivery if delivery is not None and delivery.status == "pending" else None

    def ready(self, alert: str) -> Delivery | Later | None:
        """What is still to be sent, with the reference of the message it answers or edits, and
        with what an edit would change. Later for an edit of what is not sent yet."""
        delivery = self.pending(alert)
        if delivery is None:
            return None
        if delivery.edits is not None:
            return self._edit(delivery, delivery.edits)
        if delivery.alert.thread is not None:
            first, _ = self._get(delivery.alert.thread)
            return delivery if first is None else threaded(delivery, first)
        edit, _ = self._get(edit_id(alert))
        if edit is None:
            return delivery
        delivery = folded_in(delivery, edit)
        told = delivery.status == "pending"
        tx = Transaction()
        tx.put(DELIVERIES, alert, encode(delivery), due=edit.queued if told else None)
        tx.delete(DELIVERIES, edit.alert.id)
        self.commit(tx)
        if not told:
            log.info("alert_withdrawn", receiver=delivery.alert.receiver, alert=alert)
        return delivery if told else None

    def _edit(self, edit: Delivery, of: str) -> Delivery | Later | None:
        first, _ = self._get(of)
        if first is None or first.status == "pending":
            return Later()
        if first.status == "sent":
            return threaded(edit, first)
        tx = Transaction()
        tx.delete(DELIVERIES, edit.alert.id)
        self.commit(tx)
        return None

    def write(
        self, tx: Transaction, delivery: Delivery, due: datetime | None, now: datetime
    ) -> None:
        """A delivery as it is now; an edit that is done with leaves no row."""
        if delivery.edits and due is None:
            tx.delete(DELIVERIES, delivery.alert.id)
            return
        tx.put(DELIVERIES, delivery.alert.id, encode(delivery), due=due)
        if delivery.status == "dead":
            tx.append(DEADLETTERS, self._stage.name, encode(dead_letter(delivery, now)))

    def commit(self, tx: Transaction) -> None:
        self._stage.commit(tx)
        dead = sum(item.topic == DEADLETTERS for item in tx.appends)
        self._metrics.records_out.labels(self._stage.name).inc(len(tx.appends))
        self._metrics.records_dead.labels(self._stage.name).inc(dead)

    def _get(self, alert: str | None) -> tuple[Delivery | None, datetime | None]:
        row = self._stage.get(DELIVERIES, alert) if alert else None
        if row is None:
            return None, None
        try:
            return decode(Delivery, row.value), row.due
        except Malformed as error:
            log.error("delivery_unreadable", alert=alert, error=str(error))
            return None, None
