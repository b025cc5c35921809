"""What a message or a row is on Kafka: key and value as they are, the rest in headers.

    t     when it was written, by the clock of who wrote it: microseconds since 1970, decimal
    due   of a row, when work on it is due, likewise; absent when there is none
    at    of a row, its partition key; absent when that is its key

The broker's own timestamp is the time of arrival (`message.timestamp.type`), so that
a machine whose clock is wrong cannot make its records look old, or be refused.
A record without a value is a row that was deleted.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import xxhash

from streams.errors import TooLarge
from streams.kafka_client import RECORD_BYTES
from streams.log import Message
from streams.moments import from_us
from streams.sqlite_tables import Columns

Headers = list[tuple[str, bytes]]
_OVERHEAD: Final = 100  # bytes of a record beside key, value and headers, at most


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record on its way out, by the physical name of its topic."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: Headers


def partition_of(partition_key: str, partitions: int) -> int:
    """Which partition a key lies in; never to be changed, or rows are looked for elsewhere."""
    if partitions == 1:
        return 0
    return xxhash.xxh64_intdigest(partition_key.encode("utf-8")) % partitions


def outgoing(
    topic: str,
    partitions: int,
    key: str,
    value: bytes | None,
    partition_key: str,
    now_us: int,
    due_us: int | None = None,
    *,
    is_row: bool = False,
) -> Outgoing:
    """Raises ValueError for what cannot be stored: text with lone surrogates, or TooLarge."""
    headers: Headers = [("t", b"%d" % now_us)]
    if due_us is not None:
        headers.append(("due", b"%d" % due_us))
    if is_row and value is not None and partition_key != key:
        headers.append(("at", partition_key.encode("utf-8")))
    encoded = key.encode("utf-8")
    size = len(encoded) + len(value or b"") + sum(len(h[1]) + 8 for h in headers) + _OVERHEAD
    if size > RECORD_BYTES:
        raise TooLarge(f"{topic}: a record of {size:,} bytes; brokers take {RECORD_BYTES:,}")
    return Outgoing(topic, partition_of(partition_key, partitions), encoded, value, headers)


def message_of(record: Any, topic: str) -> Message:
    """A consumed record of a topic, under the topic's logical name."""
    return Message(
        topic, record.partition, record.offset, _key(record), _written(record), record.value or b""
    )


def columns_of(record: Any) -> Columns:
    """A consumed record of a table whose value is not None."""
    headers = dict(record.headers)
    key = _key(record)
    due = headers.get("due")
    at = headers.get("at")
    return (
        key,
        record.value,
        None if due is None else int(due),
        key if at is None else at.decode("utf-8"),
        _written_us(record, headers),
    )


def _key(record: Any) -> str:
    return (record.key or b"").decode("utf-8", "replace")


def _written(record: Any) -> datetime:
    return from_us(_written_us(record, dict(record.headers)))


def _written_us(record: Any, headers: Mapping[str, bytes]) -> int:
    """What another program wrote has no time of its own but the broker's."""
    try:
        return int(headers["t"])
    except (KeyError, ValueError):
        return int((record.timestamp or time.time() * 1000) * 1000)
