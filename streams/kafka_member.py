"""A stage's membership of its group: which partitions are its own, and reading them.

The group is named for the stage; its members are static, known by `instance:`, so that one
that comes back after kill -9 takes its partitions up at once, and the others do not move. A
member without partitions stands by.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, Final

from kafka import KafkaConsumer
from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.structs import TopicPartition

from streams.errors import IdentityTaken, OwnershipLost
from streams.kafka_client import REQUEST_S, member
from streams.kafka_topics import Cluster

POLL_RECORDS: Final = 500
LOOK_S: Final = 0.25  # while it waits for a seat, between two looks at whether it has one


class Member:
    """Joins at the first `seated`. Raises kafka-python's errors, OwnershipLost when partitions
    were given out anew, IdentityTaken when another process joined under our name."""

    def __init__(self, cluster: Cluster, stage: str, topics: Sequence[str], *, reads: bool) -> None:
        self.owned: tuple[TopicPartition, ...] = ()
        self._cluster = cluster
        self._stage = stage
        self._reads = reads
        self.generation = -1  # of the group, by which what is ours was given
        self._consumer: KafkaConsumer = member(cluster.options, cluster.group(stage))
        self._turns = _Turns(self._heard_of)
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
            self._poll(min(left, LOOK_S), 1)
            assignment = self._consumer.assignment()
            if assignment and not self._turns.leaving and self._is_given(assignment):
                given, _ = self._turns.taken()
                self._cluster.metrics.rebalances.labels(self._stage).inc(len(given))
                self.generation = given[-1][0] if given else self._heard_of()
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

    def is_still_given(self) -> bool:
        """Asks the group. Raises IdentityTaken."""
        return self._is_given(set(self.owned))

    def poll(self, timeout_s: float) -> Mapping[TopicPartition, Sequence[Any]] | None:
        """The next records of what is ours. None when the group was formed anew and all is as
        it was, except where the consumer stands: `seek` again."""
        found = self._poll(timeout_s, POLL_RECORDS)
        if not self._turns.given:
            return found
        given, lost = self._turns.taken()
        self._cluster.metrics.rebalances.labels(self._stage).inc(len(given))
        generations = [generation for generation, _ in given]
        nobody_between = generations == [self.generation + n for n in range(1, len(given) + 1)]
        if lost or not nobody_between or any(each != set(self.owned) for _, each in given):
            raise OwnershipLost(f"the partitions of stage {self._stage} were given out anew")
        self.generation = generations[-1]
        return None

    @property
    def is_outdated(self) -> bool:
        """Whether the group has divided again, and what it gave is not taken in yet: what is
        committed meanwhile would be refused. A poll or two take it in."""
        return self._heard_of() != self.generation

    def _heard_of(self) -> int:
        return int(self._consumer.group_metadata().generation_id)

    def _poll(self, timeout_s: float, records: int) -> Mapping[TopicPartition, Sequence[Any]]:
        coordinator = self._consumer._coordinator
        joining = coordinator._join_task
        if joining is not None and not isinstance(joining, _Joining):
            coordinator._join_task = _Joining(joining)
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
        if group.generation_id != self.generation:
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


class _Joining:
    """The client library's wait for a division of its group, over several polls.

    It takes in a division that comes while it is polled. One that comes between two polls it
    throws away and asks for another: who polls shortly, as a stage that only shows that it
    lives, would not take in any, and where it leads the group would have it divided again each
    time. What stands here for its future never looks done, so it is waited for once more, and
    what came is taken in, by a poll of no time too."""

    is_done = False

    def __init__(self, future: Any) -> None:
        self.add_callback = future.add_callback
        self.add_errback = future.add_errback


class _Turns(ConsumerRebalanceListener):  # type: ignore[misc]
    """What the group told of our partitions, until it is looked at."""

    def __init__(self, generation: Callable[[], int]) -> None:
        self.leaving = False  # asked back, and not given out again yet
        self.given: list[tuple[int, Set[TopicPartition]]] = []  # by which generation
        self._generation = generation
        self._lost = False

    def taken(self) -> tuple[list[tuple[int, Set[TopicPartition]]], bool]:
        """What was given since the last call, and whether our place was lost meanwhile."""
        given, self.given = self.given, []
        lost, self._lost = self._lost, False
        return given, lost

    def on_partitions_revoked(self, revoked: object) -> None:
        self.leaving = True

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.leaving = False
        self.given.append((self._generation(), frozenset(assigned)))

    def on_partitions_lost(self, lost: object) -> None:
        self._lost = True


def _offsets(positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, Any]:
    from kafka.structs import OffsetAndMetadata

    return {tp: OffsetAndMetadata(at, "", -1) for tp, at in positions.items()}
