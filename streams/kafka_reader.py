"""Committed records of partitions, read from here to there without belonging to any group: for
`Log.read`, for counting, and for tables, which a stage restores before it works.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from streams.errors import LogUnavailable
from streams.kafka_client import REQUEST_S, consumer
from streams.kafka_topics import Cluster

PAGE_RECORDS: Final = 500
LOOK_MS: Final = 20  # markers of transactions end no poll: whether they were passed is looked at
SETTLE_S: Final = 0.5  # that a reader waits for transactions under way

Offsets = dict[TopicPartition, int]


class Reader:
    """One consumer, used by one caller at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._consumer: KafkaConsumer | None = None
        self._stands: Offsets = {}  # where the consumer would go on

    def bounds(
        self, partitions: Sequence[TopicPartition], settle_s: float = SETTLE_S
    ) -> tuple[Offsets, Offsets]:
        """Where each begins and ends: the end is what was written when this was called, less
        what is still open after `settle_s`."""
        if not partitions:
            return {}, {}
        cluster, deadline = self._cluster, time.monotonic() + settle_s
        written = cluster.written_ends(partitions) if settle_s else {}
        ends = cluster.stable_ends(partitions)
        while any(ends[tp] < end for tp, end in written.items()) and time.monotonic() < deadline:
            time.sleep(0.005)
            ends = cluster.stable_ends(partitions)
        return cluster.beginnings(partitions), ends

    def pages(self, starts: Offsets, ends: Offsets) -> Iterator[list[Any]]:
        """Records from `starts` to `ends`, some at a time, each partition's in order."""
        at = {tp: start for tp, start in starts.items() if start < ends[tp]}
        while at:
            with self._lock:
                records, at = self._page(at, ends)
            if records:
                yield records

    def _page(self, at: Offsets, ends: Mapping[TopicPartition, int]) -> tuple[list[Any], Offsets]:
        consumer = self._open()
        if self._stands != at:
            consumer.assign(sorted(at))
            for tp, offset in at.items():
                consumer.seek(tp, offset)
        self._stands = {}
        deadline = time.monotonic() + REQUEST_S
        while True:
            found = consumer.poll(timeout_ms=LOOK_MS, max_records=PAGE_RECORDS)
            records = [r for tp, some in found.items() for r in some if r.offset < ends[tp]]
            positions = {tp: consumer.position(tp) for tp in at}
            left = {tp: offset for tp, offset in positions.items() if offset < ends[tp]}
            if records or not left:
                if len(left) == len(at):
                    self._stands = left
                return records, left
            if positions != at:
                at = positions
                deadline = time.monotonic() + REQUEST_S
            elif time.monotonic() >= deadline:
                raise LogUnavailable(
                    f"{self._cluster.options.shown}: records cannot be read; is their broker up?",
                    reason="away",
                )

    def _open(self) -> KafkaConsumer:
        if self._consumer is None:
            # It reads to ends that are known: there is nothing to wait for.
            self._consumer = consumer(self._cluster.options, wait_ms=1)
        return self._consumer

    def close(self) -> None:
        with self._lock:
            consumer, self._consumer = self._consumer, None
            self._stands = {}
            if consumer is not None:
                consumer.close()
