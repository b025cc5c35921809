"""The log in one SQLite file, for one machine: several threads and processes share it.

    SqliteLog ── stage() ──▶ SqliteStage    reads, decides, writes (streams.sqlite_stage)
        │                        └── Seat   one instance a stage (streams.seats)
        ├── read(), topics()                beside a running daemon, or without one
        └── expire()                        old records out, disk given back

The file is in WAL mode with `synchronous=FULL`: a commit is on the disk when it returns,
readers never wait for writers, and writers wait for each other for at most the busy
timeout. No transaction is ever open while anybody else's code runs. There is one
partition, number 0.

The file is made by the first stage that acquires its seat, and so is its folder if the
folder's parent exists; readers make nothing.
"""

import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from streams import sqlite_tables
from streams.log import Clock, Lag, Message, Positions, Row, TopicInfo
from streams.moments import from_us, to_us
from streams.sqlite_errors import translated
from streams.sqlite_file import open_reader, open_writer, roll_back, write_transaction
from streams.sqlite_names import quoted
from streams.sqlite_stage import Commits, SqliteStage

READ_RECORDS: Final = 200  # a page of read(): no read transaction lasts longer
EXPIRE_RECORDS: Final = 500  # deleted in one transaction
VACUUM_PAGES: Final = 1000  # given back in one transaction


class Progress(NamedTuple):
    gone: int
    more: bool  # whether there may be more to do


Step = Callable[[sqlite3.Connection], Progress]


