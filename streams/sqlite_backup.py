"""A copy of the SQLite log as it stands at one moment, made beside a running daemon.

    log ─ one read transaction ─▶ FILE.part ─ checked, synced ─▶ FILE

Restored by putting it where the log was, with Rasid stopped and the old -wal and -shm files
gone: it goes on from that moment. What was sent or fetched since is then done once more.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from streams.errors import LogCorrupt, LogUnavailable
from streams.sqlite_errors import translated
from streams.sqlite_file import open_reader

BUSY_S = 5.0


def back_up(path: Path, target: Path) -> int:
    """Returns the copy's size in bytes. `target` must not exist, and does so whole or not at
    all. Raises LogUnavailable, LogCorrupt, naming the file that is at fault."""
    if target.exists():
        raise LogUnavailable(
            f"{target}: is there already; move it away, or name another file", reason="io"
        )
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        with (
            closing(open_reader(path, busy_timeout_s=BUSY_S)) as source,
            translated(part),
            closing(sqlite3.connect(part)) as copy,
        ):
            # All pages in one step: between steps a commit of the daemon would make it begin
            # again, for ever. Writers do not wait for a reader.
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE").fetchone()  # one file, no -wal
            (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise LogCorrupt(f"{path}: damaged, and so is its copy ({found}); none was kept")
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return target.stat().st_size
