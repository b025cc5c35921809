"""What an attempt to send means for the delivery's row: pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from alerts.channel import Receipt
from alerts.errors import SendError
from alerts.pacing import backoff_s
from streams.records import ALERTS, DeadLetter, Delivery, encode

ERROR_CHARACTERS = 500
UNKNOWN_TRIES = 12  # of a channel that does not say why; with the backoff some half an hour


@dataclass(frozen=True, slots=True)
class Conclusion:
    """`delivery` is the row to write, `due` its next try (None: done with). `well`: the
    receiver took it, at least for some; `asked`: it named the time of the next try itself."""

    delivery: Delivery
    outcome: Literal["sent", "retried", "dead"]
    due: datetime | None = None
    refused: int = 0
    well: bool = False
    asked: bool = False


def conclude(delivery: Delivery, result: Receipt | SendError, now: datetime) -> Conclusion:
    if isinstance(result, SendError):
        return _failed(delivery, result, now)
    done = (*delivery.done, *result.done)
    refused = (*delivery.refused, *result.refused)
    changed = msgspec.structs.replace(
        delivery,
        attempts=delivery.attempts + 1,
        updated=now,
        done=done,
        refused=refused,
        reference=result.reference or delivery.reference,
        link=result.link or delivery.link,
        error=_short(result.error) if result.error else None,
        reason="refused" if result.refused else None,
    )
    if result.waiting:
        return Conclusion(
            msgspec.structs.replace(changed, reason="unavailable"),
            "retried",
            due=now + timedelta(seconds=backoff_s(changed.attempts, delivery.alert.id)),
            refused=len(result.refused),
            well=bool(result.done),
        )
    if refused and not done:
        return Conclusion(
            msgspec.structs.replace(changed, status="dead", reason="refused"),
            "dead",
            refused=len(result.refused),
        )
    if refused:
        changed = msgspec.structs.replace(
            changed, reason="refused", error=changed.error or delivery.error
        )
    return Conclusion(
        msgspec.structs.replace(changed, status="sent"),
        "sent",
        refused=len(result.refused),
        well=True,
    )


def threaded(delivery: Delivery, first: Delivery) -> Delivery:
    """With the reference of the message it belongs to."""
    return msgspec.structs.replace(delivery, thread_reference=first.reference)


def folded_in(first: Delivery, edit: Delivery) -> Delivery:
    """A message not sent yet, saying what it would have been edited to say. What was taken back
    before anybody heard of it is told to nobody: `expired`, of the reason `withdrawn`."""
    if not edit.alert.flags:
        return _without(first, edit.alert.story_id)
    alert = msgspec.structs.replace(
        edit.alert,
        id=first.alert.id,
        kind=first.alert.kind,
        created=first.alert.created,
        thread=first.alert.thread,
    )
    return msgspec.structs.replace(first, alert=alert)


def _without(first: Delivery, story: str) -> Delivery:
    gone = {
        (state.theme, state.development)
        for part in first.alert.stories
        for state in part.states
        if part.story_id == story
    }
    parts = tuple(part for part in first.alert.stories if part.story_id != story)
    if not parts:
        return withdrawn(first)
    flags = tuple(f for f in first.alert.flags if (f.theme, f.development) not in gone)
    alert = msgspec.structs.replace(
        first.alert, stories=parts, flags=flags, story_id=parts[0].story_id, kind=parts[0].kind
    )
    return msgspec.structs.replace(first, alert=alert)


def withdrawn(delivery: Delivery) -> Delivery:
    """A message that there is nothing left of."""
    why = "the story was taken back while its message waited"
    return msgspec.structs.replace(delivery, status="expired", reason="withdrawn", error=why)


def dead_letter(delivery: Delivery, now: datetime) -> DeadLetter:
    """The alert, whole: appended to its topic again, it is sent to whom it has not reached."""
    return DeadLetter(
        stage="alert",
        topic=ALERTS,
        partition=0,
        offset=-1,  # it failed as a delivery, long after it was read
        key=delivery.alert.receiver,
        cause="undeliverable",
        error=f"{delivery.reason}: {delivery.error}",
        failed=now,
        attempts=delivery.attempts,
        value=encode(delivery.alert).decode(),
    )


def _failed(delivery: Delivery, error: SendError, now: datetime) -> Conclusion:
    changed = msgspec.structs.replace(
        delivery,
        attempts=delivery.attempts + 1,
        updated=now,
        reason=error.reason,
        error=_short(str(error)),
    )
    spent = error.reason == "unknown" and changed.attempts >= UNKNOWN_TRIES
    if not error.retryable or spent:
        return Conclusion(msgspec.structs.replace(changed, status="dead"), "dead")
    asked = error.retry_after_s is not None
    wait_s = (
        error.retry_after_s
        if error.retry_after_s is not None
        else backoff_s(changed.attempts, delivery.alert.id)
    )
    return Conclusion(changed, "retried", due=now + timedelta(seconds=wait_s), asked=asked)


def _short(error: str) -> str:
    return error[:ERROR_CHARACTERS].encode("utf-8", "replace").decode()
