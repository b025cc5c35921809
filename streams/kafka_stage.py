"""A stage's seat at the log on Kafka.

    acquire ─▶ member of the group ─▶ partitions given ─▶ predecessor fenced ─▶ positions,
               tables restored ─▶ poll … commit, commit, commit

Three things guard the seat. Within one machine, a lock file (`streams.seats`) under the
instance's name. Between instances, the group: what is committed carries its metadata, and who
is no longer a living member is refused. Between a process and its own successor, the
transactional id. Whoever is refused gets OwnershipLost, reads again and repeats nothing; so
does one whose commit got no answer, because it may have landed.
"""

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from kafka import errors as kafka_errors

from streams.errors import IdentityTaken, LogUnavailable, OwnershipLost
from streams.kafka_client import translated
from streams.kafka_inbox import Inbox
from streams.kafka_member import Member
from streams.kafka_records import Outgoing, outgoing
from streams.kafka_tables import Tables
from streams.kafka_topics import Cluster
from streams.kafka_writer import Writer
from streams.log import Clock, Message, Row, Transaction
from streams.moments import to_us
from streams.seats import Seat

EXPIRE_ROWS: Final = 500  # deleted in one transaction
REFUSED: Final = (kafka_errors.CommitFailedError, kafka_errors.IllegalGenerationError)


