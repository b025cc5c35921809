"""The SQLite log against bare sqlite3, at the same batch size, durability and value size.

    uv run python benchmarks/sqlite_log.py [--folder FOLDER]

Two pieces of work, each done by both in turns, several rounds, medians compared:

    append    one transaction after another, each of 100 records of 4 KB
    consume   read 100 records, write 100 records and the position, in one transaction,
              until the topic is drained; Rasid does it through its worker

Bare sqlite3 is what one would write by hand for just this: one table a topic, WAL,
synchronous=FULL, BEGIN IMMEDIATE, executemany. Goal: at least 70 % of it.
"""

import argparse
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from prometheus_client import CollectorRegistry

from streams.log import Message, Transaction
from streams.metrics import StageMetrics
from streams.sqlite import SqliteLog
from streams.worker import Worker

BATCH = 100
BATCHES = 100
VALUE_BYTES = 4096
ROUNDS = 5
GOAL = 0.70


def values() -> list[bytes]:
    return [os.urandom(VALUE_BYTES) for _ in range(BATCH)]


class Bare:
    def __init__(self, folder: Path) -> None:
        self.connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "CREATE TABLE first (id INTEGER PRIMARY KEY, key TEXT, time INTEGER, value BLOB)",
            "CREATE TABLE second (id INTEGER PRIMARY KEY, key TEXT, time INTEGER, value BLOB)",
            "CREATE TABLE position (stage TEXT PRIMARY KEY, next INTEGER)",
            "INSERT INTO position VALUES ('process', 1)",
        ):
            self.connection.execute(statement)

    def append(self, batch: list[bytes]) -> None:
        now = time.time_ns()
        run = self.connection.execute
        run("BEGIN IMMEDIATE")
        self.connection.executemany(
            "INSERT INTO first (key, time, value) VALUES (?, ?, ?)",
            [(f"{at:016x}", now, value) for at, value in enumerate(batch)],
        )
        run("COMMIT")

    def consume(self) -> int:
        run = self.connection.execute
        total = 0
        (position,) = run("SELECT next FROM position WHERE stage = 'process'").fetchone()
        while rows := run(
            "SELECT id, key, value FROM first WHERE id >= ? ORDER BY id LIMIT ?", (position, BATCH)
        ).fetchall():
            position = rows[-1][0] + 1
            now = time.time_ns()
            run("BEGIN IMMEDIATE")
            self.connection.executemany(
                "INSERT INTO second (key, time, value) VALUES (?, ?, ?)",
                [(key, now, value) for _, key, value in rows],
            )
            run("UPDATE position SET next = ? WHERE stage = 'process'", (position,))
            run("COMMIT")
            total += len(rows)
        return total

    def close(self) -> None:
        self.connection.close()


class Rasid:
    def __init__(self, folder: Path) -> None:
        def clock() -> datetime:
            return datetime.now(UTC)

        self.log = SqliteLog(folder / "rasid.db", clock=clock)
        self.source = self.log.stage("source")
        self.process = self.log.stage("process", ["first"])
        assert self.source.acquire(0)
        assert self.process.acquire(0)
        metrics = StageMetrics(CollectorRegistry())
        self.worker = Worker(
            self.process, {"first": self.handle}, clock=clock, metrics=metrics, batch=BATCH
        )
        tx = Transaction()  # create the topics outside the measurement, as for the bare tables
        tx.append("first", "", b"")
        tx.append("second", "", b"")
        self.source.commit(tx)
        self.worker.step(0)

    @staticmethod
    def handle(message: Message, tx: Transaction) -> None:
        tx.append("second", message.key, message.value)

    def append(self, batch: list[bytes]) -> None:
        tx = Transaction()
        for at, value in enumerate(batch):
            tx.append("first", f"{at:016x}", value)
        self.source.commit(tx)

    def consume(self) -> int:
        total = 0
        while done := self.worker.step(0):
            total += done
        return total

    def close(self) -> None:
        self.source.close()
        self.process.close()


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(folder: Path) -> dict[tuple[str, str], list[float]]:
    """Records a second of each round, by (piece of work, who)."""
    rates: dict[tuple[str, str], list[float]] = {}
    batch = values()
    records = BATCH * BATCHES
    for number in range(ROUNDS + 1):
        kinds: list[type[Bare] | type[Rasid]] = [Bare, Rasid]
        for kind in kinds if number % 2 else reversed(kinds):
            home = folder / f"{number}-{kind.__name__}"
            home.mkdir()
            with closing(kind(home)) as one:
                append = seconds(lambda one=one: [one.append(batch) for _ in range(BATCHES)])
                consume = seconds(lambda one=one: check(one.consume(), records))
            shutil.rmtree(home)
            if number:  # the first round warms up
                rates.setdefault(("append", kind.__name__), []).append(records / append)
                rates.setdefault(("consume", kind.__name__), []).append(records / consume)
    return rates


def check(done: int, records: int) -> None:
    assert done == records, f"{done} of {records}"


def file_system(folder: Path) -> str:
    found = subprocess.run(
        ["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(description="The SQLite log against bare sqlite3.")
    parser.add_argument("--folder", type=Path, default=None, help="on which disk to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="rasid-bench-") as name:
        rates = measure(Path(name))
        where = f"{Path(name).parent}, {file_system(Path(name))}"
    print(f"records/s, transactions of {BATCH}, values of {VALUE_BYTES} bytes, synchronous=FULL")
    print(f"median of {ROUNDS} interleaved rounds of {BATCH * BATCHES} records; on {where}\n")
    print(f"{'work':<10}{'bare sqlite3':>14}{'Rasid':>10}{'ratio':>9}{'goal':>8}")
    reached = True
    for work in ("append", "consume"):
        bare = statistics.median(rates[work, "Bare"])
        ours = statistics.median(rates[work, "Rasid"])
        reached &= ours >= GOAL * bare
        print(f"{work:<10}{bare:>14,.0f}{ours:>10,.0f}{ours / bare:>8.0%}{GOAL:>7.0%}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
