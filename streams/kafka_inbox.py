"""What a stage has read of its partitions: given out, waiting to be, and where it stands.

    brokers ─▶ waiting, by topic ─▶ given out, not committed ─▶ behind the position

A topic named earlier is more urgent: before anything of a later one is given out, the brokers
are asked whether there is something of an earlier one.
"""

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kafka.structs import TopicPartition

from streams.errors import LogUnavailable, OwnershipLost
from streams.kafka_client import REQUEST_S
from streams.kafka_member import Member
from streams.kafka_records import message_of
from streams.kafka_topics import Cluster
from streams.log import Message

LISTEN_S: Final = 5.0  # without a record, the brokers are asked whether they are there
SETTLE_S: Final = 5.0  # from the group's answer to a division's being known
DIVISION_S: Final = 10.0  # for the others of the group to come, who hear of it in three seconds


class Inbox:
    """Of a stage that was given its partitions. Raises kafka-python's errors, OwnershipLost."""

    def __init__(
        self,
        cluster: Cluster,
        member: Member,
        stage: str,
        reads: Sequence[str],
        positions: Mapping[TopicPartition, int],
    ) -> None:
        self.positions = dict(positions)  # as committed
        self._cluster = cluster
        self.member = member
        self._stage = stage
        self._reads = tuple(reads)
        self._cursors: dict[TopicPartition, int] = {}  # where the next poll goes on
        self._given: dict[TopicPartition, deque[int]] = {tp: deque() for tp in positions}
        self._waiting: dict[str, deque[Message]] = {}  # read, not given out
        self._heard = time.monotonic()  # of the brokers
        self.rewind()

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Message]:
        deadline = time.monotonic() + timeout_s
        if not self._reads:
            self.tend(timeout_s)
            return ()
        while True:
            if messages := self._take(max_records):
                self._heard = time.monotonic()
                return messages
            left = deadline - time.monotonic()
            if left > 0:
                self._fetch(left)
            elif timeout_s > 0:
                self._listen()
                return ()
            else:  # no time to wait for the broker to tell: ask it
                self._fetch(0.0)  # however near the end, a member must be heard by its group
                self._fetch_all(self._reads)
                return self._take(max_records)

    def tend(self, timeout_s: float = 0.0) -> None:
        """Stay a living member of the group, where nothing is read."""
        self._fetch(timeout_s)
        self._listen()

    def settle(self) -> None:
        """Take in what the group gave out anew, before something is committed. It mostly leaves
        us what we had; OwnershipLost where not."""
        deadline = time.monotonic() + SETTLE_S
        while self.member.is_outdated and time.monotonic() < deadline:
            self._fetch(0.05)

    def await_division(self) -> None:
        """The group refused what was signed by the last division: wait to hear of the next.
        Raises OwnershipLost where that does not come, or takes something from us."""
        deadline = time.monotonic() + DIVISION_S
        before = self.member.generation
        while self.member.generation == before and time.monotonic() < deadline:
            self._fetch(0.05)
        if self.member.generation == before or not self.member.is_still_given():
            raise OwnershipLost(f"stage {self._stage} is no member of its group any more")

    def rewind(self) -> None:
        self._cursors = dict(self.positions)
        self._waiting = {topic: deque() for topic in self._reads}
        self.member.seek(self.positions)

    def fence(self) -> dict[TopicPartition, int]:
        """Positions to commit where none moves: by them a zombie is known, and whoever is given
        one of these partitions waits for what is under way in it."""
        return dict(self.positions)

    def move(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset
        given = self._given[tp]
        while given and given[0] < offset:
            given.popleft()
        if self._cursors[tp] < offset:  # rewound since it was given out
            self._cursors[tp] = offset
            topic = self._cluster.logical(tp.topic)
            self._waiting[topic] = deque(
                m for m in self._waiting[topic] if m.partition != tp.partition or m.offset >= offset
            )

    def moved(self, after: Iterable[Message]) -> dict[TopicPartition, int]:
        """Where the position stands after these messages. ValueError where one was skipped."""
        counts: dict[TopicPartition, int] = {}
        moved: dict[TopicPartition, int] = {}
        for message in after:
            tp = TopicPartition(self._cluster.physical(message.topic), message.partition)
            if tp not in self._given:
                raise ValueError(f"stage {self._stage} does not read {message.topic}")
            number = counts.get(tp, 0)
            given = self._given[tp]
            if number >= len(given) or given[number] != message.offset:
                expected = given[number] if number < len(given) else "nothing"
                raise ValueError(f"{message.topic}: {expected} comes next, not {message.offset}")
            counts[tp] = number + 1
            moved[tp] = message.offset + 1
        return moved

    def _listen(self) -> None:
        """A consumer says nothing of brokers that are away, nor of another under its name:
        where it has brought nothing for a while, ask."""
        if time.monotonic() - self._heard > LISTEN_S:
            self.member.check()
            self._cluster.stable_ends(self.member.owned)
            self._heard = time.monotonic()

    def _take(self, max_records: int) -> Sequence[Message]:
        """Messages that were read, of the most urgent topic that has any."""
        for number, topic in enumerate(self._reads):
            if self._waiting[topic]:
                if number and self._fetch_all(self._reads[:number]):
                    return self._take(max_records)
                return self._give(topic, max_records)
        return ()

    def _give(self, topic: str, max_records: int) -> Sequence[Message]:
        waiting = self._waiting[topic]
        messages = [waiting.popleft() for _ in range(min(max_records, len(waiting)))]
        physical = self._cluster.physical(topic)
        for message in messages:
            tp = TopicPartition(physical, message.partition)
            self._cursors[tp] = message.offset + 1
            given = self._given[tp]
            if not given or given[-1] < message.offset:
                given.append(message.offset)
        return messages

    def _fetch(self, timeout_s: float) -> None:
        found = self.member.poll(timeout_s)
        if found is None:  # the group was formed anew and left us what we had
            self._waiting = {topic: deque() for topic in self._reads}
            self.member.seek(self._cursors)
            return
        for tp, records in found.items():
            topic = self._cluster.logical(tp.topic)
            if topic not in self._waiting:  # a table, which the group only divides
                continue
            cursor = self._cursors[tp]
            self._waiting[topic].extend(
                message_of(record, topic) for record in records if record.offset >= cursor
            )

    def _fetch_all(self, topics: Sequence[str]) -> bool:
        """Read on until there is a message of `topics`, or certainly none; whether there is."""
        names = {self._cluster.physical(topic) for topic in topics}
        ends = self._cluster.stable_ends(tp for tp in self.member.owned if tp.topic in names)
        deadline = time.monotonic() + REQUEST_S
        while not any(self._waiting[topic] for topic in topics):
            if all(self.member.position(tp) >= end for tp, end in ends.items()):
                return False
            if time.monotonic() > deadline:
                raise LogUnavailable(
                    f"{self._cluster.options.shown}: records cannot be read", reason="away"
                )
            self._fetch(0.05)
        return True
