"""What a group's leader gives each member, without a group."""

from types import SimpleNamespace

import pytest
from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

from streams.kafka_division import TogetherAssignor


@pytest.mark.parametrize(("partitions", "shares"), [(12, [4, 4, 4]), (1, [0, 0, 1])])
def test_a_partition_of_each_topic_goes_to_one_member(partitions: int, shares: list[int]) -> None:
    topics = ["articles", "backfill"]
    cluster = SimpleNamespace(
        topics=lambda: topics, partitions_for_topic=lambda topic: set(range(partitions))
    )
    members = [
        SimpleNamespace(
            member_id=name,
            group_instance_id=name,
            metadata=ConsumerProtocolSubscription(0, topics, b""),
        )
        for name in ("one", "two", "three")
    ]
    found = TogetherAssignor().assign(cluster, members)
    given = {name: dict(each.assigned_partitions) for name, each in found.items()}
    assert sorted(len(each.get("articles", [])) for each in given.values()) == shares
    assert all(each.get("articles") == each.get("backfill") for each in given.values())
    assert sorted(n for each in given.values() for n in each.get("backfill", [])) == [
        *range(partitions)
    ]
