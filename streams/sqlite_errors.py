"""SQLite's errors in the log's words: what is wrong with which file, and what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.errors import LogCorrupt, LogError, LogUnavailable


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into the log's; what is no fault of the file passes as it is."""
    try:
        yield
    except sqlite3.Error as error:
        ours = _translate(error, path)
        if ours is None:
            raise
        raise ours from error


def missing(path: Path) -> LogUnavailable:
    return LogUnavailable(
        f"{path}: no log there (yet); `rasid run` makes it, or correct `log:`", reason="missing"
    )


def primary(error: sqlite3.Error) -> int:
    """The primary result code; 0 when the error is not SQLite's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _translate(error: sqlite3.Error, path: Path) -> LogError | None:
    code = primary(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return LogUnavailable(
            f"{path}: locked by another program; find it with `fuser {path}`", reason="locked"
        )
    if code == sqlite3.SQLITE_FULL:
        return LogUnavailable(
            f"{path}: the disk is full; make room, or keep less (`retention:`)", reason="full"
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY):
        return LogUnavailable(
            f"{path}: cannot be opened or written ({error}); Rasid must be able to write the file"
            f" and the folder {path.parent}",
            reason="io",
        )
    if code == sqlite3.SQLITE_IOERR:
        return LogUnavailable(
            f"{path}: the disk failed ({error.sqlite_errorname}); look at the system's log",
            reason="io",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return LogCorrupt(
            f"{path}: not a log of Rasid's, or its beginning is destroyed; it was left alone."
            " Give `log:` another path, or restore the file from a backup",
            reason="foreign",
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return LogCorrupt(
            f"{path}: damaged ({error}). Stop Rasid, keep a copy of the file with its -wal, and"
            " restore a backup, or save what can be read with `sqlite3 … .recover`"
        )
    return None
