"""Who works a stage: one lock file a stage, whose lock dies with its holder.

The lock is POSIX's (`fcntl.lockf`): the kernel frees it the moment the process is gone,
by kill -9 too. It belongs to the process, and closing *any* descriptor of the file gives
it up; so within a process a seat is known by its path, and a file is opened only while
nobody here holds it. The file itself stays: removing it would let two hold the "same" one.
"""

import errno
import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Final

from streams.errors import LogUnavailable

LOOK_AGAIN_S: Final = 0.05  # how soon a lock freed by another process is noticed

_changed = threading.Condition()  # guards _held; notified when a seat of this process is free
_held: dict[str, int] = {}  # real path → process that holds it (a forked child holds nothing)


class Seat:
    """The right to work one stage. Exclusive between processes and within one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = os.path.realpath(path)
        self._descriptor: int | None = None
        self._process = 0

    @property
    def held(self) -> bool:
        return self._descriptor is not None and self._process == os.getpid()

    def take(self, timeout_s: float) -> bool:
        """Sit down; False when another still sits there after `timeout_s`.

        Raises LogUnavailable when the lock file cannot be used at all."""
        deadline = time.monotonic() + timeout_s
        with _changed:
            while not (self.held or self._try()):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                _changed.wait(min(LOOK_AGAIN_S, left))
            return True

    def leave(self) -> None:
        """Get up at once; harmless when not seated."""
        with _changed:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is None:
                return
            os.close(descriptor)
            if _held.get(self._key) == self._process:
                del _held[self._key]
            _changed.notify_all()

    def _try(self) -> bool:
        process = os.getpid()
        if _held.get(self._key) == process:
            return False
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError as error:
            raise LogUnavailable(
                f"{self._path.parent}: no such folder; create it, or correct `log:`",
                reason="missing",
            ) from error
        except OSError as error:
            raise LogUnavailable(
                f"{self._path}: cannot be opened ({error.strerror}); Rasid must be able to write"
                f" in {self._path.parent}",
                reason="full" if _is_full(error) else "io",
            ) from error
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: POSIX allows both
            os.close(descriptor)
            return False
        except OSError as error:
            os.close(descriptor)
            raise LogUnavailable(
                f"{self._path}: this file system gives no locks ({error.strerror}); keep the log"
                " on a local disk",
                reason="io",
            ) from error
        self._descriptor, self._process = descriptor, process
        _held[self._key] = process
        return True


def _is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
