"""What the log is on a cluster: its topics, how they are made, and who owns which table.

| name                          | partitions   | on the broker                              |
|-------------------------------|--------------|--------------------------------------------|
| articles, articles.backfill   | `partitions` | kept until Rasid deletes (`Log.expire`)    |
| flags, alerts, deadletters    | 1            | the same                                   |
| tables feeds, entries         | `partitions` | compacted; a row lies by its site          |
| tables stories, deliveries, … | 1            | compacted                                  |

The broker deletes no record by itself: its retention knows nothing of positions, and a stage
that was down for long would lose what it has not read. A table belongs to the stage that writes
it, partition by partition.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import structlog
from kafka import KafkaAdminClient
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType, MemberToRemove, OffsetSpec
from kafka.protocol.consumer import IsolationLevel
from kafka.structs import OffsetAndMetadata, TopicPartition
from prometheus_client import CollectorRegistry

from streams import kafka_client
from streams.errors import LogCorrupt, LogUnavailable
from streams.kafka_client import REQUEST_S
from streams.kafka_options import KafkaOptions
from streams.metrics import LogMetrics
from streams.records import (
    ARTICLES,
    BACKFILL,
    DELIVERIES,
    ENTRIES,
    FEEDS,
    SETTLED,
    SILENCES,
    STORIES,
    TABLES,
    TOPICS,
)

AWAY_S: Final = 1.0
T = TypeVar("T")
_MOVED: Final = (
    kafka_errors.KafkaConnectionError,
    kafka_errors.NodeNotReadyError,
    kafka_errors.NotCoordinatorError,
    kafka_errors.CoordinatorNotAvailableError,
    kafka_errors.RequestTimedOutError,
)

log = structlog.get_logger(__name__)

MANY: Final = frozenset({ARTICLES, BACKFILL, FEEDS, ENTRIES})
OWNED: Final[Mapping[str, tuple[str, ...]]] = {  # the first is what a stage's group divides
    "collect": (FEEDS, ENTRIES),
    "alert": (STORIES, DELIVERIES, SILENCES),
    "operate": (SETTLED,),
}
_NOBODYS: Final = SILENCES  # what the group of a stage divides that has neither topic nor table
# Without which brokers delete what was not read, or the rows of a table:
_KEEPS: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
_KEEPS_ROWS: Final = {"cleanup.policy": "compact"}
_KEPT: Final = {**_KEEPS, "message.timestamp.type": "LogAppendTime"}
_COMPACTED: Final = {
    **_KEEPS_ROWS,
    "min.cleanable.dirty.ratio": "0.2",
    "segment.bytes": str(64 * 1024 * 1024),  # the open segment is not compacted
    "message.timestamp.type": "LogAppendTime",
}


class Cluster:
    """What the stages and readers of one log share. Safe between threads."""

    def __init__(self, options: KafkaOptions, metrics: LogMetrics | None = None) -> None:
        self.options = options
        self.metrics = metrics or LogMetrics(CollectorRegistry())
        self._lock = threading.Lock()
        self._asking = threading.RLock()
        self._away = (float("-inf"), "")  # when no broker let us in, and what was said
        self._admin: KafkaAdminClient | None = None
        self._partitions: dict[str, int] = {}
        self._unsettled: set[str] = set()  # transactional ids

    # --- names ----------------------------------------------------------------------------

    def physical(self, name: str) -> str:
        return self.options.prefix + name

    def logical(self, topic: str) -> str:
        return topic.removeprefix(self.options.prefix)

    def group(self, stage: str) -> str:
        return f"{self.options.prefix}rasid.{stage}"

    def transactional_id(self, stage: str, slot: str) -> str:
        return f"{self.group(stage)}.{slot}"

    # --- topics ---------------------------------------------------------------------------

    def ensure(self) -> None:
        """Make what is missing. Raises LogCorrupt where a table has another number of
        partitions than it was made with, so that its rows would be looked for in the wrong ones,
        or where brokers would delete from a topic by themselves."""
        found = self.partitions(fresh=True)
        if missing := [name for name in (*TOPICS, *TABLES) if name not in found]:
            self._create(missing)
            found = self.partitions(fresh=True)
        if problems := self.problems():
            raise LogCorrupt("; ".join(problems), reason="foreign")

    def problems(self) -> list[str]:
        """What is wrong with the topics' partitions and retention, in sentences."""
        found = self.partitions()
        absent = [self.physical(name) for name in (*TOPICS, *TABLES) if name not in found]
        wrong = [f"{self.options.shown}: {topic} is missing" for topic in absent]
        for name, partitions in found.items():
            wanted = self.options.partitions if name in MANY else 1
            if partitions != wanted:
                wrong.append(
                    f"{self.options.shown}: {self.physical(name)} has {partitions} partitions,"
                    f" not {wanted}; a row or article lies in a partition by its key, so the"
                    " number must stay what it was: set `partitions` in `log:` to it, or copy"
                    " the log (`rasid log copy`)"
                )
        return [*wrong, *self._deleting(found)]

    def _deleting(self, names: Iterable[str]) -> Iterator[str]:
        """Topics that brokers delete from. One whose settings we may not see is passed over."""
        topics = {self.physical(name): name for name in names}
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
        if not asked:
            return
        found = self.ask(lambda admin: admin.describe_configs(asked, config_filter="all"))
        for topic, settings in found["topic"].items():
            for key, value in (_KEEPS_ROWS if topics[topic] in TABLES else _KEEPS).items():
                if key in settings and settings[key]["value"] != value:
                    yield (
                        f"{self.options.shown}: {topic} has {key}={settings[key]['value']}, by"
                        f" which brokers delete what Rasid needs; set {key}={value} on it"
                    )

    def partitions(self, *, fresh: bool = False) -> Mapping[str, int]:
        """The partitions of every topic and table that is there, by logical name."""
        if fresh or len(self._partitions) < len(TOPICS) + len(TABLES):
            names = {self.physical(name): name for name in (*TOPICS, *TABLES)}
            found = {}
            for topic in self.ask(lambda admin: admin.describe_topics(list(names))):
                if topic["error_code"] == 0:
                    found[names[topic["name"]]] = len(topic["partitions"])
            self._partitions = found
        return self._partitions

    def of(self, name: str) -> list[TopicPartition]:
        """The partitions of a topic or table; empty when it is not there."""
        topic = self.physical(name)
        return [TopicPartition(topic, n) for n in range(self.partitions().get(name, 0))]

    def home(self, stage: str, reads: Sequence[str]) -> tuple[str, ...]:
        """What the group of a stage divides among its instances."""
        return tuple(reads) or OWNED.get(stage, (_NOBODYS,))[:1]

    def _create(self, names: Sequence[str]) -> None:
        topics = {
            self.physical(name): {
                "num_partitions": self.options.partitions if name in MANY else 1,
                "replication_factor": self.options.replication,
                "configs": _COMPACTED if name in TABLES else _KEPT,
            }
            for name in names
        }
        try:
            self.ask(lambda admin: admin.create_topics(topics, wait_for_metadata=True))
        except kafka_errors.TopicAlreadyExistsError:  # another instance was faster, with some
            for topic, settings in topics.items():
                try:
                    self._create_one(topic, settings)
                except kafka_errors.TopicAlreadyExistsError:
                    continue
        log.info("topics_created", topics=sorted(topics))

    def _create_one(self, topic: str, settings: Mapping[str, Any]) -> None:
        self.ask(lambda admin: admin.create_topics({topic: settings}, wait_for_metadata=True))

    # --- asking the cluster ---------------------------------------------------------------

    def ask(self, call: Callable[[KafkaAdminClient], T]) -> T:
        """Call the admin client, one at a time; where that fails, once more with a fresh one: it
        does not forget coordinators that have moved, or died."""
        with self._asking:
            try:
                return call(self._opened())
            except _MOVED:
                self.close()
            try:
                return call(self._opened())
            except _MOVED:
                self.close()
                raise

    def _opened(self) -> KafkaAdminClient:
        if self._admin is None:
            at, told = self._away
            if time.monotonic() - at < AWAY_S:  # somebody before us in the queue has just tried
                raise kafka_errors.KafkaTimeoutError(told)
            try:
                self._admin = kafka_client.admin(self.options)
            except kafka_errors.KafkaError as error:
                self._away = (time.monotonic(), str(error))
                raise
        return self._admin

    def beginnings(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return self._offsets(partitions, OffsetSpec.EARLIEST)

    def stable_ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Behind the last record that can be read now."""
        return self._offsets(partitions, OffsetSpec.LATEST)

    def written_ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Behind the last record, with what is not committed yet."""
        return self._offsets(partitions, OffsetSpec.LATEST, IsolationLevel.READ_UNCOMMITTED)

    def _offsets(
        self,
        partitions: Iterable[TopicPartition],
        spec: Any,
        isolation: Any = IsolationLevel.READ_COMMITTED,
    ) -> dict[TopicPartition, int]:
        self.settle()
        asked = dict.fromkeys(partitions, spec)
        if not asked:
            return {}
        found = self.ask(
            lambda admin: admin.list_partition_offsets(asked, isolation_level=isolation)
        )
        return {partition: offset.offset for partition, offset in found.items()}

    def committed(self, transactional_id: str) -> None:
        """Remember that something was committed under this id. The coordinator answers a commit
        once it is certain; the markers that show it to readers follow within milliseconds."""
        with self._lock:
            self._unsettled.add(transactional_id)

    def settle(self) -> None:
        """Wait until what was committed here can be read: before any look at the present end."""
        with self._lock:
            waited_for, self._unsettled = self._unsettled, set()
        deadline = time.monotonic() + REQUEST_S
        while waited_for:
            found = self._transactions(waited_for)
            waited_for = {name for name, it in found.items() if it.state.startswith("Prepare")}
            if waited_for and time.monotonic() > deadline:
                raise LogUnavailable(
                    f"{self.options.shown}: a commit stays unfinished; look at the brokers",
                    reason="away",
                )
            time.sleep(0.001 if waited_for else 0)

    def _transactions(self, ids: Iterable[str]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.ask(lambda admin: admin.describe_transactions(sorted(ids)))
        return found

    def positions(self) -> dict[str, dict[TopicPartition, int]]:
        """stage → where it stands in each partition it reads."""
        self.settle()
        mark = self.group("")
        groups = [g["group_id"] for g in self.ask(lambda admin: admin.list_groups())]
        mine = [group for group in groups if group.startswith(mark)]
        if not mine:
            return {}
        return {
            group.removeprefix(mark): {
                tp: at.offset for tp, at in offsets.items() if at.offset >= 0
            }
            for group, offsets in self.ask(lambda admin: admin.list_group_offsets(mine)).items()
        }

    def set_positions(self, stage: str, offsets: Mapping[TopicPartition, int]) -> None:
        notes = {tp: OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()}
        self.ask(lambda admin: admin.alter_group_offsets(self.group(stage), notes))

    def members(self, stage: str, instance: str) -> list[str]:
        """Under which ids the group of a stage has an instance of that name: one, or none."""
        group = self.group(stage)
        found = self.ask(lambda admin: admin.describe_groups([group]))[group]
        return [m["member_id"] for m in found["members"] if m["group_instance_id"] == instance]

    def given(self, stage: str, member_id: str) -> set[TopicPartition]:
        """What the group of a stage gives a member; nothing while the group is being formed."""
        group = self.group(stage)
        found = self.ask(lambda admin: admin.describe_groups([group]))[group]
        return {
            TopicPartition(some["topic"], partition)
            for member in found["members"]
            if found["group_state"] == "Stable" and member["member_id"] == member_id
            for some in member["member_assignment"]["assigned_partitions"]
            for partition in some["partitions"]
        }

    def leave(self, stage: str) -> None:
        """Take this instance out of the stage's group at once: a static member would be waited
        for until its session ends."""
        member = MemberToRemove(group_instance_id=self.options.instance, reason="stopped")
        self.ask(lambda admin: admin.remove_group_members(self.group(stage), [member]))

    def delete_before(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.ask(lambda admin: admin.delete_records(dict(offsets)))

    def close(self) -> None:
        with self._asking:
            admin, self._admin = self._admin, None
            if admin is not None:
                with suppress(kafka_errors.KafkaError):
                    admin.close()
