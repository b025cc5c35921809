"""What there is on a cluster, counted: for `Log.topics`.

Kafka counts offsets, and markers of transactions take some. So what is small is read and
counted exactly; of what is large offsets are told, which is a little too much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from kafka.structs import TopicPartition

from streams import kafka_expiry
from streams.kafka_reader import Offsets, Reader
from streams.kafka_tables import Store
from streams.kafka_topics import Cluster
from streams.log import TopicInfo
from streams.records import TABLES

COUNTED: Final = 10_000  # offsets of a topic or table up to which it is read


@dataclass(slots=True)
class Look:
    """One topic or table as found. `sizes`: of each record read; None where it is large."""

    name: str
    starts: Offsets
    ends: Offsets
    sizes: list[tuple[TopicPartition, int, int]] | None = None  # partition, offset, bytes
    rows: tuple[int, int] | None = None  # of a table: rows, and those due
    store: Store | None = field(default=None, repr=False)

    @property
    def offsets(self) -> int:
        return sum(self.ends[tp] - self.starts[tp] for tp in self.starts)


def look(
    cluster: Cluster,
    reader: Reader,
    by_name: Mapping[str, Sequence[TopicPartition]],
    starts: Offsets,
    ends: Offsets,
) -> dict[str, Look]:
    """Read what is small, all of it in one go."""
    looks = {
        name: Look(name, {tp: starts[tp] for tp in some}, {tp: ends[tp] for tp in some})
        for name, some in by_name.items()
    }
    small = {cluster.physical(n): it for n, it in looks.items() if it.offsets <= COUNTED}
    for it in small.values():
        if it.name in TABLES:
            it.store = Store()
            it.store.add(it.name)
        else:
            it.sizes = []
    wanted = {tp: at for it in small.values() for tp, at in it.starts.items()}
    skipped = kafka_expiry.passed_over(cluster, wanted)
    for page in reader.pages(wanted, ends):
        for topic, records in groupby(kafka_expiry.kept(page, skipped), lambda r: r.topic):
            it = small[topic]
            if it.store is not None:
                it.store.take(it.name, list(records))
            elif it.sizes is not None:
                it.sizes += [
                    (TopicPartition(topic, r.partition), r.offset, len(r.value or b""))
                    for r in records
                ]
    for it in small.values():
        if it.store is not None:
            it.rows = it.store.counts(it.name)
            it.store.close()
    return looks


def table_info(it: Look) -> TopicInfo:
    rows, due = it.rows or (it.offsets, None)
    return TopicInfo(it.name, "table", rows, len(it.starts), due=due)


def topic_info(it: Look, positions: Mapping[str, Mapping[TopicPartition, int]]) -> TopicInfo:
    """`positions`: stage → where it stands, in other topics' partitions too."""
    standing = {
        stage: {tp: at[tp] for tp in it.starts if tp in at}
        for stage, at in positions.items()
        if any(tp in at for tp in it.starts)
    }
    if it.sizes is None:
        return TopicInfo(
            it.name,
            "topic",
            it.offsets,
            len(it.starts),
            first_offset=min(it.starts.values()),
            end_offset=sum(it.ends.values()),
            positions={
                stage: sum(it.ends[tp] - at.get(tp, it.starts[tp]) for tp in it.starts)
                for stage, at in standing.items()
            },
        )
    last = {tp: offset + 1 for tp, offset, _ in it.sizes}
    return TopicInfo(
        it.name,
        "topic",
        len(it.sizes),
        len(it.starts),
        first_offset=min((offset for _, offset, _ in it.sizes), default=None),
        end_offset=sum(last.get(tp, it.ends[tp]) for tp in it.starts),
        bytes=sum(size for _, _, size in it.sizes),
        positions={
            stage: sum(offset >= at.get(tp, 0) for tp, offset, _ in it.sizes)
            for stage, at in standing.items()
        },
    )
