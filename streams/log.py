"""The log: topics, tables and positions, and the one way to write them.

A stage owns its working position and its tables. It polls messages, decides, gathers
what it writes in a `Transaction` (memory only), and commits that together with the
position in one step: all of it is in the log afterwards, or none. No carrier keeps
anything open between `poll` and `commit`, so a slow handler blocks nobody.

    stage = log.stage("process", reads=(ARTICLES, BACKFILL))
    while not stage.acquire(timeout_s=1): ...   # another instance works; stand by
    messages = stage.poll(100, timeout_s=0.5)
    tx = Transaction()
    for message in messages: tx.append(FLAGS, key, value)
    stage.commit(tx, after=messages)            # outputs and position, together

`streams.worker` is that loop with retries and dead letters; the edges (collect, the
sender) drive a stage themselves. `streams.sqlite` carries it in one file, `streams.kafka`
on a cluster.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

Clock = Callable[[], datetime]  # answers an aware datetime in UTC
Positions = Mapping[str, Mapping[int, int]]  # topic → partition → offset
Lag = Mapping[str, Mapping[str, int]]  # stage → topic → messages behind its end


@dataclass(frozen=True, slots=True)
class Message:
    """A committed record of a topic. Offsets grow within a partition and are never reused;
    gaps may occur."""

    topic: str
    partition: int
    offset: int
    key: str
    time: datetime
    value: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table. `due` is when work on it is to be taken up, None when there is none."""

    key: str
    value: bytes
    due: datetime | None = None
    partition_key: str = ""
    time: datetime | None = None  # when it was last written


@dataclass(frozen=True, slots=True)
class Append:
    topic: str
    key: str
    value: bytes
    partition_key: str
    time: datetime | None = None


@dataclass(slots=True)
class Transaction:
    """What one commit writes, gathered in memory. Order of appends is kept within a
    partition; of several writes of one row the last one stands. `time` is for copies of what
    was written before; all else is of the moment of the commit."""

    appends: list[Append] = field(default_factory=list)
    rows: dict[tuple[str, str], Row | None] = field(default_factory=dict)  # None: delete

    def append(
        self,
        topic: str,
        key: str,
        value: bytes,
        *,
        partition_key: str = "",
        time: datetime | None = None,
    ) -> None:
        """Add a record; without a partition key the key decides the partition."""
        self.appends.append(Append(topic, key, value, partition_key or key, time))

    def put(
        self,
        table: str,
        key: str,
        value: bytes,
        *,
        due: datetime | None = None,
        partition_key: str = "",
        time: datetime | None = None,
    ) -> None:
        """Write a row; it replaces the one with that key."""
        self.rows[table, key] = Row(key, value, due, partition_key or key, time)

    def delete(self, table: str, key: str) -> None:
        self.rows[table, key] = None

    def absorb(self, other: "Transaction") -> None:
        """Add all that `other` writes, after what is here."""
        self.appends.extend(other.appends)
        self.rows.update(other.rows)

    @property
    def size(self) -> int:
        """Bytes of the values it writes."""
        written = (row.value for row in self.rows.values() if row is not None)
        return sum(map(len, written)) + sum(len(each.value) for each in self.appends)

    def __bool__(self) -> bool:
        return bool(self.appends or self.rows)


class Stage(Protocol):
    """One stage's seat at the log. Not for sharing between threads. It must be called now and
    then (a `poll` of nothing will do), or on Kafka it counts as dead after ten minutes.

    Any call may raise LogUnavailable (nothing was written; try again later) or
    OwnershipLost (drop what is held in memory, acquire again)."""

    name: str

    def acquire(self, timeout_s: float) -> bool:
        """Become the working instance; False when another still is after `timeout_s`.
        Blocks. May be called again after OwnershipLost."""

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Message]:
        """The next committed messages of the topics read, each partition's in order,
        a topic named earlier in `reads` first when several wait. Returns as soon as there
        is one, else empty after `timeout_s`. Polling again without a commit goes on after
        what was given out; `rewind` goes back to the last commit."""

    def rewind(self) -> None:
        """Forget what was given out and not committed."""

    def commit(self, tx: Transaction, after: Iterable[Message] = ()) -> None:
        """Write `tx` and move the position past `after`, in one transaction, durable on
        return. Each partition's messages in `after` must be the next ones, without a hole;
        ValueError otherwise."""

    def owns(self, partition_key: str) -> bool:
        """Whether rows with this partition key are this instance's to work. All are, where one
        instance works the whole stage."""

    def get(self, table: str, key: str) -> Row | None:
        """A row as last committed. Tables read must be this stage's own."""

    def scan(self, table: str, prefix: str = "") -> Iterator[Row]:
        """Rows whose key begins with `prefix`, by key. Reads as it goes; do not commit
        between two rows."""

    def due(self, table: str, until: datetime, limit: int) -> Sequence[Row]:
        """Rows due at or before `until`, the earliest first."""

    def next_due(self, table: str) -> datetime | None:
        """When the earliest row of the table is due."""

    def close(self) -> None:
        """Give the seat up at once, so that another instance can take it. May be repeated."""


@dataclass(frozen=True, slots=True)
class TopicInfo:
    name: str
    kind: str  # "topic" or "table"
    records: int  # committed and retained; rows of a table
    partitions: int
    first_offset: int | None = None
    end_offset: int | None = None  # one past the last; summed over partitions
    bytes: int | None = None
    due: int | None = None  # rows with work waiting (tables)
    positions: Mapping[str, int] = field(default_factory=dict)  # stage → messages behind the end


class Log(Protocol):
    """A carrier. Safe to share between threads; each stage and reader has its own connection."""

    def stage(self, name: str, reads: Sequence[str] = ()) -> Stage:
        """A seat for a stage, not yet acquired. `reads`: the topics it polls, urgent first.
        A stage new to the log starts at the beginning of each."""

    def claim(self) -> None:
        """Refuse to go on where another process of this machine works a stage of ours under our
        name: raises IdentityTaken."""

    def topics(self) -> Sequence[TopicInfo]:
        """Every topic and table there is, with counts, sizes, positions."""

    def problems(self) -> Sequence[str]:
        """What is wrong with the topics that are there, a sentence each."""

    def lag(self) -> Lag:
        """How far each stage is behind in each topic it reads; on Kafka, where that is far,
        counted by offsets, which is a little too much. Cheap: for gauges."""

    def read(self, topic: str, start: int | Mapping[int, int] | None = None) -> Iterator[Message]:
        """Committed messages of a topic, or rows of a table (as messages, offset 0, by key),
        from offset `start` on, ending at the present end; `start` may tell offsets by
        partition. Of several partitions, each in order, and nearly by time. Disturbs nobody.
        Raises KeyError when there is no such topic."""

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of a table as they stand, by key, whoever owns them.
        Raises KeyError when there is no such table."""

    def positions(self) -> Mapping[str, Positions]:
        """stage → topic → partition → the next offset it will read."""

    def set_positions(self, stage: str, positions: Positions) -> None:
        """Let a stage go on from elsewhere. Only while nobody works it."""

    def expire(self, max_age_s: Mapping[str, float], now: datetime) -> int:
        """Delete records (that every stage reading the topic has passed) and rows (with no
        work due) last written longer ago than `max_age_s[name]`, and give the disk back.
        Returns how many went."""

    def close(self) -> None: ...
