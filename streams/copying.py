"""Moving house: a log copied whole into another, of whichever carrier.

    records of the topics, in order ─▶ rows of the tables ─▶ where each stage stands

Nobody may work either log meanwhile: the copy takes all seats. It can be broken off at any
moment and begun again: what is in the target is compared with the beginning of the source, and
the rest goes on behind it. Times, due times and what waits for whom stay as they were, so nothing
is fetched or sent twice afterwards.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Final

from streams.errors import RasidError
from streams.log import Log, Message, Positions, Stage, Transaction
from streams.records import ALERTS, ARTICLES, BACKFILL, FLAGS, TABLES, TOPICS

READS: Final[Mapping[str, tuple[str, ...]]] = {  # whose seats are taken
    "collect": (),
    "process": (ARTICLES, BACKFILL),
    "alert": (ALERTS, FLAGS),
}
BATCH: Final = 500  # records or rows a commit
BATCH_BYTES: Final = 4 * 1024 * 1024
SEAT_S = 30.0  # on a cluster that was never used, the first seat takes its time

Identity = tuple[str, datetime, int]  # of a record, wherever it lies: key, time, bytes
Told = Callable[[str, int, int], None]  # (topic or table, copied, of how many)


class CopyRefused(RasidError):
    """The two logs cannot be copied as they are; the message says what to do."""


def copy(source: Log, target: Log, told: Told = lambda name, done, total: None) -> None:
    """Raises CopyRefused, LogError."""
    with ExitStack() as seats:
        for name in READS:
            _seat(seats, source, "the log copied from", name)
        target_seats = seats.enter_context(ExitStack())
        for name in READS:
            _seat(target_seats, target, "the log copied to", name)
        writer = _seat(target_seats, target, "the log copied to", "copy", ())
        infos = {info.name: info.records for info in source.topics()}
        for topic in TOPICS:
            _copy_topic(source, target, writer, topic, infos.get(topic, 0), told)
        for table in TABLES:
            _copy_table(source, target, writer, table, infos.get(table, 0), told)
        target_seats.close()  # positions can be set only where nobody sits
        for stage, positions in source.positions().items():
            if moved := _positions(source, target, positions):
                target.set_positions(stage, moved)


def _seat(
    stack: ExitStack, log: Log, which: str, name: str, reads: tuple[str, ...] | None = None
) -> Stage:
    stage = log.stage(name, READS[name] if reads is None else reads)
    if not stage.acquire(SEAT_S):
        raise CopyRefused(f"{which} is being worked (stage {name}); stop Rasid first")
    stack.callback(stage.close)
    return stage


def _copy_topic(
    source: Log, target: Log, writer: Stage, topic: str, total: int, told: Told
) -> None:
    there = _already(source, target, topic)
    done = there.total()
    told(topic, done, total)
    for batch in _batches(_missing(_ordered(source, topic), there)):
        tx = Transaction()
        for message in batch:
            tx.append(topic, message.key, message.value, time=message.time)
        writer.commit(tx)
        done += len(batch)
        told(topic, done, max(total, done))


def _ordered(source: Log, topic: str) -> Iterator[Message]:
    """What was read by its stage first, so that what was not is together at the end, however
    many partitions there are here and there."""
    standing = _standing(source, topic)
    for message in source.read(topic):
        if message.offset < standing.get(message.partition, 0):
            yield message
    yield from source.read(topic, standing)


def _standing(log: Log, topic: str) -> dict[int, int]:
    """Up to where the stage that reads a topic has read it."""
    return {
        partition: offset
        for positions in log.positions().values()
        for partition, offset in positions.get(topic, {}).items()
    }


def _already(source: Log, target: Log, topic: str) -> Counter[Identity]:
    """What an earlier try has brought over."""
    there = Counter(_identity(message) for message in target.read(topic))
    own = there - Counter(_identity(message) for message in source.read(topic) if there)
    if own:
        raise CopyRefused(
            f"the log copied to has records of its own in {topic}; copy into an empty one (another"
            " file, or another prefix: kafka://host:9092/prefix)"
        )
    return there


def _missing(messages: Iterator[Message], there: Counter[Identity]) -> Iterator[Message]:
    there = Counter(there)
    for message in messages:
        if there[_identity(message)]:
            there[_identity(message)] -= 1
        else:
            yield message


def _identity(message: Message) -> Identity:
    return message.key, message.time, len(message.value)


def _copy_table(
    source: Log, target: Log, writer: Stage, table: str, total: int, told: Told
) -> None:
    done = 0
    there = {row.key for row in target.rows(table)}
    tx = Transaction()
    for row in source.rows(table):
        tx.put(
            table, row.key, row.value, due=row.due, partition_key=row.partition_key, time=row.time
        )
        there.discard(row.key)
        done += 1
        if len(tx.rows) >= BATCH:
            writer.commit(tx)
            tx = Transaction()
            told(table, done, max(total, done))
    for key in there:  # brought over by an earlier try, and gone since
        tx.delete(table, key)
    writer.commit(tx)
    told(table, done, max(total, done))


def _positions(source: Log, target: Log, positions: Positions) -> Positions:
    """Where a stage stands in the target: in each partition, before the first record that it
    has yet to read."""
    moved: dict[str, dict[int, int]] = {}
    for topic, at in positions.items():
        unread = {_identity(message) for message in source.read(topic, at)}
        first: dict[int, int] = {}
        end: dict[int, int] = {}
        for message in target.read(topic):
            end[message.partition] = message.offset + 1
            if _identity(message) in unread:
                first.setdefault(message.partition, message.offset)
        moved[topic] = {**end, **first}
    return moved


def _batches(messages: Iterator[Message]) -> Iterator[list[Message]]:
    batch: list[Message] = []
    size = 0
    for message in messages:
        batch.append(message)
        size += len(message.value)
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
