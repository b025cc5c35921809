"""Receivers that refuse for good: left alone for ten minutes at a time. Pure.

What is known of one is in the rows of its deliveries, so it outlives a restart, and is copied
with the log.
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
