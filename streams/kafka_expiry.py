"""Letting old records go.

Kafka deletes from the beginning of a partition on. Where an old record lies behind one that is
kept (a clock was a year ahead for a while), it stays on the disk, and readers are told to pass
over it: the offsets stand as a note beside a position of a group that nobody is a member of.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from kafka.structs import OffsetAndMetadata, TopicPartition

from streams.kafka_reader import Offsets, Reader
from streams.kafka_records import message_of
from streams.kafka_topics import Cluster

_NOTED: Final = 100  # ranges a partition; a note has 4 KB at most

Ranges = list[tuple[int, int]]  # of offsets, the end exclusive


class Found(NamedTuple):
    gone: int
    cut: int  # everything before it goes
    passed_over: Ranges


def passed_over(cluster: Cluster, partitions: Iterable[TopicPartition]) -> dict[Any, Ranges]:
    """What readers are to pass over, of each partition that has such."""
    group = _group(cluster)
    asked = {group: list(partitions)}
    noted = cluster.ask(lambda admin: admin.list_group_offsets(asked))[group]
    return {tp: _ranges(at.metadata) for tp, at in noted.items() if at.metadata}


def kept(records: Iterable[Any], skipped: Mapping[Any, Ranges]) -> Iterator[Any]:
    for record in records:
        ranges = skipped.get(TopicPartition(record.topic, record.partition), ())
        if not any(start <= record.offset < end for start, end in ranges):
            yield record


def expire(
    cluster: Cluster,
    reader: Reader,
    starts: Offsets,
    ends: Offsets,
    before: datetime,
    now: datetime,
) -> int:
    """Let records between `starts` and `ends` go that were written before then; how many."""
    noted = passed_over(cluster, starts)
    found = {
        tp: find(
            _pages(reader, tp, starts[tp], ends[tp]), starts[tp], noted.get(tp, []), before, now
        )
        for tp in starts
    }
    notes = {
        tp: OffsetAndMetadata(it.cut, ",".join(f"{a}-{b}" for a, b in it.passed_over[:_NOTED]), -1)
        for tp, it in found.items()
        if it.passed_over != noted.get(tp, [])
    }
    if notes:
        cluster.ask(lambda admin: admin.alter_group_offsets(_group(cluster), notes))
    cuts = {tp: it.cut for tp, it in found.items() if it.cut > starts[tp]}
    if cuts:
        cluster.delete_before(cuts)
    return sum(it.gone for it in found.values())


def find(
    pages: Iterable[list[Any]], start: int, noted: Ranges, before: datetime, now: datetime
) -> Found:
    """Which records of one partition are old. Records stand in the order of their times,
    nearly: so it ends at the first page that holds nothing but what is to be kept, and walks
    over records dated in the future as if they were not there."""
    gone, cut = 0, start
    ranges: Ranges = []
    is_beginning, was_old = True, False
    for page in pages:
        more = False
        for record in page:
            written = message_of(record, "").time
            is_old = written < before
            more = more or is_old or written > now
            if is_old:
                gone += not any(a <= record.offset < b for a, b in noted)
                if is_beginning:
                    cut = record.offset + 1
                elif was_old:
                    ranges[-1] = (ranges[-1][0], record.offset + 1)
                else:
                    ranges.append((record.offset, record.offset + 1))
            else:
                is_beginning = False
            was_old = is_old
        if not more:
            break
    return Found(gone, cut, ranges)


def _pages(reader: Reader, tp: TopicPartition, start: int, end: int) -> Iterator[list[Any]]:
    return reader.pages({tp: start}, {tp: end})


def _ranges(note: str) -> Ranges:
    pairs = (pair.split("-") for pair in note.split(",") if pair)
    return [(int(start), int(end)) for start, end in pairs]


def _group(cluster: Cluster) -> str:
    return cluster.group("").rstrip(".") + "-expired"
