"""Receivers in trouble: those that refuse for good are left alone for ten minutes at a time; of
those that fail for a while, as of these, operators were told. Pure.

What is known of one is in the rows of its deliveries and of the notices, so it outlives a restart,
and is copied with the log.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from streams.records import Delivery

ALONE: Final = timedelta(seconds=600)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """`since` its first refusal in a row; `until` when it is tried again."""

    since: datetime
    until: datetime


def refuses(delivery: Delivery) -> bool:
    """Whether it is the receiver that refuses, whatever the message."""
    return delivery.status == "dead" and (
        delivery.reason in ("auth", "not_found", "insecure")
        or (delivery.reason == "refused" and bool(delivery.refused))
    )


def refused(before: Quarantine | None, at: datetime) -> Quarantine:
    """One more refusal."""
    if before is None:
        return Quarantine(at, at + ALONE)
    return replace(before, until=at + ALONE)


def quarantined(deliveries: Iterable[Delivery]) -> dict[str, Quarantine]:
    """Receivers that have taken nothing since they refused."""
    found: dict[str, Quarantine] = {}
    for each in sorted(deliveries, key=lambda delivery: delivery.updated):
        if refuses(each):
            receiver = each.alert.receiver
            found[receiver] = refused(found.get(receiver), each.updated)
        elif each.status == "sent":
            found.pop(each.alert.receiver, None)
    return found


def told_of(deliveries: Iterable[Delivery]) -> dict[str, datetime]:
    """Receivers of whose trouble somebody was told, and not yet that it is over: since when."""
    notices = [each.alert for each in deliveries if each.alert.about.startswith(_ABOUT)]
    over = {alert.thread for alert in notices if alert.thread is not None}
    return {
        alert.about.removeprefix(_ABOUT): alert.seen
        for alert in sorted(notices, key=lambda alert: alert.seen)
        if alert.thread is None and alert.id not in over
    }


_ABOUT: Final = "receiver/"
