"""The SQL of rows: how a table is read and written on an open connection.

The SQLite carrier keeps its tables so, and the Kafka carrier what it restored of its
compacted topics. A table that is not there reads as empty only where the caller says so:
everything here needs the table to exist (`streams.sqlite_names.ensure_name`).
"""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from streams.log import Row
from streams.moments import from_us, to_us
from streams.sqlite_names import insert_many, quoted

SCAN_ROWS: Final = 500

Columns = tuple[str, bytes, int | None, str, int]  # key, value, due, partition_key, time


def columns(row: Row, now_us: int) -> Columns:
    return (
        row.key,
        row.value,
        None if row.due is None else to_us(row.due),
        row.partition_key,
        now_us if row.time is None else to_us(row.time),
    )


def put_rows(connection: sqlite3.Connection, table: str, rows: Iterable[Columns]) -> None:
    insert_many(
        connection,
        quoted("table", table),
        list(rows),
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value, due = excluded.due,"
        " partition_key = excluded.partition_key, time = excluded.time",
    )


def delete_rows(connection: sqlite3.Connection, table: str, keys: Iterable[str]) -> None:
    connection.executemany(
        f"DELETE FROM {quoted('table', table)} WHERE key = ?",  # noqa: S608
        ((key,) for key in keys),
    )


def select(
    connection: sqlite3.Connection, table: str, where: str, *parameters: object
) -> list[Row]:
    return [
        Row(key, value, None if due is None else from_us(due), partition_key, from_us(at))
        for key, value, due, partition_key, at in connection.execute(
            "SELECT key, value, due, partition_key, time"  # noqa: S608
            f" FROM {quoted('table', table)} {where}",
            parameters,
        )
    ]


def get(connection: sqlite3.Connection, table: str, key: str) -> Row | None:
    rows = select(connection, table, "WHERE key = ?", key)
    return rows[0] if rows else None


def page(
    connection: sqlite3.Connection, table: str, start: str, *, after: bool, limit: int = SCAN_ROWS
) -> list[Row]:
    """Rows by key, from `start` on, or those after it."""
    where = "key > ?" if after else "key >= ?"
    return select(connection, table, f"WHERE {where} ORDER BY key LIMIT ?", start, limit)


def scan(connection: sqlite3.Connection, table: str, prefix: str = "") -> Iterator[Row]:
    rows = page(connection, table, prefix, after=False)
    while rows:
        for row in rows:
            if not row.key.startswith(prefix):
                return
            yield row
        rows = page(connection, table, rows[-1].key, after=True)


def due(connection: sqlite3.Connection, table: str, until: datetime, limit: int) -> list[Row]:
    return select(
        connection, table, "WHERE due <= ? ORDER BY due, key LIMIT ?", to_us(until), limit
    )


def next_due(connection: sqlite3.Connection, table: str) -> datetime | None:
    (moment,) = connection.execute(
        f"SELECT min(due) FROM {quoted('table', table)} WHERE due IS NOT NULL"  # noqa: S608
    ).fetchone()
    return None if moment is None else from_us(moment)