class KafkaStage:
    """Implements `streams.log.Stage`. Calls may come from several threads, one at a time."""

    def __init__(self, cluster: Cluster, name: str, reads: Sequence[str], clock: Clock) -> None:
        self.name = name
        self._cluster = cluster
        self._reads = tuple(reads)
        self._clock = clock
        self._lock = threading.RLock()
        self._seat = Seat(_lock_file(cluster, name))
        self._member: Member | None = None
        self._writer: Writer | None = None
        self._tables: Tables | None = None
        self._inbox: Inbox | None = None
        cluster.metrics.begin(name)

    # --- the seat -------------------------------------------------------------------------

    def acquire(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        with self._lock:
            self._forget()  # after a loss nothing held is worth trusting
            if not self._seat.take(timeout_s):
                return False
            try:
                with translated(self._cluster.options):
                    if self._member is None:
                        self._cluster.ensure()
                        self._member = Member(
                            self._cluster,
                            self.name,
                            self._cluster.home(self.name, self._reads),
                            reads=bool(self._reads),
                        )
                    if not self._member.seated(max(deadline - time.monotonic(), 0.0)):
                        return False
                    self._begin(self._member)
            except BaseException:
                self._drop()
                raise
            return True

    def _begin(self, member: Member) -> None:
        """Fence who worked these partitions before, then learn where it left them."""
        member.check()
        counts = self._cluster.partitions()
        alone = all(counts[self._cluster.logical(tp.topic)] == 1 for tp in member.owned)
        slot = "0" if alone else f"{self._cluster.options.instance}.0"
        self._writer = Writer(self._cluster, self._cluster.transactional_id(self.name, slot))
        positions = member.start()
        self._tables = Tables(self._cluster, self.name, member.owned)
        self._inbox = Inbox(self._cluster, member, self.name, self._reads, positions)

    def close(self) -> None:
        with self._lock:
            self._settle()
            self._forget()
            member, self._member = self._member, None
            if member is not None:
                member.leave()
            self._seat.leave()

    def _settle(self) -> None:
        """Whoever looks after us sees what we wrote."""
        with suppress(kafka_errors.KafkaError, LogUnavailable):
            self._cluster.settle()

    def _forget(self) -> None:
        writer, self._writer = self._writer, None
        tables, self._tables = self._tables, None
        self._inbox = None
        if writer is not None:
            writer.close()
        if tables is not None:
            tables.close()

    def refuse_twin(self) -> None:
        """Raises IdentityTaken when another process of this machine goes by our name."""
        with self._lock:
            is_held = self._seat.held
            if not self._seat.take(0):
                raise IdentityTaken(
                    f"stage {self.name} is worked by another process of this machine as instance"
                    f" {self._cluster.options.instance!r}; stop it, or give one of the two an"
                    " `instance:` of its own"
                )
            if not is_held:
                self._seat.leave()

    def _drop(self) -> None:
        """Let all go, and stay in the group by name: we are coming back."""
        self._forget()
        member, self._member = self._member, None
        if member is not None:
            member.drop()
        self._seat.leave()

    @contextmanager
    def _working(self) -> Iterator[tuple[Inbox, Writer, Tables]]:
        """The seat, for one call. What the cluster refuses loses it."""
        with self._lock:
            if self._inbox is None or self._writer is None or self._tables is None:
                raise OwnershipLost(f"stage {self.name} is not acquired")
            try:
                with translated(self._cluster.options):
                    yield self._inbox, self._writer, self._tables
            except OwnershipLost:
                self._forget()
                raise
            except IdentityTaken:
                self._drop()  # to leave the group now would take the other one out of it
                raise

    def owns(self, partition_key: str) -> bool:
        with self._working() as (_, _, tables):
            table = self._cluster.home(self.name, self._reads)[0]
            return tables.is_ours(table, partition_key)

    # --- reading --------------------------------------------------------------------------

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Message]:
        with self._working() as (inbox, _, _):
            return inbox.poll(max_records, timeout_s)

    def rewind(self) -> None:
        with self._lock:
            if self._inbox is not None:
                self._inbox.rewind()

    # --- writing --------------------------------------------------------------------------

    def commit(self, tx: Transaction, after: Iterable[Message] = ()) -> None:
        with self._working() as (inbox, writer, tables):
            moved = inbox.moved(after)
            if not (tx or moved):
                return
            now_us = to_us(self._clock())
            # What cannot be stored shows here, before anything is sent.
            records = [*self._appends(tx, now_us), *tables.outgoing(tx, now_us)]
            if not self._reads:
                inbox.tend()  # a stage that never polls must answer its group
            inbox.settle()
            positions = moved or inbox.fence()
            try:
                try:
                    writer.write(records, positions, inbox.member.metadata())
                except REFUSED:
                    # The group divides at this very moment, and nothing was written. Mostly it
                    # leaves us what we had: then what was done is not done again.
                    self._cluster.metrics.commits_failed.labels(self.name).inc()
                    writer.close()
                    inbox.await_division()
                    # Not before: by its id it would fence whoever has the seat now.
                    self._writer = Writer(self._cluster, writer.id)
                    self._writer.write(records, positions, inbox.member.metadata())
            except kafka_errors.KafkaError as error:
                self._cluster.metrics.commits_failed.labels(self.name).inc()
                with suppress(kafka_errors.KafkaError):
                    inbox.member.check()
                raise OwnershipLost(
                    f"{self._cluster.options.shown}: a commit of stage {self.name} was refused or"
                    f" not answered ({type(error).__name__}: {error}); it is looked up and gone on"
                    " from there"
                ) from error
            # Only now is it true in memory as well.
            tables.apply(tx, now_us)
            for tp, offset in moved.items():
                inbox.move(tp, offset)

    def _appends(self, tx: Transaction, now_us: int) -> list[Outgoing]:
        counts = self._cluster.partitions()
        records = []
        for item in tx.appends:
            if item.topic not in counts:
                raise ValueError(f"there is no topic {item.topic}")
            records.append(
                outgoing(
                    self._cluster.physical(item.topic),
                    counts[item.topic],
                    item.key,
                    item.value,
                    item.partition_key,
                    now_us if item.time is None else to_us(item.time),
                )
            )
        return records

    # --- rows -----------------------------------------------------------------------------

    def get(self, table: str, key: str) -> Row | None:
        with self._working() as (_, _, tables):
            return tables.get(table, key)

    def scan(self, table: str, prefix: str = "") -> Iterator[Row]:
        with self._working() as (_, _, tables):
            return tables.scan(table, prefix)

    def due(self, table: str, until: datetime, limit: int) -> Sequence[Row]:
        with self._working() as (_, _, tables):
            return tables.due(table, until, limit)

    def next_due(self, table: str) -> datetime | None:
        with self._working() as (_, _, tables):
            return tables.next_due(table)

    def expire(self, table: str, before: datetime) -> int:
        """Delete old rows without work of a table that is worked here. Nobody else may: they
        would not know what the stage is about to write."""
        gone = 0
        while True:
            with self._lock:
                if self._tables is None:
                    return gone
                tx = Transaction()
                for row in self._tables.old(table, to_us(before), EXPIRE_ROWS):
                    tx.delete(table, row.key)
                if not tx:
                    return gone
                self.commit(tx)
                gone += len(tx.rows)


def _lock_file(cluster: Cluster, stage: str) -> Path:
    """One file a stage, instance and cluster, for the processes of one user on one machine."""
    options = cluster.options
    name = "\n".join((*sorted(options.brokers), cluster.group(stage), options.instance))
    folder = Path(tempfile.gettempdir()) / f"rasid-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{hashlib.sha256(name.encode()).hexdigest()[:20]}.lock"
