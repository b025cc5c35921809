"""A stage's tables: compacted topics, restored into a private SQLite file to be looked into.

The file is the process's own and temporary; the topics are the truth. SQLite keeps it in memory
while it is small. Restored is what is in the partitions that the stage owns, to the last stable
offset, each time it is given partitions.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import structlog
from kafka.structs import TopicPartition

from streams import sqlite_tables
from streams.kafka_client import TRANSACTION_S
from streams.kafka_reader import Reader
from streams.kafka_records import Outgoing, columns_of, outgoing, partition_of
from streams.kafka_topics import MANY, OWNED, Cluster
from streams.log import Row, Transaction
from streams.sqlite_names import ensure_name, quoted
from streams.sqlite_tables import Columns

log = structlog.get_logger(__name__)

PROGRESS_S: Final = 5.0


class Store:
    """Rows by table and key, in order."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=MEMORY")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute(
            "CREATE TABLE rasid_names (name TEXT PRIMARY KEY, kind TEXT NOT NULL)"
        )

    def add(self, table: str) -> None:
        ensure_name(self._connection, "table", table)

    def take(self, table: str, records: Sequence[Any]) -> None:
        """Take in consumed records, in their order; of several of one key the last stands."""
        last: dict[str, Columns | None] = {}
        for record in records:
            if record.value is None:
                last[record.key.decode("utf-8")] = None
            else:
                row = columns_of(record)
                last[row[0]] = row
        self.write(table, last)

    def write(self, table: str, rows: dict[str, Columns | None]) -> None:
        connection = self._connection
        connection.execute("BEGIN")
        try:
            sqlite_tables.put_rows(connection, table, [r for r in rows.values() if r is not None])
            sqlite_tables.delete_rows(connection, table, [k for k, r in rows.items() if r is None])
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def get(self, table: str, key: str) -> Row | None:
        return sqlite_tables.get(self._connection, table, key)

    def scan(self, table: str, prefix: str = "") -> Iterator[Row]:
        return sqlite_tables.scan(self._connection, table, prefix)

    def due(self, table: str, until: datetime, limit: int) -> list[Row]:
        return sqlite_tables.due(self._connection, table, until, limit)

    def next_due(self, table: str) -> datetime | None:
        return sqlite_tables.next_due(self._connection, table)

    def counts(self, table: str) -> tuple[int, int]:
        """Rows, and those with work due."""
        it = quoted("table", table)
        (rows, due) = self._connection.execute(
            f"SELECT count(*), count(due) FROM {it}"  # noqa: S608
        ).fetchone()
        return rows, due

    def old(self, table: str, before_us: int, limit: int) -> list[Row]:
        """Rows without work, last written before then."""
        return sqlite_tables.select(
            self._connection, table, "WHERE due IS NULL AND time < ? LIMIT ?", before_us, limit
        )

    def close(self) -> None:
        self._connection.close()


class Tables:
    """The tables of a working stage. One it does not own by its name is restored when it is
    first used."""

    def __init__(self, cluster: Cluster, stage: str, assigned: Sequence[TopicPartition]) -> None:
        """Restores; raises kafka-python's errors and LogUnavailable."""
        self._cluster = cluster
        self._store = Store()
        self._reader = Reader(cluster)
        self._own = OWNED.get(stage, ())
        self._assigned = {tp.partition for tp in assigned}
        self._there: set[str] = set()
        try:
            for table in self._own:
                self.has(table)
            self._reader.close()  # till a table is used that is not ours by name
        except BaseException:
            self.close()
            raise

    def has(self, table: str) -> bool:
        """Whether there is such a table; from then on it can be used."""
        if table in self._there:
            return True
        partitions = self._cluster.of(table)
        if not partitions:
            return False
        if table in self._own and table in MANY:
            partitions = [tp for tp in partitions if tp.partition in self._assigned]
        self._store.add(table)
        self._restore(table, partitions)
        self._there.add(table)
        return True

    def is_ours(self, table: str, partition_key: str) -> bool:
        """Whether a row with this partition key would lie in a partition of ours."""
        if table not in self._own or table not in MANY:
            return True
        return partition_of(partition_key, self._count(table)) in self._assigned

    def outgoing(self, tx: Transaction, now_us: int) -> list[Outgoing]:
        """The records that carry the rows of a transaction. ValueError for what cannot be."""
        records: list[Outgoing] = []
        for (table, key), row in tx.rows.items():
            if not self.has(table):
                raise ValueError(f"there is no table {table}")
            topic, count = self._cluster.physical(table), self._count(table)
            before = self._store.get(table, key) if row is None or count > 1 else None
            if row is None:
                if before is not None:
                    at = before.partition_key
                    records.append(outgoing(topic, count, key, None, at, now_us, is_row=True))
                continue
            if not self.is_ours(table, row.partition_key):
                raise ValueError(f"{table}: {key} lies in a partition of another instance")
            if before is not None and before.partition_key != row.partition_key:
                at = before.partition_key
                if partition_of(at, count) != partition_of(row.partition_key, count):
                    records.append(outgoing(topic, count, key, None, at, now_us, is_row=True))
            _, value, due, at, written = sqlite_tables.columns(row, now_us)
            records.append(outgoing(topic, count, key, value, at, written, due, is_row=True))
        return records

    def apply(self, tx: Transaction, now_us: int) -> None:
        """Take in what is committed."""
        by_table: dict[str, dict[str, Columns | None]] = {}
        for (table, key), row in tx.rows.items():
            by_table.setdefault(table, {})[key] = (
                None if row is None else sqlite_tables.columns(row, now_us)
            )
        for table, rows in by_table.items():
            self._store.write(table, rows)

    def get(self, table: str, key: str) -> Row | None:
        return self._store.get(table, key) if self.has(table) else None

    def scan(self, table: str, prefix: str) -> Iterator[Row]:
        return self._store.scan(table, prefix) if self.has(table) else iter(())

    def due(self, table: str, until: datetime, limit: int) -> list[Row]:
        return self._store.due(table, until, limit) if self.has(table) else []

    def next_due(self, table: str) -> datetime | None:
        return self._store.next_due(table) if self.has(table) else None

    def old(self, table: str, before_us: int, limit: int) -> list[Row]:
        return self._store.old(table, before_us, limit) if table in self._there else []

    def close(self) -> None:
        self._reader.close()
        self._store.close()

    def _count(self, table: str) -> int:
        return self._cluster.partitions()[table]

    def _restore(self, table: str, partitions: Sequence[TopicPartition]) -> None:
        began = told = time.monotonic()
        records = 0
        # Behind a transaction that somebody left open there may be rows of ours: wait until
        # the cluster has ended it.
        settle_s = 3 * TRANSACTION_S
        starts, ends = self._reader.bounds(partitions, settle_s)
        total = sum(ends[tp] - starts[tp] for tp in partitions)
        metrics = self._cluster.metrics
        metrics.restored.labels(table)  # from zero, like the rest
        for page in self._reader.pages(starts, ends):
            self._store.take(table, page)
            records += len(page)
            metrics.restored.labels(table).inc(len(page))
            metrics.restoring.labels(table).set(max(total - records, 0))
            if time.monotonic() - told > PROGRESS_S:
                told = time.monotonic()
                log.info("table_restoring", table=table, records=records, of=total)
        metrics.restoring.labels(table).set(0)
        if records:
            log.info(
                "table_restored",
                table=table,
                records=records,
                seconds=round(time.monotonic() - began, 3),
            )
