"""A stage's seat at the SQLite log.

Two things guard the seat. The lock file (`streams.seats`) lets one instance in at a time
and dies with it. The stage's number in `rasid_seats`, one higher with every acquisition
and commit, is checked inside every commit: whoever holds an older one has not seen what
is in the log now, be it a stage whose lock was lost (its file removed, a failed disk) or
one whose commit was reported failed and landed after all. Both get OwnershipLost, read
the log again, and repeat nothing.
"""

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from streams import sqlite_tables
from streams.errors import LogUnavailable, OwnershipLost
from streams.log import Clock, Message, Row, Transaction
from streams.moments import from_us, to_us
from streams.seats import Seat
from streams.sqlite_errors import missing, translated
from streams.sqlite_file import make_folder, open_writer, write_transaction
from streams.sqlite_names import append_records, ensure_name, quoted

_BEHIND: Final = "the log has moved on without this instance"


class Commits:
    """Wakes the stages of one process at each other's commits; those of other processes are
    looked for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.count = 0

    def tell(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout_s: float) -> None:
        """Until there are more than `seen`, for `timeout_s` at most."""
        with self._changed:
            self._changed.wait_for(lambda: self.count != seen, timeout_s)


class SqliteStage:
    """Implements `streams.log.Stage`."""

    def __init__(
        self,
        path: Path,
        name: str,
        reads: Sequence[str],
        *,
        clock: Clock,
        writing: threading.Lock,
        commits: Commits,
        poll_interval_s: float,
        busy_timeout_s: float,
        max_page_count: int | None,
    ) -> None:
        self.name = name
        self._path = path
        self._reads = tuple(reads)
        self._clock = clock
        self._writing = writing
        self._commits = commits
        self._poll_interval_s = poll_interval_s
        self._busy_timeout_s = busy_timeout_s
        self._max_page_count = max_page_count
        self._seat = Seat(path.with_name(f"{path.name}.{name}.lock"))
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] = (0, 0)  # device and inode of the file that is open
        self._turn = 0  # our number in rasid_seats
        self._known: set[tuple[str, str]] = set()  # (kind, name) that certainly exist
        self._positions: dict[str, int] = {}  # as committed
        self._cursors: dict[str, int] = {}  # where the next poll goes on
        self._data_version = -1  # of the file, when the last poll found nothing more
        self._idle = False  # nothing waits unless the data version changes

    def acquire(self, timeout_s: float) -> bool:
        self._disconnect()  # after a loss nothing held is worth trusting
        try:
            make_folder(self._path)  # the lock file is in it, too
            if not self._seat.take(timeout_s):
                return False
            self._connect()
        except BaseException:
            self.close()
            raise
        return True

    def close(self) -> None:
        self._seat.leave()
        self._disconnect()

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Message]:
        deadline = time.monotonic() + timeout_s
        with translated(self._path):
            connection = self._working()
            while True:
                commits = self._commits.count
                (version,) = connection.execute("PRAGMA data_version").fetchone()
                if version != self._data_version:  # someone else has committed
                    self._check_turn(connection)
                    self._data_version, self._idle = version, False
                if not self._idle:
                    for topic in self._reads:
                        if messages := self._fetch(connection, topic, max_records):
                            return messages
                    self._idle = True
                left = deadline - time.monotonic()
                if left <= 0:
                    return ()
                self._commits.wait(commits, min(self._poll_interval_s, left))

    def rewind(self) -> None:
        self._cursors = dict(self._positions)
        self._idle = False

    def commit(self, tx: Transaction, after: Iterable[Message] = ()) -> None:
        with translated(self._path):
            connection = self._working()
            moved = self._moved(connection, after)
            if not (tx or moved):
                return
            with self._immediate(connection):
                # 1. Still our turn? Otherwise somebody has written what we have not read.
                self._take_turn(connection)
                # 2. The records, numbered on from each topic's end.
                now = to_us(self._clock())
                append_records(connection, tx, now, self._known)
                # 3. The rows.
                self._write_rows(connection, tx, now)
                # 4. The position. All of it is in the log with COMMIT, or none.
                connection.executemany(
                    "UPDATE rasid_positions SET next_offset = ? WHERE stage = ? AND topic = ?",
                    [(offset, self.name, topic) for topic, offset in moved.items()],
                )
        # 5. Only now is it true in memory as well.
        self._turn += 1
        self._known.update(("topic", item.topic) for item in tx.appends)
        self._known.update(("table", table) for table, _ in tx.rows)
        self._positions.update(moved)
        for topic, offset in moved.items():
            self._cursors[topic] = max(self._cursors[topic], offset)
        self._idle = False  # our own commits do not change the data version we see
        self._commits.tell()

    def owns(self, partition_key: str) -> bool:
        return True

    def get(self, table: str, key: str) -> Row | None:
        with self._table(table) as connection:
            return sqlite_tables.get(connection, table, key) if connection else None

    def scan(self, table: str, prefix: str = "") -> Iterator[Row]:
        rows = self._page(table, prefix, after=False)
        while rows:
            for row in rows:
                if not row.key.startswith(prefix):
                    return
                yield row
            rows = self._page(table, rows[-1].key, after=True)

    def due(self, table: str, until: datetime, limit: int) -> Sequence[Row]:
        with self._table(table) as connection:
            return sqlite_tables.due(connection, table, until, limit) if connection else []

    def next_due(self, table: str) -> datetime | None:
        with self._table(table) as connection:
            return sqlite_tables.next_due(connection, table) if connection else None

    # --- the connection -----------------------------------------------------------------

    def _connect(self) -> None:
        """Open the file, take the next turn, and learn where the stage stands."""
        with translated(self._path):
            connection = self._connection = open_writer(
                self._path,
                busy_timeout_s=self._busy_timeout_s,
                max_page_count=self._max_page_count,
            )
            with self._immediate(connection):
                connection.execute(
                    "INSERT INTO rasid_seats VALUES (?, 1)"
                    " ON CONFLICT (stage) DO UPDATE SET turn = turn + 1",
                    (self.name,),
                )
                for topic in self._reads:
                    ensure_name(connection, "topic", topic)
                    connection.execute(
                        "INSERT INTO rasid_positions VALUES (?, ?, 0) ON CONFLICT DO NOTHING",
                        (self.name, topic),
                    )
                (self._turn,) = connection.execute(
                    "SELECT turn FROM rasid_seats WHERE stage = ?", (self.name,)
                ).fetchone()
                positions = connection.execute(
                    "SELECT topic, next_offset FROM rasid_positions WHERE stage = ?", (self.name,)
                ).fetchall()
        self._file = self._identity()
        self._known = {("topic", topic) for topic in self._reads}
        self._positions = {topic: offset for topic, offset in positions if topic in self._reads}
        self._data_version = -1
        self.rewind()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _working(self) -> sqlite3.Connection:
        """The connection, if the seat is ours and the file is still the one in its place."""
        if self._connection is None or not self._seat.held:
            raise OwnershipLost(f"stage {self.name} is not acquired")
        if self._identity() != self._file:
            raise self._lost(f"{self._path}: another file stands in its place now")
        return self._connection

    def _identity(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except FileNotFoundError as error:  # SQLite would go on writing into the removed file
            raise missing(self._path) from error
        except OSError as error:
            raise LogUnavailable(f"{self._path}: {error.strerror}", reason="io") from error
        return status.st_dev, status.st_ino

    def _immediate(self, connection: sqlite3.Connection) -> AbstractContextManager[None]:
        return write_transaction(connection, self._path, self._writing, self._busy_timeout_s)

    # --- the steps of a commit ----------------------------------------------------------

    def _take_turn(self, connection: sqlite3.Connection) -> None:
        changed = connection.execute(
            "UPDATE rasid_seats SET turn = turn + 1 WHERE stage = ? AND turn = ?",
            (self.name, self._turn),
        ).rowcount
        if changed != 1:
            raise self._lost(f"{self._path}: {_BEHIND} of stage {self.name}")

    def _check_turn(self, connection: sqlite3.Connection) -> None:
        row = connection.execute(
            "SELECT turn FROM rasid_seats WHERE stage = ?", (self.name,)
        ).fetchone()
        if row is None or row[0] != self._turn:
            raise self._lost(f"{self._path}: {_BEHIND} of stage {self.name}")

    def _write_rows(self, connection: sqlite3.Connection, tx: Transaction, now: int) -> None:
        puts: dict[str, list[sqlite_tables.Columns]] = {}
        deletes: dict[str, list[str]] = {}
        for (table, key), row in tx.rows.items():
            if ("table", table) not in self._known:
                ensure_name(connection, "table", table)
            if row is None:
                deletes.setdefault(table, []).append(key)
            else:
                puts.setdefault(table, []).append(sqlite_tables.columns(row, now))
        for table, rows in puts.items():
            sqlite_tables.put_rows(connection, table, rows)
        for table, keys in deletes.items():
            sqlite_tables.delete_rows(connection, table, keys)

    def _lost(self, message: str) -> OwnershipLost:
        self._seat.leave()
        return OwnershipLost(message)

    def _moved(self, connection: sqlite3.Connection, after: Iterable[Message]) -> dict[str, int]:
        """Where the position stands after these messages. ValueError where one was skipped."""
        moved: dict[str, int] = {}
        for message in after:
            topic, offset = message.topic, message.offset
            if topic not in self._positions:
                raise ValueError(f"stage {self.name} does not read {topic}")
            expected = moved.get(topic, self._positions[topic])
            if offset < expected:
                raise ValueError(f"{topic}: {offset} is behind the position, {expected}")
            if offset > expected:  # a hole is allowed where records were expired
                row = connection.execute(
                    f"SELECT offset FROM {quoted('topic', topic)}"  # noqa: S608
                    " WHERE offset >= ? AND offset < ? LIMIT 1",
                    (expected, offset),
                ).fetchone()
                if row is not None:
                    raise ValueError(f"{topic}: {row[0]} comes before {offset}")
            moved[topic] = offset + 1
        return moved

    # --- reading ------------------------------------------------------------------------

    def _fetch(
        self, connection: sqlite3.Connection, topic: str, max_records: int
    ) -> Sequence[Message]:
        messages = [
            Message(topic, 0, offset, key, from_us(written), value)
            for offset, key, written, value in connection.execute(
                f"SELECT offset, key, time, value FROM {quoted('topic', topic)}"  # noqa: S608
                " WHERE offset >= ? ORDER BY offset LIMIT ?",
                (self._cursors[topic], max_records),
            )
        ]
        if messages:
            self._cursors[topic] = messages[-1].offset + 1
        return messages

    def _page(self, table: str, start: str, *, after: bool) -> Sequence[Row]:
        with self._table(table) as connection:
            return sqlite_tables.page(connection, table, start, after=after) if connection else []

    @contextmanager
    def _table(self, table: str) -> Iterator[sqlite3.Connection | None]:
        """The connection to read `table` on; None when there is no such table."""
        with translated(self._path):
            connection = self._working()
            yield connection if self._exists(connection, "table", table) else None

    def _exists(self, connection: sqlite3.Connection, kind: str, name: str) -> bool:
        if (kind, name) not in self._known:
            row = connection.execute(
                "SELECT 1 FROM rasid_names WHERE name = ? AND kind = ?", (name, kind)
            ).fetchone()
            if row is None:
                return False
            self._known.add((kind, name))
        return True