class SqliteLog:
    """Implements `streams.log.Log`.

    Nothing is opened here: a file that is missing, foreign or locked shows at the first
    use. A stage that waits is woken by commits of its own process, and looks for those of
    others every `poll_interval_s`. `max_page_count` bounds the file (pages of 4 KB); beyond
    it the disk counts as full.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        poll_interval_s: float = 0.1,
        busy_timeout_s: float = 5.0,
        max_page_count: int | None = None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._poll_interval_s = poll_interval_s
        self._busy_timeout_s = busy_timeout_s
        self._max_page_count = max_page_count
        self._writing = threading.Lock()
        self._commits = Commits()

    def stage(self, name: str, reads: Sequence[str] = ()) -> SqliteStage:
        return SqliteStage(
            self._path,
            name,
            reads,
            clock=self._clock,
            writing=self._writing,
            commits=self._commits,
            poll_interval_s=self._poll_interval_s,
            busy_timeout_s=self._busy_timeout_s,
            max_page_count=self._max_page_count,
        )

    def claim(self) -> None:
        """Processes that share a file need no names: one works, the others stand by."""

    def topics(self) -> Sequence[TopicInfo]:
        with translated(self._path), closing(self._reader()) as connection:
            connection.execute("BEGIN")  # one moment for all of them
            try:
                return [
                    _topic_info(connection, name, end, records, size)
                    if kind == "topic"
                    else _table_info(connection, name)
                    for name, kind, end, records, size in connection.execute(
                        "SELECT name, kind, end_offset, records, bytes FROM rasid_names"
                        " ORDER BY kind DESC, name"
                    ).fetchall()
                ]
            finally:
                roll_back(connection)

    def problems(self) -> Sequence[str]:
        return []

    def lag(self) -> Lag:
        behind: dict[str, dict[str, int]] = defaultdict(dict)
        for topic in self.topics():
            for stage, records in topic.positions.items():
                behind[stage][topic.name] = records
        return behind

    def read(self, topic: str, start: int | Mapping[int, int] | None = None) -> Iterator[Message]:
        with translated(self._path), closing(self._reader()) as connection:
            row = connection.execute(
                "SELECT kind, end_offset FROM rasid_names WHERE name = ?", (topic,)
            ).fetchone()
        if row is None:
            raise KeyError(topic)
        kind, end = row
        if isinstance(start, Mapping):
            start = start.get(0)
        return (
            self._read_topic(topic, start or 0, end) if kind == "topic" else self._read_table(topic)
        )

    def rows(self, table: str) -> Iterator[Row]:
        with translated(self._path), closing(self._reader()) as connection:
            row = connection.execute(
                "SELECT 1 FROM rasid_names WHERE name = ? AND kind = 'table'", (table,)
            ).fetchone()
        if row is None:
            raise KeyError(table)
        return self._rows(table)

    def _rows(self, table: str) -> Iterator[Row]:
        with translated(self._path), closing(self._reader()) as connection:
            yield from sqlite_tables.scan(connection, table)

    def positions(self) -> Mapping[str, Positions]:
        found: dict[str, dict[str, dict[int, int]]] = {}
        with translated(self._path), closing(self._reader()) as connection:
            for stage, topic, offset in connection.execute(
                "SELECT stage, topic, next_offset FROM rasid_positions"
            ).fetchall():
                found.setdefault(stage, {})[topic] = {0: offset}
        return found

    def set_positions(self, stage: str, positions: Positions) -> None:
        with (
            translated(self._path),
            closing(self._writer()) as connection,
            write_transaction(connection, self._path, self._writing, self._busy_timeout_s),
        ):
            connection.executemany(
                "INSERT INTO rasid_positions VALUES (?, ?, ?) ON CONFLICT (stage, topic)"
                " DO UPDATE SET next_offset = excluded.next_offset",
                [(stage, topic, at[0]) for topic, at in positions.items() if at],
            )

    def expire(self, max_age_s: Mapping[str, float], now: datetime) -> int:
        """As the contract says, in short transactions. After each it rests for as long as
        it took, so that stages get their turn."""
        gone = 0
        with translated(self._path), closing(self._writer()) as connection:
            kinds = dict(connection.execute("SELECT name, kind FROM rasid_names").fetchall())
            for name, age_s in max_age_s.items():
                before = to_us(now - timedelta(seconds=age_s))
                if kinds.get(name) == "topic":
                    gone += self._chunks(connection, _Records(name, before, to_us(now)))
                elif kinds.get(name) == "table":
                    gone += self._chunks(connection, _Rows(name, before))
            self._vacuum(connection)
            # Folds the write-ahead file in and cuts both; where a reader is in the way, the
            # next time does it.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return gone

    def _chunks(self, connection: sqlite3.Connection, step: Step) -> int:
        """Run `step` in transactions of its own until it has nothing left to do."""
        gone = 0
        more = True
        while more:
            began = time.monotonic()
            with write_transaction(connection, self._path, self._writing, self._busy_timeout_s):
                done, more = step(connection)
            gone += done
            time.sleep(time.monotonic() - began if more else 0)
        return gone

    def _vacuum(self, connection: sqlite3.Connection) -> None:
        """Give free pages back, in transactions of SQLite's own."""
        free: int | None = None
        while True:
            began = time.monotonic()
            before, (free,) = free, connection.execute("PRAGMA freelist_count").fetchone()
            if not free or free == before:
                return
            with self._writing:
                # It frees a page each time it is stepped; only executescript steps to the end.
                connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES:d})")
            time.sleep(time.monotonic() - began)

    def close(self) -> None:
        """Nothing is held here; stages and readers close their own connections."""

    def _reader(self) -> sqlite3.Connection:
        return open_reader(self._path, busy_timeout_s=self._busy_timeout_s)

    def _writer(self) -> sqlite3.Connection:
        return open_writer(
            self._path,
            busy_timeout_s=self._busy_timeout_s,
            max_page_count=self._max_page_count,
            create=False,
        )

    def _read_topic(self, topic: str, start: int, end: int) -> Iterator[Message]:
        with translated(self._path), closing(self._reader()) as connection:
            while page := connection.execute(
                f"SELECT offset, key, time, value FROM {quoted('topic', topic)}"  # noqa: S608
                " WHERE offset >= ? AND offset < ? ORDER BY offset LIMIT ?",
                (start, end, READ_RECORDS),
            ).fetchall():
                for offset, key, written, value in page:
                    yield Message(topic, 0, offset, key, from_us(written), value)
                start = page[-1][0] + 1

    def _read_table(self, table: str) -> Iterator[Message]:
        for row in self._rows(table):
            assert row.time is not None
            yield Message(table, 0, 0, row.key, row.time, row.value)


