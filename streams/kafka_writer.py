"""A stage's transactions: records and positions, all of them or none.

    write: 1. begin  2. send the records  3. send the positions, with the group's
           metadata, by which a zombie is known  4. commit

A producer that failed is not used again. Its successor under the same id ends what it left
open: whatever the cluster had committed stays, the rest is undone.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kafka import KafkaProducer
from kafka import errors as kafka_errors
from kafka.structs import OffsetAndMetadata, TopicPartition

from streams.kafka_client import TRANSACTION_S, producer
from streams.kafka_records import Outgoing
from streams.kafka_topics import Cluster

COMMIT_S: Final = TRANSACTION_S / 2


class Writer:
    """Raises kafka-python's errors; after any of them only `close` may be called."""

    def __init__(self, cluster: Cluster, transactional_id: str) -> None:
        """Take the id over: an earlier holder's open transaction ends here and now, and it
        can write no more."""
        self._cluster = cluster
        self.id = transactional_id
        self._producer: KafkaProducer = producer(cluster.options, transactional_id)
        try:
            self._producer.init_transactions()
        except BaseException:
            self.close()
            raise

    def write(
        self,
        records: Sequence[Outgoing],
        positions: Mapping[TopicPartition, int],
        group: Any,
    ) -> None:
        """All of it durable on return; `Cluster.settle` waits until readers see it."""
        deadline = time.monotonic() + COMMIT_S
        self._producer.begin_transaction()
        for record in records:
            self._producer.send(
                record.topic,
                key=record.key,
                value=record.value,
                headers=record.headers,
                partition=record.partition,
            )
        # The producer's own methods for the next two wait for ever where no broker answers.
        steps = self._producer._transaction_manager
        offsets = {tp: OffsetAndMetadata(at, "", -1) for tp, at in positions.items()}
        self._wait(steps.send_offsets_to_transaction(offsets, group), deadline)
        self._wait(steps.begin_commit(), deadline)
        self._cluster.committed(self.id)

    def _wait(self, result: Any, deadline: float) -> None:
        self._producer._sender.wakeup()
        left = max(deadline - time.monotonic(), 0.0)
        if not result.wait(timeout_ms=left * 1000):
            raise kafka_errors.KafkaTimeoutError(f"no answer to a commit in {COMMIT_S:.0f} s")

    def close(self) -> None:
        """Let the connections go; what is not committed is left for the successor to undo."""
        with contextlib.suppress(kafka_errors.KafkaError):
            self._producer.close(timeout=0)
        self._producer._sender.force_close()
