"""Files and the disk: may Rasid write, is there room, is the log whole and of a known version."""

import errno
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from rasid.config import Config
from rasid.doctor.finding import Finding, Patient
from rasid.options import log_url
from streams.carriers import log_file
from streams.errors import LogError, LogUnavailable, Malformed, NewerSchema
from streams.records import KINDS, decode
from streams.sqlite import SqliteLog
from streams.sqlite_errors import translated
from streams.sqlite_file import FORMAT, open_reader, open_writer

TRIAL_BYTES: Final = 256 * 1024
FULL_BYTES: Final = 64 * 1024 * 1024  # the write-ahead file alone may take so much
LITTLE_BYTES: Final = 1024 * 1024 * 1024
INTEGRITY_S: Final = 15.0
BUSY_S: Final = 3.0
_ROOM = "make room, or keep less (`retention:`)"


def permissions(patient: Patient) -> Iterator[Finding]:
    """Who may read secrets, and who we are."""
    if os.geteuid() == 0:
        yield Finding(
            "permissions", "warning", "this runs as root, who may do anything",
            "give Rasid a user of its own, and run the doctor as that one:"
            " sudo -u rasid rasid doctor",
        )  # fmt: skip
    open_files = []
    if patient.path is not None and _holds_secrets(patient.path, patient.config):
        open_files.append(patient.path)
    open_files += _secret_files(patient.config)
    exposed = [path for path in open_files if path.exists() and path.stat().st_mode & 0o004]
    for path in exposed:
        yield Finding(
            "permissions", "warning", f"{path} holds a secret and everyone may read it",
            f"chmod 640 {path}, with Rasid's group",
        )  # fmt: skip
    if os.geteuid() != 0 and not exposed:
        yield Finding("permissions", "ok", "secrets are read by those only who should")


def disk(patient: Patient) -> Iterator[Finding]:
    """Whether the log's folder can be written, and has room."""
    path = log_file(log_url(patient.config))
    if path is None:
        return
    folder = path.parent
    if not folder.is_dir():
        if folder.exists() or not folder.parent.is_dir():
            yield Finding(
                "disk", "wrong", f"{folder}: no such folder",
                "create it, mount it, or correct `log:`",
            )  # fmt: skip
            return
        folder = folder.parent  # the daemon makes the last one
    try:
        # Nameless, so that nothing is left whatever happens. Tells what figures do not: a quota,
        # a file system that has become read-only.
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(b"\0" * TRIAL_BYTES)
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as error:
        yield Finding("disk", "wrong", *_refusal(folder, error))
        return
    yield _room(folder)


def _refusal(folder: Path, error: OSError) -> tuple[str, str]:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{folder}: the disk is full", _ROOM
    if error.errno == errno.EROFS:
        return f"{folder}: the file system is read-only", (
            "mount it for writing (look at the system's log: a failing disk becomes read-only),"
            " or give `log:` another path"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{folder}: {_user()} may not write there", (
            f"give the folder to the user that Rasid runs as: chown rasid {folder}"
        )
    return f"{folder}: cannot be written: {error.strerror}", "look at the system's log"


def _room(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    said = f"{folder}: {_size(free)} free"
    if free < FULL_BYTES:
        return Finding("disk", "wrong", f"{said}: as good as full", _ROOM)
    if free < LITTLE_BYTES:
        return Finding("disk", "warning", f"{said}: little", _ROOM)
    return Finding("disk", "ok", said)


def sqlite_log(patient: Patient) -> Iterator[Finding]:
    """Whether the file is a log of a version this Rasid knows, and can be written."""
    path = log_file(log_url(patient.config))
    if path is None:
        return
    if not path.exists():
        yield Finding("log", "ok", f"{path}: not there yet; `rasid run` makes it")
        return
    try:
        open_reader(path, busy_timeout_s=BUSY_S).close()
        writer = open_writer(path, busy_timeout_s=BUSY_S, create=False)
        with translated(path), closing(writer):
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("ROLLBACK")
        yield from _records(path, patient)
    except LogError as error:
        yield _of_log("log", error)
        return
    size = sum(each.stat().st_size for each in _files(path) if each.exists())
    yield Finding("log", "ok", f"{path}: format {FORMAT}, {_size(size)}, can be read and written")


def _records(path: Path, patient: Patient) -> Iterator[Finding]:
    """The last record of each topic, for what a newer Rasid may have written."""
    with closing(SqliteLog(path, clock=patient.clock)) as log:
        for info in log.topics():
            if info.kind != "topic" or not info.end_offset or info.name not in KINDS:
                continue
            for message in log.read(info.name, info.end_offset - 1):
                try:
                    decode(KINDS[info.name], message.value)
                except NewerSchema as error:
                    yield Finding("log", "wrong", f"{path}: {info.name}: {error}", "upgrade Rasid")
                except Malformed as error:
                    yield Finding(
                        "log", "warning", f"{path}: {info.name}: its last record is {error}",
                        "it becomes a dead letter: `rasid deadletters list`",
                    )  # fmt: skip


def integrity(patient: Patient) -> Iterator[Finding]:
    """SQLite's own look at every page, as far as it comes in the time there is."""
    path = log_file(log_url(patient.config))
    if path is None or not path.exists():
        return
    deadline = time.monotonic() + INTEGRITY_S
    try:
        with translated(path), closing(open_reader(path, busy_timeout_s=BUSY_S)) as connection:
            connection.set_progress_handler(lambda: int(time.monotonic() > deadline), 100_000)
            found = [line for (line,) in connection.execute("PRAGMA quick_check(5)")]
    except LogError as error:
        if error.reason not in ("missing", "foreign", "version"):  # those the log's check tells
            yield _of_log("integrity", error)
        return
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
            raise
        yield Finding(
            "integrity", "warning", f"{path}: too large to be checked in {INTEGRITY_S:g} s",
            f"take your time: sqlite3 {path} 'PRAGMA quick_check'",
        )  # fmt: skip
        return
    if found == ["ok"]:
        yield Finding("integrity", "ok", f"{path}: whole")
        return
    yield Finding(
        "integrity", "wrong", f"{path}: damaged: {'; '.join(found)}",
        "stop Rasid, keep a copy of the file with its -wal, and restore a backup, or save what"
        f" can be read: sqlite3 {path} .recover",
    )  # fmt: skip


def _of_log(check: str, error: LogError) -> Finding:
    """The log's own words end with what to do."""
    said, _, todo = str(error).partition("; ")
    passing = isinstance(error, LogUnavailable) and error.reason == "locked"
    return Finding(check, "warning" if passing else "wrong", said, todo)


def _files(path: Path) -> list[Path]:
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]


def _holds_secrets(path: Path, config: Config) -> bool:
    """Whether a secret stands in the file itself."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return any(secret in text for secret in config.secrets())


def _secret_files(part: BaseModel) -> list[Path]:
    """What `…_file` keys name, anywhere below."""
    found: list[Path] = []
    for name, value in part:
        values: list[Any] = value if isinstance(value, list) else [value]
        for each in values:
            if isinstance(each, BaseModel):
                found += _secret_files(each)
            elif name.endswith("_file") and isinstance(each, Path):
                found.append(each)
    return found


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def _size(count: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1024 or unit == "GB":
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    raise AssertionError