def _topic_info(
    connection: sqlite3.Connection, name: str, end: int, records: int, size: int
) -> TopicInfo:
    it = quoted("topic", name)
    (first,) = connection.execute(f"SELECT min(offset) FROM {it}").fetchone()  # noqa: S608
    positions = {}
    for stage, position in connection.execute(
        "SELECT stage, next_offset FROM rasid_positions WHERE topic = ?", (name,)
    ).fetchall():
        behind = end - position
        if first is None or behind <= 0:
            positions[stage] = 0
        elif records == end - first:  # no holes: no need to count
            positions[stage] = min(behind, records)
        else:
            (positions[stage],) = connection.execute(
                f"SELECT count(*) FROM {it} WHERE offset >= ?",  # noqa: S608
                (position,),
            ).fetchone()
    return TopicInfo(
        name,
        "topic",
        records,
        1,
        first_offset=first,
        end_offset=end,
        bytes=size,
        positions=positions,
    )


def _table_info(connection: sqlite3.Connection, name: str) -> TopicInfo:
    (rows, due) = connection.execute(
        f"SELECT (SELECT count(*) FROM {quoted('table', name)}),"  # noqa: S608
        f" (SELECT count(*) FROM {quoted('table', name)} WHERE due IS NOT NULL)"
    ).fetchone()
    return TopicInfo(name, "table", rows, 1, due=due)


class _Records:
    """Deletes old records of one topic, a chunk at each call, from its beginning on.

    Records stand in the order of their times, nearly: a clock may have been wrong for a
    while. So it ends at the first chunk that holds nothing but what is to be kept, and
    walks over records dated in the future as if they were not there. Records that not
    every reading stage has passed are kept."""

    def __init__(self, topic: str, before: int, now: int) -> None:
        self._topic, self._before, self._now = topic, before, now
        self._next = 0

    def __call__(self, connection: sqlite3.Connection) -> Progress:
        it = quoted("topic", self._topic)
        (passed,) = connection.execute(
            "SELECT min(next_offset) FROM rasid_positions WHERE topic = ?", (self._topic,)
        ).fetchone()
        chunk = connection.execute(
            f"SELECT offset, time, length(value) FROM {it}"  # noqa: S608
            " WHERE offset >= ?1 AND (?2 IS NULL OR offset < ?2) ORDER BY offset LIMIT ?3",
            (self._next, passed, EXPIRE_RECORDS),
        ).fetchall()
        old = [(offset, size) for offset, at, size in chunk if at < self._before]
        connection.executemany(
            f"DELETE FROM {it} WHERE offset = ?",  # noqa: S608
            [(offset,) for offset, _ in old],
        )
        connection.execute(
            "UPDATE rasid_names SET records = records - ?, bytes = bytes - ? WHERE name = ?",
            (len(old), sum(size for _, size in old), self._topic),
        )
        if chunk:
            self._next = chunk[-1][0] + 1
        return Progress(len(old), any(at < self._before or at > self._now for _, at, _ in chunk))


class _Rows:
    """Deletes old rows without work due of one table, a chunk at each call."""

    def __init__(self, table: str, before: int) -> None:
        self._table, self._before = table, before

    def __call__(self, connection: sqlite3.Connection) -> Progress:
        it = quoted("table", self._table)
        gone = connection.execute(
            f"DELETE FROM {it} WHERE rowid IN"  # noqa: S608
            f" (SELECT rowid FROM {it} WHERE due IS NULL AND time < ? LIMIT ?)",
            (self._before, EXPIRE_RECORDS),
        ).rowcount
        return Progress(gone, gone == EXPIRE_RECORDS)
