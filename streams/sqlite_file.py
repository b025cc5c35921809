"""The one file: how it is opened, created and checked.

    rasid_meta       format of the file, for a newer or older Rasid to see
    rasid_names      every topic and table, with a topic's end, count and bytes
    rasid_positions  the next offset of each stage and topic
    rasid_seats      a number for each stage, one higher with each acquisition and commit
    "topic <name>"   offset, key, time, value
    "table <name>"   key, value, due, partition_key, time

A file is one of Rasid's when it has a
`rasid_meta` row `format`; a format above FORMAT is refused, so that an older Rasid
never writes into what it does not understand.

Nothing may open this file with plain `open()` while a connection of the same process
uses it: closing that descriptor drops SQLite's own POSIX locks.
"""

import errno
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from streams.errors import LogCorrupt, LogUnavailable
from streams.records import TABLES, TOPICS
from streams.sqlite_errors import missing, primary, translated
from streams.sqlite_names import ensure_name

FORMAT: Final = 1
CHECKPOINT_PAGES: Final = 4000  # the write-ahead file is folded in at 16 MB

_SCHEMA: Final = (
    "CREATE TABLE rasid_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE rasid_names (name TEXT PRIMARY KEY, kind TEXT NOT NULL,"
    " end_offset INTEGER NOT NULL DEFAULT 0, records INTEGER NOT NULL DEFAULT 0,"
    " bytes INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID",
    "CREATE TABLE rasid_positions (stage TEXT NOT NULL, topic TEXT NOT NULL,"
    " next_offset INTEGER NOT NULL, PRIMARY KEY (stage, topic)) WITHOUT ROWID",
    "CREATE TABLE rasid_seats (stage TEXT PRIMARY KEY, turn INTEGER NOT NULL) WITHOUT ROWID",
)


def open_writer(
    path: Path, *, busy_timeout_s: float, max_page_count: int | None = None, create: bool = True
) -> sqlite3.Connection:
    """A connection that may write, in autocommit, every commit durable on return.

    With `create`, a missing file is made; its folder must be there.
    Raises LogCorrupt for what is not a log this Rasid can use, else LogUnavailable."""
    if not create and not path.exists():
        raise missing(path)
    with translated(path):
        connection = _connect(path, "rwc" if create else "rw", busy_timeout_s)
        try:
            if max_page_count is not None:
                connection.execute(f"PRAGMA max_page_count={max_page_count:d}")
            if not _is_log(connection, path):
                if not create:
                    raise missing(path)
                _create(connection, path)
            _use_wal(connection, busy_timeout_s)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES:d}")
            connection.execute("PRAGMA journal_size_limit=67108864")
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """A connection that cannot write; works beside a running daemon and without one.

    Raises LogUnavailable `missing` when there is no log yet."""
    if not path.exists():
        raise missing(path)
    with translated(path):
        try:
            connection = _checked_reader(path, "ro", busy_timeout_s)
        except sqlite3.OperationalError as error:
            # Someone who may not write the folder cannot make the shared-memory file that
            # WAL needs. Without a write-ahead file nobody has the log open: read it as it is.
            if primary(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
            if path.with_name(path.name + "-wal").exists():
                raise
            connection = _checked_reader(path, "ro&immutable=1", busy_timeout_s)
    return connection


@contextmanager
def write_transaction(
    connection: sqlite3.Connection, path: Path, writing: threading.Lock, timeout_s: float
) -> Iterator[None]:
    """BEGIN IMMEDIATE … COMMIT around the block, or ROLLBACK if it raises.

    Threads that share `writing` queue there and wake at once; other processes are waited
    for by SQLite, which polls. Both waits are bounded."""
    if not writing.acquire(timeout=timeout_s):
        raise LogUnavailable(f"{path}: kept locked by another thread", reason="locked")
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise
    finally:
        writing.release()


def make_folder(path: Path) -> None:
    """Make the folder of the log. Only the last component: a longer missing path is
    more likely a disk that is not mounted than a wish."""
    folder = path.parent
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError as error:
        raise LogUnavailable(
            f"{folder.parent}: no such folder; create it, mount it, or correct `log:`",
            reason="missing",
        ) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise LogUnavailable(
            f"{folder}: cannot be used as the log's folder ({error.strerror})",
            reason="full" if full else "io",
        ) from error


def _connect(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
    if path.is_dir():
        raise LogUnavailable(
            f"{path}: a folder, not a file; add the file's name to `log:`", reason="io"
        )
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,  # made by one thread, used by the one that drives the stage
    )


def _checked_reader(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
    connection = _connect(path, mode, busy_timeout_s)
    try:
        if not _is_log(connection, path):
            raise missing(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_log(connection: sqlite3.Connection, path: Path) -> bool:
    """False when the file is empty. Raises LogCorrupt when it is anything but a log."""
    with closing(connection.execute("SELECT name FROM sqlite_master")) as cursor:
        names = {name for (name,) in cursor}
    if not names:
        return False
    if "rasid_meta" not in names:
        raise LogCorrupt(
            f"{path}: a SQLite file, but not a log of Rasid's; it was left alone. Give `log:`"
            " another path",
            reason="foreign",
        )
    row = connection.execute("SELECT value FROM rasid_meta WHERE key = 'format'").fetchone()
    if row is None or not row[0].isdecimal():
        raise LogCorrupt(f"{path}: its format is not told; restore it from a backup")
    if int(row[0]) > FORMAT:
        raise LogCorrupt(
            f"{path}: a log of format {row[0]}, this Rasid knows up to {FORMAT}; it was left"
            " alone. Upgrade Rasid",
            reason="version",
        )
    return True


def _create(connection: sqlite3.Connection, path: Path) -> None:
    """Make the schema in one transaction: a log is there whole, or not at all."""
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # must come before the first table
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_log(connection, path):  # another process may have been faster
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO rasid_meta VALUES ('format', ?)", (str(FORMAT),))
            for name in TOPICS:
                ensure_name(connection, "topic", name)
            for name in TABLES:
                ensure_name(connection, "table", name)
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo what is open; SQLite has already done so itself after some errors."""
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def _use_wal(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """SQLite does not wait its busy timeout for the switch, which happens once in a file's
    life while others may be opening it too: so wait here."""
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(0.01)
