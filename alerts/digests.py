"""Messages that were not sent when they were due, as one: pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import xxhash

from streams.records import Alert, Delivery, Line

LINES: Final = 20  # in one digest; what is more waits for the one after it

WHY: Final = {
    "silenced": ("", ""),
    "rule_limit": ("قاعدة أكثرت من التنبيه", "its rule made too many"),
    "digest_only": ("", ""),
    "muted": ("وقت صامت", "a mute time"),
    "rate_limited": ("حد الرسائل", "the receiver's limit"),
    "expired": ("تأخر الإرسال", "could not be sent in time"),
}


def digest(receiver: str, held: Sequence[Delivery], now: datetime) -> Alert:
    """One message of up to LINES lines, one an alert held, the oldest first."""
    lines = tuple(_line(each) for each in held[:LINES])
    parts = ("digest", receiver, *(line.alert_id for line in lines))
    digested: str = xxhash.xxh3_128_hexdigest("\0".join(parts).encode("utf-8", "replace"))
    last = held[: len(lines)][-1].alert
    return Alert(
        id=digested,
        receiver=receiver,
        kind="digest",
        story_id="",
        article_id="",
        url="",
        title="",
        source="rasid",
        source_name="Rasid",
        language="ar",
        seen=last.seen,
        created=now,
        flags=(),
        lines=lines,
    )


def _line(held: Delivery) -> Line:
    alert = held.alert
    return Line(
        alert_id=alert.id,
        story_id=alert.story_id,
        title=alert.title,
        url=alert.url,
        source_name=alert.source_name,
        published=alert.published,
        states=alert.stories[0].states if alert.stories else (),
        why=held.reason if held.status == "held" and held.reason else held.status,
    )
