"""Receivers in trouble: those that refuse for good are left alone for ten minutes at a time; of
those, and of those that go on failing, operators are told, once, and that it is over. Pure.

What is known of one is in the rows of its deliveries and of the notices, so it outlives a restart,
and is copied with the log.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from alerts.deliveries import Conclusion
from streams.records import Delivery

ALONE: Final = timedelta(seconds=600)
# So long a receiver fails before that is told: by the seventh try in a row, within two minutes.
OUTAGE: Final = timedelta(seconds=45)


@dataclass(frozen=True, slots=True)
class Trouble:
    """`since` its first failure in a row; `until` it is left alone, where it refuses; `told`,
    whether operators were."""

    since: datetime
    until: datetime | None = None
    told: bool = False


def after(before: Trouble | None, conclusion: Conclusion, at: datetime) -> Trouble | None:
    """How a receiver stands after one more answer; None: it is well."""
    if refuses(conclusion.delivery):
        return replace(before or Trouble(at), until=at + ALONE)
    if conclusion.well:
        return None
    if conclusion.due is None:
        return before  # it has answered: the message is at fault
    return before or Trouble(at)


def to_tell(trouble: Trouble, at: datetime) -> bool:
    """Whether operators must hear of it now."""
    return not trouble.told and (trouble.until is not None or at - trouble.since >= OUTAGE)


def refuses(delivery: Delivery) -> bool:
    """Whether it is the receiver that refuses, whatever the message."""
    return delivery.status == "dead" and (
        delivery.reason in ("auth", "not_found", "insecure")
        or (delivery.reason == "refused" and bool(delivery.refused))
    )


def troubles(deliveries: Iterable[Delivery]) -> dict[str, Trouble]:
    """Receivers that have taken nothing since they refused, or since their trouble was told."""
    found: dict[str, Trouble] = {}
    rows = sorted(deliveries, key=lambda delivery: delivery.updated)
    for each in rows:
        receiver = each.alert.receiver
        if refuses(each):
            found[receiver] = replace(
                found.get(receiver) or Trouble(each.updated), until=each.updated + ALONE
            )
        elif each.status == "sent":
            found.pop(receiver, None)
    notices = [each.alert for each in rows if each.alert.about.startswith(_ABOUT)]
    over = {alert.thread for alert in notices if alert.thread is not None}
    for alert in sorted(notices, key=lambda alert: alert.seen):
        if alert.thread is None and alert.id not in over:
            receiver = alert.about.removeprefix(_ABOUT)
            known = found.get(receiver) or Trouble(alert.seen)
            found[receiver] = replace(known, since=alert.seen, told=True)
    return found


_ABOUT: Final = "receiver/"
