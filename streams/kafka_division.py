"""How a group divides what its stage reads among its instances.

    partition n of one topic ─▶ an instance, by the client library's sticky way
    partition n of the others ▶ the same instance

Where every topic has one partition, as of what the alert stage reads, one instance has them all
and the others stand by: its tables are decided in one place. Divided each by itself, the alerts
would go to one instance and the flags to another.
"""

from types import SimpleNamespace
from typing import Any

from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor


class TogetherAssignor(StickyPartitionAssignor):  # type: ignore[misc]
    """All members of a group read the same topics, of as many partitions each."""

    def assign(self, cluster: Any, members: Any) -> Any:
        topics = sorted({topic for member in members for topic in member.metadata.topics})
        first = [
            SimpleNamespace(
                member_id=member.member_id,
                group_instance_id=member.group_instance_id,
                metadata=type(member.metadata)(
                    member.metadata.version, topics[:1], member.metadata.user_data
                ),
            )
            for member in members
        ]
        divided = super().assign(cluster, first)
        return {
            member_id: type(found)(
                self.version,
                [
                    (topic, partitions)
                    for topic in topics
                    for _, partitions in found.assigned_partitions
                ],
                b"",
            )
            for member_id, found in divided.items()
        }
