"""The log on Apache Kafka, for more than one machine.

    KafkaLog ── stage() ──▶ KafkaStage   a member of its group (streams.kafka_stage)
        │                     ├── Member   of the group: partitions   (streams.kafka_member)
        │                     ├── Inbox    read, given out, position  (streams.kafka_inbox)
        │                     ├── Writer   transactions               (streams.kafka_writer)
        │                     └── Tables   restored, looked into      (streams.kafka_tables)
        ├── read()                         (Reader: streams.kafka_reader)
        ├── topics()                       (streams.kafka_look)
        ├── expire()                       (streams.kafka_expiry)
        └── Cluster        names, topics, what to ask of the brokers  (streams.kafka_topics)

Nothing is opened until it is used. The topics are made by the first stage that acquires a
seat.
"""

import heapq
import threading
import weakref
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from kafka.structs import TopicPartition

from streams import kafka_expiry, kafka_look
from streams.errors import LogUnavailable, OwnershipLost
from streams.kafka_client import translated
from streams.kafka_expiry import Ranges
from streams.kafka_options import KafkaOptions
from streams.kafka_reader import Offsets, Reader
from streams.kafka_records import message_of
from streams.kafka_stage import KafkaStage
from streams.kafka_tables import Store
from streams.kafka_topics import Cluster
from streams.log import Clock, Lag, Message, Positions, Row, TopicInfo
from streams.metrics import LogMetrics
from streams.records import TABLES, TOPICS

LOOKED_AT: Final = 100  # offsets up to which `lag` counts exactly


