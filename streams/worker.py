"""A stage that reads topics: read → handle → write → commit, over and over.

    messages = stage.poll()
    for message in messages:
        handler fills a transaction     again, after a short wait, if it may succeed later;
                                        into the dead letters if it will not
    stage.commit(all of it, after=messages)     in pieces, where it is large

Outputs, dead letters and position are one transaction: after a crash anywhere the batch
is either done or still to do. One bad record costs only itself.
"""

import base64
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog

from streams.errors import (
    LogError,
    LogUnavailable,
    Malformed,
    NewerSchema,
    OwnershipLost,
    RasidError,
    TooLarge,
)
from streams.log import Clock, Message, Stage, Transaction
from streams.metrics import StageMetrics
from streams.records import DEADLETTERS, DeadLetter, encode

log = structlog.get_logger(__name__)

Handler = Callable[[Message, Transaction], None]
Waiter = Callable[[threading.Event, float], bool]  # (stop, seconds): whether stop was set

ERROR_CHARACTERS: Final = 2000  # of an error's text, kept in its dead letter
STAND_BY_S: Final = 1.0
POLL_S: Final = 0.25
# Values gathered before they are committed: a row may be rewritten, whole, for each message of a
# batch, and all its versions are kept until then.
GATHERED_BYTES: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a record is tried, and how long between: `first_s`, doubled each time, at
    most `max_s`. The same waits, without end but no longer than `log_max_s`, go between
    tries of a log that is unavailable."""

    attempts: int = 3
    first_s: float = 0.1
    max_s: float = 1.0
    log_max_s: float = 5.0

    def wait_s(self, failures: int) -> float:
        return min(self.first_s * 2.0 ** min(failures - 1, 30), self.max_s)

    def log_wait_s(self, failures: int) -> float:
        return min(self.first_s * 2.0 ** min(failures - 1, 30), self.log_max_s)


class Worker:
    """Drives a stage whose whole work is a function of its messages.

    `handlers`: topic → what fills a fresh Transaction for a message of it. A handler that
    raises has written nothing. Errors of the log itself, and NewerSchema, are nobody's
    record's fault and come out of `step`.

    `on_acquired` is called each time the seat was taken: the place to load what a handler
    keeps in memory from the stage's tables.
    """

    def __init__(
        self,
        stage: Stage,
        handlers: Mapping[str, Handler],
        *,
        clock: Clock,
        metrics: StageMetrics,
        retry: RetryPolicy = RetryPolicy(),
        batch: int = 100,
        on_acquired: Callable[[], None] | None = None,
        wait: Waiter = threading.Event.wait,
    ) -> None:
        self.ready = False
        self._stage = stage
        self._handlers = handlers
        self._clock = clock
        self._metrics = metrics
        self._retry = retry
        self._batch = batch
        self._on_acquired = on_acquired
        self._wait = wait
        self._stop = threading.Event()  # run's, while it runs
        metrics.begin(stage.name)

    def run(self, stop: threading.Event) -> None:
        """Live until `stop` is set: stand by for the seat, work, finish the record in hand,
        commit, give the seat up. Waits out a log that is unavailable; raises NewerSchema and
        LogCorrupt, which a person must resolve."""
        self._stop = stop
        acquired = False
        failures = 0
        try:
            while not stop.is_set():
                self._metrics.beat(self._stage.name)
                try:
                    if not acquired:
                        acquired = self._acquire()
                        continue
                    self.step(POLL_S)
                    self.ready, failures = True, 0
                except OwnershipLost as error:
                    acquired = self.ready = False
                    log.warning("seat_lost", stage=self._stage.name, error=str(error))
                except LogUnavailable as error:
                    self._log_away(error, failures)
                    failures += 1
                    self._wait(stop, self._retry.log_wait_s(failures))
        finally:
            self.ready = False
            self._stage.close()

    def step(self, timeout_s: float) -> int:
        """One round; returns how many messages were consumed. Whatever it raises, what was
        not committed is given out again by the next."""
        try:
            return self._round(timeout_s)
        except BaseException:
            self._stage.rewind()
            raise

    def _round(self, timeout_s: float) -> int:
        # 1. Read: committed records after the position.
        messages = self._stage.poll(self._batch, timeout_s)
        if not messages:
            return 0
        began = time.monotonic()
        # 2. Handle: each record into a transaction of its own, memory only.
        done: list[tuple[Message, Transaction]] = []
        consumed = gathered = 0
        newer: NewerSchema | None = None
        for message in messages:
            try:
                tx = self._handle(message)
            except NewerSchema as error:
                newer = error
                break
            if tx is None:  # stopped while it waited to try again
                break
            done.append((message, tx))
            if self._stop.is_set():
                break
            gathered += tx.size
            if gathered >= GATHERED_BYTES:
                self._commit_all(done)
                consumed += len(done)
                done, gathered = [], 0
        # 3. Write and commit: outputs, dead letters and position, in one transaction.
        if done:
            self._commit_all(done)
            consumed += len(done)
        if consumed:
            self._metrics.seconds.labels(self._stage.name).observe(time.monotonic() - began)
        if consumed < len(messages):
            self._stage.rewind()
        # 4. What a newer Rasid wrote stops the stage, with all before it done and kept.
        if newer is not None:
            log.error("newer_schema", stage=self._stage.name, error=str(newer))
            raise newer
        return consumed

    def _handle(self, message: Message) -> Transaction | None:
        """The handler's transaction, or one with a dead letter; None when stopped meanwhile."""
        handler = self._handlers[message.topic]
        stage, metrics = self._stage.name, self._metrics
        attempt = 1
        while True:
            tx = Transaction()
            try:
                handler(message, tx)
            except (LogError, NewerSchema):
                raise
            except Exception as error:
                metrics.records_failed.labels(stage).inc()
                again = isinstance(error, RasidError) and error.retryable
                if not again or attempt >= self._retry.attempts:
                    cause = (
                        "malformed" if isinstance(error, Malformed)
                        else "retries_spent" if again
                        else "failed"
                    )  # fmt: skip
                    return self._dead_letter(message, cause, error, attempt)
                if self._wait(self._stop, self._retry.wait_s(attempt)):
                    return None
                metrics.records_retried.labels(stage).inc()
                attempt += 1
            else:
                return tx

    def _commit_all(self, done: Sequence[tuple[Message, Transaction]]) -> None:
        together = Transaction()
        for _, tx in done:
            together.absorb(tx)
        try:
            self._commit(together, [message for message, _ in done])
        except LogError:
            raise
        except Exception:
            # Something a handler wrote cannot be stored. Find out what: one by one.
            for message, tx in done:
                try:
                    self._commit(tx, [message])
                except LogError:
                    raise
                except Exception as error:
                    self._metrics.records_failed.labels(self._stage.name).inc()
                    self._bury(message, error)

    def _bury(self, message: Message, error: Exception) -> None:
        """The dead letter of a record whose outputs cannot be stored. Where the letter is too
        large itself it goes without the record, which lies where the letter says."""
        cause = "too_large" if isinstance(error, TooLarge) else "failed"
        try:
            self._commit(self._dead_letter(message, cause, error, 1), [message])
        except TooLarge:
            empty = replace(message, value=b"")
            self._commit(self._dead_letter(empty, cause, error, 1), [message])

    def _commit(self, tx: Transaction, after: Sequence[Message]) -> None:
        """Commit, again and again while the log is unavailable, until told to stop."""
        failures = 0
        while True:
            try:
                self._stage.commit(tx, after)
            except LogUnavailable as error:
                self._log_away(error, failures)
                if self._stop.is_set():
                    raise
                failures += 1
                self._wait(self._stop, self._retry.log_wait_s(failures))
            else:
                break
        if failures:
            self.ready = True
        stage, metrics = self._stage.name, self._metrics
        metrics.records_in.labels(stage).inc(len(after))
        metrics.records_out.labels(stage).inc(len(tx.appends))
        metrics.records_dead.labels(stage).inc(
            sum(item.topic == DEADLETTERS for item in tx.appends)
        )

    def _acquire(self) -> bool:
        if not self._stage.acquire(STAND_BY_S):
            return False
        if self._on_acquired is not None:
            self._on_acquired()
        log.info("stage_acquired", stage=self._stage.name)
        self.ready = True
        return True

    def _log_away(self, error: LogUnavailable, failures: int) -> None:
        self.ready = False
        self._metrics.beat(self._stage.name)
        if not failures:  # once an outage, not once a try
            log.warning(
                "log_unavailable", stage=self._stage.name, reason=error.reason, error=str(error)
            )

    def _dead_letter(
        self, message: Message, cause: str, error: Exception, attempts: int
    ) -> Transaction:
        log.error(
            "record_dead",
            stage=self._stage.name,
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            key=message.key,
            cause=cause,
            error=_told(error),
            exc_info=None if isinstance(error, RasidError) else error,
        )
        tx = Transaction()
        letter = dead_letter(
            self._stage.name, message, cause, error, attempts=attempts, failed=self._clock()
        )
        tx.append(DEADLETTERS, self._stage.name, encode(letter))
        return tx


def dead_letter(
    stage: str,
    message: Message,
    cause: str,
    error: Exception,
    *,
    attempts: int,
    failed: datetime,
) -> DeadLetter:
    """The record as it was, with who failed it, where it lay, when and why."""
    try:
        value, encoding = message.value.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        value, encoding = base64.b64encode(message.value).decode("ascii"), "base64"
    return DeadLetter(
        stage=stage,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        cause=cause,
        error=_told(error),
        failed=failed,
        attempts=attempts,
        value=value,
        encoding=encoding,  # type: ignore[arg-type]
    )


def _told(error: Exception) -> str:
    """An error as text that can be stored: short, and without lone surrogates."""
    text = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
    return text.encode("utf-8", "replace").decode("utf-8")
