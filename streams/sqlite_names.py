"""The SQL of topics and tables: how they are named, made, and a topic written.

    "topic <name>"   offset, key, time, value
    "table <name>"   key, value, due, partition_key, time

Times are those of `streams.moments`.
"""

import sqlite3
from collections.abc import Sequence, Set
from itertools import chain
from typing import Any, Final

from streams.log import Transaction
from streams.moments import to_us

ROWS_A_STATEMENT: Final = 100

Known = Set[tuple[str, str]]  # (kind, name) of what certainly exists


def quoted(kind: str, name: str) -> str:
    """The SQL name of what carries topic or table `name`."""
    return '"' + f"{kind} {name}".replace('"', '""') + '"'


def ensure_name(connection: sqlite3.Connection, kind: str, name: str) -> None:
    """Create topic or table `name` unless it is there. ValueError if it is of the other kind."""
    row = connection.execute("SELECT kind FROM rasid_names WHERE name = ?", (name,)).fetchone()
    if row is not None:
        if row[0] != kind:
            raise ValueError(f"{name} is a {row[0]}, not a {kind}")
        return
    it = quoted(kind, name)
    if kind == "topic":
        connection.execute(
            f"CREATE TABLE {it} (offset INTEGER PRIMARY KEY, key TEXT NOT NULL,"
            " time INTEGER NOT NULL, value BLOB NOT NULL)"
        )
    else:
        connection.execute(
            f"CREATE TABLE {it} (key TEXT PRIMARY KEY, value BLOB NOT NULL, due INTEGER,"
            " partition_key TEXT NOT NULL, time INTEGER NOT NULL)"
        )
        connection.execute(
            f"CREATE INDEX {quoted('table by due', name)} ON {it} (due, key) WHERE due IS NOT NULL"
        )
        connection.execute(
            f"CREATE INDEX {quoted('table by time', name)} ON {it} (time) WHERE due IS NULL"
        )
    connection.execute("INSERT INTO rasid_names (name, kind) VALUES (?, ?)", (name, kind))


def append_records(connection: sqlite3.Connection, tx: Transaction, now: int, known: Known) -> None:
    """Number the records on from each topic's end. What is not `known` is created."""
    by_topic: dict[str, list[tuple[str, int, bytes]]] = {}
    for item in tx.appends:
        at = now if item.time is None else to_us(item.time)
        by_topic.setdefault(item.topic, []).append((item.key, at, item.value))
    for topic, items in by_topic.items():
        if ("topic", topic) not in known:
            ensure_name(connection, "topic", topic)
        (end,) = connection.execute(
            "SELECT end_offset FROM rasid_names WHERE name = ?", (topic,)
        ).fetchone()
        insert_many(
            connection,
            quoted("topic", topic),
            [(end + number, *item) for number, item in enumerate(items)],
        )
        connection.execute(
            "UPDATE rasid_names SET end_offset = end_offset + ?, records = records + ?,"
            " bytes = bytes + ? WHERE name = ?",
            (len(items), len(items), sum(len(value) for _, _, value in items), topic),
        )


def insert_many(
    connection: sqlite3.Connection, it: str, rows: Sequence[tuple[Any, ...]], conflict: str = ""
) -> None:
    """Insert many rows a statement: each statement gives the interpreter away and must wait
    to have it back, which among busy threads takes longer than the work."""
    for first in range(0, len(rows), ROWS_A_STATEMENT):
        some = rows[first : first + ROWS_A_STATEMENT]
        one = "(" + ", ".join("?" * len(some[0])) + ")"
        connection.execute(
            f"INSERT INTO {it} VALUES {', '.join([one] * len(some))}{conflict}",  # noqa: S608
            list(chain.from_iterable(some)),
        )
