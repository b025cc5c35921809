"""A stage's membership of its group: which partitions are its own, and reading them.

The group is named for the stage; its members are static, known by `instance:`, so that one
that comes back after kill -9 takes its partitions up at once, and the others do not move. A
member without partitions stands by.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence, Set
from typing import Any

from kafka import KafkaConsumer
from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.structs import TopicPartition

from streams.errors import IdentityTaken, OwnershipLost
from streams.kafka_client import REQUEST_S, member
from streams.kafka_topics import Cluster

POLL_RECORDS = 500
JOIN_S = 0.25  # in much less, the client library does not get to take in what it was given


class Member:
    """Joins at the first `seated`. Raises kafka-python's errors, OwnershipLost when partitions
    were given out anew, IdentityTaken when another process joined under our name."""

    def __init__(self, cluster: Cluster, stage: str, topics: Sequence[str], *, reads: bool) -> None:
        self.owned: tuple[TopicPartition, ...] = ()
        self._cluster = cluster
        self._stage = stage
        self._reads = reads
        self._generation = -1
        self._turns = _Turns()
        self._consumer: KafkaConsumer = member(cluster.options, cluster.group(stage))
        counts = {cluster.physical(topic): cluster.partitions()[topic] for topic in topics}
        names = list(counts)
        self._consumer.subscribe(names, listener=self._turns)
        deadline = time.monotonic() + REQUEST_S
        # A member that leads its group divides only the partitions it has heard of.
        while any(len(self._consumer.partitions_for_topic(n)) < counts[n] for n in names):
            if time.monotonic() > deadline:
                raise kafka_errors.KafkaTimeoutError(f"no broker leads {', '.join(names)}")
            time.sleep(0.02)

    def seated(self, timeout_s: float) -> bool:
        """Whether any partition is ours; waits for one."""
        deadline = time.monotonic() + timeout_s
        while True:
            left = max(deadline - time.monotonic(), 0.0)
            self._poll(min(left, JOIN_S), 1)
            assignment = self._consumer.assignment()
            if assignment and not self._turns.leaving and self._is_given(assignment):
                self._turns.given = False
                self._cluster.metrics.rebalances.labels(self._stage).inc()
                self._generation = self._consumer.group_metadata().generation_id
                self.owned = tuple(sorted(assignment))
                return True
            if left == 0:
                return False

    def _is_given(self, assignment: Set[TopicPartition]) -> bool:
        """Whether the group gives us these still. The client library hears of a new division some
        time after it was made; who took the seat by the old one would fence whoever has it now,
        amid its work. Raises IdentityTaken."""
        self.check()
        member_id = self._consumer.group_metadata().member_id
        return self._cluster.given(self._stage, member_id) == assignment

    def poll(self, timeout_s: float) -> Mapping[TopicPartition, Sequence[Any]] | None:
        """The next records of what is ours. None when the group was formed anew and all is as
        it was, except where the consumer stands: `seek` again."""
        found = self._poll(timeout_s, POLL_RECORDS)
        if not self._turns.given:
            return found
        self._turns.given = False
        self._cluster.metrics.rebalances.labels(self._stage).inc()
        generation = self._consumer.group_metadata().generation_id
        is_next = generation == self._generation + 1 and not self._turns.lost
        self._turns.lost = False
        if not is_next or set(self._consumer.assignment()) != set(self.owned):
            raise OwnershipLost(f"the partitions of stage {self._stage} were given out anew")
        self._generation = generation
        return None

    def _poll(self, timeout_s: float, records: int) -> Mapping[TopicPartition, Sequence[Any]]:
        found: Mapping[TopicPartition, Sequence[Any]] = self._consumer.poll(
            timeout_ms=int(timeout_s * 1000), max_records=records
        )
        return found

    def check(self) -> None:
        """Ask the group whether we are still its member. The client library does not tell that
        another took our name; it stops asking. Raises IdentityTaken."""
        name = self._cluster.options.instance
        for member_id in self._cluster.members(self._stage, name):
            if member_id != self._consumer.group_metadata().member_id:
                raise IdentityTaken(
                    f"another process works stage {self._stage} as instance {name!r}; give each"
                    " an `instance:` of its own"
                )

    def metadata(self) -> Any:
        """What the broker knows us by, for a commit on what is ours. The client library joins
        the group's next generation by itself, between two looks at what it gave: signed by that
        one, a commit on partitions that are another's by now would be taken. Raises
        OwnershipLost."""
        group = self._consumer.group_metadata()
        if group.generation_id != self._generation:
            raise OwnershipLost(f"the partitions of stage {self._stage} were given out anew")
        return group

    def start(self) -> dict[TopicPartition, int]:
        """Where the stage stands in each partition of ours. One it has never read is begun at
        its first record, and that is committed. Waits for transactions under way."""
        beginnings = self._cluster.beginnings(self.owned)
        positions: dict[TopicPartition, int] = {}
        for partition in self.owned:
            committed = self._consumer.committed(partition)
            if committed is not None:
                positions[partition] = max(committed, beginnings[partition])
        new = {tp: beginnings[tp] for tp in self.owned if tp not in positions}
        if new:
            self._consumer.commit(_offsets(new))
        return {**positions, **new}

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        for partition, offset in offsets.items():
            self._consumer.seek(partition, offset)
        if not self._reads:
            self._consumer.pause(*self.owned)

    def position(self, partition: TopicPartition) -> int:
        """Where the consumer reads on; past markers that are no records."""
        return int(self._consumer.position(partition))

    def leave(self) -> None:
        """Give up what is ours at once, if a broker answers; else the session ends by itself."""
        if self._close():
            with contextlib.suppress(kafka_errors.KafkaError):
                self._cluster.leave(self._stage)

    def drop(self) -> None:
        """Let the connections go and stay a member, as a process that was killed does."""
        self._close()

    def _close(self) -> bool:
        """Whether the brokers could be told. Where not, the client library leaves its thread
        behind, which would go on asking for them."""
        try:
            self._consumer.close(timeout_ms=1000)
        except kafka_errors.KafkaError:
            with contextlib.suppress(kafka_errors.KafkaError):
                self._consumer._client.close()
            return False
        return True


class _Turns(ConsumerRebalanceListener):  # type: ignore[misc]
    """What the group told of our partitions, until it is looked at."""

    def __init__(self) -> None:
        self.leaving = False  # asked back, and not given out again yet
        self.given = False
        self.lost = False

    def on_partitions_revoked(self, revoked: object) -> None:
        self.leaving = True

    def on_partitions_assigned(self, assigned: object) -> None:
        self.leaving = False
        self.given = True

    def on_partitions_lost(self, lost: object) -> None:
        self.lost = True


def _offsets(positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, Any]:
    from kafka.structs import OffsetAndMetadata

    return {tp: OffsetAndMetadata(at, "", -1) for tp, at in positions.items()}
