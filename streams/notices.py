"""What an operator must be told: written by any stage, in a transaction of its own.

    notice(tx, "feed/URL", "feed URL answers 500", since=broke)               # unwell
    notice(tx, "feed/URL", "feed URL is read again", since=broke, over=True)  # well

It is an alert addressed to nobody: the alert stage sends it to the receiver that the
configuration names as `operators`, or to none where it names none. A notice *about* a matter
that stands *since* a moment is one message, however often it is written; that it is over
is one more, in answer to the first, and is told only where the first was.
"""

from datetime import datetime
from typing import Final

import xxhash

from streams.log import Transaction
from streams.records import ALERTS, Alert, encode

OPERATORS: Final = "operators"  # the key; the record names no receiver, see `Alert.receiver`


def notice(
    tx: Transaction,
    about: str,
    text: str,
    *,
    since: datetime,
    over: bool = False,
    receiver: str = "",
) -> None:
    """Add a notice to `tx`. `about` is a kind and a name, as feed/ADDRESS; `text` one English
    sentence, free of secrets; `since` when the trouble began, the same for its end. `receiver`
    only where the one who would be told is the trouble."""
    alert = operator_alert(about, text, since=since, over=over, receiver=receiver)
    tx.append(ALERTS, receiver or OPERATORS, encode(alert))


def operator_alert(
    about: str, text: str, *, since: datetime, over: bool = False, receiver: str = ""
) -> Alert:
    """The message that `notice` adds."""
    first = _id(about, since)
    return Alert(
        id=_id(about, since, "over") if over else first,
        receiver=receiver,
        kind="operator",
        story_id="",
        article_id="",
        url="",
        title=text,
        source="rasid",
        source_name="Rasid",
        language="en",
        seen=since,
        created=since,
        flags=(),
        about=about,
        thread=first if over else None,
    )


def _id(*parts: object) -> str:
    told = "\0".join(str(part) for part in ("notice", *parts))
    digest: str = xxhash.xxh3_128_hexdigest(told.encode("utf-8", "replace"))
    return digest
