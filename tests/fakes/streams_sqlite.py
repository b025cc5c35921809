"""What tests of the SQLite file share."""

from pathlib import Path

from streams.log import Stage, Transaction
from streams.records import FLAGS
from streams.sqlite import SqliteLog
from tests.fakes.clock import FakeClock


def open_log(path: Path, clock: FakeClock | None = None, **options: int) -> SqliteLog:
    """A log that gives up on a locked file at once."""
    return SqliteLog(path, clock=clock or FakeClock(), busy_timeout_s=0.05, **options)


def seated(log: SqliteLog, name: str = "process", reads: tuple[str, ...] = ()) -> Stage:
    stage = log.stage(name, reads)
    assert stage.acquire(10)
    return stage


def records(count: int, size: int = 10, topic: str = FLAGS) -> Transaction:
    tx = Transaction()
    for number in range(count):
        tx.append(topic, str(number), b"x" * size)
    return tx


def filled(path: Path, count: int = 100, size: int = 4000) -> None:
    """A log, cleanly closed, with some records in it."""
    stage = seated(open_log(path))
    stage.commit(records(count, size))
    stage.close()
