"""Silences: written by the command line beside a running daemon, read by the alert stage."""

import time
from collections.abc import Sequence
from typing import Final

import structlog

from alerts.ids import made_id
from streams.errors import LogError, Malformed
from streams.log import Log, Transaction
from streams.records import SILENCES, Silence, decode, encode

log = structlog.get_logger(__name__)

FRESH_S: Final = 2.0  # a silence added elsewhere holds after so long


class SilenceReader:
    """The silences there are, read anew every two seconds at most. When the log is away, those
    last read hold."""

    def __init__(self, source: Log) -> None:
        self._log = source
        self._read_at = float("-inf")
        self._silences: Sequence[Silence] = ()

    def __call__(self) -> Sequence[Silence]:
        if time.monotonic() - self._read_at >= FRESH_S:
            try:
                self._silences = read_silences(self._log)
            except LogError as error:
                log.warning("silences_not_read", reason=error.reason, error=str(error))
            self._read_at = time.monotonic()
        return self._silences


def read_silences(source: Log) -> list[Silence]:
    """All there are, also those that ended, the earliest end first."""
    found = []
    try:
        for message in source.read(SILENCES):
            try:
                found.append(decode(Silence, message.value))
            except Malformed as error:
                log.error("silence_unreadable", silence=message.key, error=str(error))
    except KeyError:  # none was ever written
        return []
    return sorted(found, key=lambda silence: (silence.ends, silence.id))


def write_silence(target: Log, silence: Silence, *, timeout_s: float = 10.0) -> bool:
    """Add or replace a silence; False when another command held the seat for `timeout_s`."""
    stage = target.stage("silence")
    try:
        if not stage.acquire(timeout_s):
            return False
        tx = Transaction()
        tx.put(SILENCES, silence.id, encode(silence))
        stage.commit(tx)
        return True
    finally:
        stage.close()


def silence_id(*parts: str) -> str:
    return made_id(*parts)[:8]