class KafkaLog:
    """Implements `streams.log.Log`."""

    def __init__(
        self, options: KafkaOptions, *, clock: Clock, metrics: LogMetrics | None = None
    ) -> None:
        self._options = options
        self._clock = clock
        self._cluster = Cluster(options, metrics)
        self._reader = Reader(self._cluster)
        self._lock = threading.Lock()
        self._stages: weakref.WeakSet[KafkaStage] = weakref.WeakSet()

    def stage(self, name: str, reads: Sequence[str] = ()) -> KafkaStage:
        stage = KafkaStage(self._cluster, name, reads, self._clock)
        with self._lock:
            self._stages.add(stage)
        return stage

    def claim(self) -> None:
        with self._lock:
            stages = list(self._stages)
        for stage in stages:
            stage.refuse_twin()

    # --- looking --------------------------------------------------------------------------

    def read(self, topic: str, start: int | Mapping[int, int] | None = None) -> Iterator[Message]:
        with translated(self._options):
            partitions = self._existing(topic)
            starts, ends = self._reader.bounds(partitions)
            skipped = kafka_expiry.passed_over(self._cluster, partitions)
        if topic in TABLES:
            return self._read_table(topic, starts, ends)
        wanted = start if isinstance(start, Mapping) else dict.fromkeys(range(len(starts)), start)
        begins = {tp: max(at, wanted.get(tp.partition) or 0) for tp, at in starts.items()}
        lanes = [self._read_partition(topic, {tp: at}, ends, skipped) for tp, at in begins.items()]
        return lanes[0] if len(lanes) == 1 else heapq.merge(*lanes, key=lambda m: m.time)

    def _existing(self, name: str) -> list[TopicPartition]:
        """The partitions of a topic. KeyError when there is no such, LogUnavailable when there
        is no log at all."""
        if not self._cluster.partitions():
            raise LogUnavailable(
                f"{self._options.shown}: no log there (yet); `rasid run` makes it, or correct"
                " `log:`",
                reason="missing",
            )
        partitions = self._cluster.of(name)
        if not partitions:
            raise KeyError(name)
        return partitions

    def _read_partition(
        self, topic: str, start: Offsets, ends: Offsets, skipped: Mapping[Any, Ranges]
    ) -> Iterator[Message]:
        with translated(self._options):
            for page in self._reader.pages(start, ends):
                for record in kafka_expiry.kept(page, skipped):
                    yield message_of(record, topic)

    def _read_table(self, table: str, starts: Offsets, ends: Offsets) -> Iterator[Message]:
        with translated(self._options):
            store = self._stored(table, starts, ends)
        for row in self._rows(store, table):
            assert row.time is not None
            yield Message(table, 0, 0, row.key, row.time, row.value)

    def _stored(self, table: str, starts: Offsets, ends: Offsets) -> Store:
        store = Store()
        store.add(table)
        for page in self._reader.pages(starts, ends):
            store.take(table, page)
        return store

    def topics(self) -> Sequence[TopicInfo]:
        with translated(self._options):
            self._existing(TOPICS[0])
            by_name = {
                n: some for n in (*sorted(TOPICS), *sorted(TABLES)) if (some := self._cluster.of(n))
            }
            starts, ends = self._reader.bounds([tp for some in by_name.values() for tp in some])
            looks = kafka_look.look(self._cluster, self._reader, by_name, starts, ends)
            positions = self._cluster.positions()
            return [
                kafka_look.table_info(looks[name])
                if name in TABLES
                else kafka_look.topic_info(looks[name], positions)
                for name in by_name
            ]

    def problems(self) -> Sequence[str]:
        with translated(self._options):
            self._existing(TOPICS[0])
            return self._cluster.problems()

    def lag(self) -> Lag:
        behind: dict[str, Counter[str]] = defaultdict(Counter)
        with translated(self._options):
            positions = self._cluster.positions()
            topics = [tp for name in TOPICS for tp in self._cluster.of(name)]
            _, ends = self._reader.bounds(topics, settle_s=0.0)
            for stage, at in positions.items():
                for tp, offset in at.items():
                    if tp in ends:
                        topic = self._cluster.logical(tp.topic)
                        behind[stage][topic] += self._behind(tp, offset, ends[tp])
        return behind

    def _behind(self, tp: TopicPartition, offset: int, end: int) -> int:
        """What little may be markers of transactions only is looked at."""
        if end - offset > LOOKED_AT:
            return end - offset
        return sum(len(page) for page in self._reader.pages({tp: offset}, {tp: end}))

    def rows(self, table: str) -> Iterator[Row]:
        with translated(self._options):
            starts, ends = self._reader.bounds(self._existing(table))
            store = self._stored(table, starts, ends)
        return self._rows(store, table)

    def _rows(self, store: Store, table: str) -> Iterator[Row]:
        try:
            yield from store.scan(table)
        finally:
            store.close()

    def positions(self) -> Mapping[str, Positions]:
        found: dict[str, dict[str, dict[int, int]]] = {}
        with translated(self._options):
            for stage, at in self._cluster.positions().items():
                for tp, offset in at.items():
                    topic = self._cluster.logical(tp.topic)
                    if topic in TOPICS:
                        found.setdefault(stage, {}).setdefault(topic, {})[tp.partition] = offset
        return found

    def set_positions(self, stage: str, positions: Positions) -> None:
        with translated(self._options):
            self._cluster.set_positions(
                stage,
                {
                    TopicPartition(self._cluster.physical(topic), partition): offset
                    for topic, at in positions.items()
                    for partition, offset in at.items()
                },
            )

    # --- letting go -----------------------------------------------------------------------

    def expire(self, max_age_s: Mapping[str, float], now: datetime) -> int:
        gone = 0
        with translated(self._options):
            there = self._cluster.partitions()
            positions = self._cluster.positions()
            for name, age_s in max_age_s.items():
                before = now - timedelta(seconds=age_s)
                if name in TABLES:
                    gone += self._expire_rows(name, before)
                elif name in there:
                    gone += self._expire_records(name, before, now, positions.values())
        return gone

    def _expire_rows(self, table: str, before: datetime) -> int:
        gone = 0
        with self._lock:
            stages = list(self._stages)
        for stage in stages:
            try:
                gone += stage.expire(table, before)
            except OwnershipLost:  # it notices by itself, and another instance goes on
                continue
        return gone

    def _expire_records(
        self,
        name: str,
        before: datetime,
        now: datetime,
        positions: Iterable[Mapping[TopicPartition, int]],
    ) -> int:
        partitions = self._cluster.of(name)
        starts, ends = self._reader.bounds(partitions)
        for at in positions:
            for tp in partitions:
                if tp in at:
                    ends[tp] = min(ends[tp], at[tp])
        return kafka_expiry.expire(self._cluster, self._reader, starts, ends, before, now)

    def close(self) -> None:
        with self._lock:
            stages = list(self._stages)
        for stage in stages:
            stage.close()
        self._reader.close()
        self._cluster.close()
