"""Dead letters looked through, replayed and dropped.

A letter stays in its topic until it goes by age; what was done about it is a row of
`rasid.settled`, under an id that is the letter's own, wherever it is copied to. A replay appends
the record to its topic again and settles the letter, in one transaction.
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import xxhash

from streams.errors import Malformed, RasidError
from streams.log import Clock, Log, Stage, Transaction
from streams.records import DEADLETTERS, SETTLED, TOPICS, DeadLetter, Settled, decode, encode

STAGE: Final = "operate"  # the seat of whoever settles letters
BATCH: Final = 200


class LetterGone(RasidError):
    """What a letter tells of cannot be replayed; the message says why."""


@dataclass(frozen=True, slots=True)
class Letter:
    id: str
    content: DeadLetter
    settled: Settled | None

    def record(self, log: Log) -> bytes:
        """The record as it was: from the letter, or where it lies if the letter had no room.

        Raises LetterGone."""
        it = self.content
        if it.topic not in TOPICS:
            raise LetterGone(f"{self.id}: {it.topic} is no topic that can be written again")
        if it.value or it.cause != "too_large":
            return base64.b64decode(it.value) if it.encoding == "base64" else it.value.encode()
        for message in log.read(it.topic, {it.partition: it.offset}):
            if message.partition == it.partition:
                if message.offset == it.offset:
                    return message.value
                break
        raise LetterGone(f"{self.id}: {it.topic} no longer holds offset {it.offset}")


@dataclass(frozen=True, slots=True)
class Filter:
    """All that is given must hold."""

    stage: str | None = None
    cause: str | None = None
    older_s: float | None = None
    newer_s: float | None = None

    def takes(self, letter: DeadLetter, now: datetime) -> bool:
        age = now - letter.failed
        return (
            self.stage in (None, letter.stage)
            and self.cause in (None, letter.cause)
            and (self.older_s is None or age >= timedelta(seconds=self.older_s))
            and (self.newer_s is None or age <= timedelta(seconds=self.newer_s))
        )


def letters(log: Log) -> Iterator[Letter]:
    """All there are, the oldest first. One that cannot be read is passed over."""
    try:
        settled = {row.key: decode(Settled, row.value) for row in log.rows(SETTLED)}
    except KeyError:  # a file from before there was this table
        settled = {}
    for message in log.read(DEADLETTERS):
        try:
            content = decode(DeadLetter, message.value)
        except Malformed:
            continue
        name = xxhash.xxh64_hexdigest(message.value)[:12]
        yield Letter(name, content, settled.get(name))


def settle(
    log: Log,
    seat: Stage,
    chosen: Iterable[Letter],
    what: Literal["replayed", "dropped"],
    clock: Clock,
) -> tuple[int, list[str]]:
    """Replay or drop these, with the seat of `STAGE` taken: how many, and what could not be."""
    count, refused = 0, []
    tx = Transaction()
    for letter in chosen:
        try:
            if what == "replayed":
                tx.append(letter.content.topic, letter.content.key, letter.record(log))
        except LetterGone as error:
            refused.append(str(error))
            continue
        tx.put(SETTLED, letter.id, encode(Settled(what=what, at=clock())))
        count += 1
        if len(tx.rows) >= BATCH:
            seat.commit(tx)
            tx = Transaction()
    seat.commit(tx)
    return count, refused
