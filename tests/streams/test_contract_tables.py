"""What every carrier of the log promises of tables (streams/log.py), on each of them.

A carrier is added in conftest.py; nothing here may know which one it runs on.
"""

from datetime import timedelta

import pytest

from streams.log import Log, Row, Stage, Transaction
from streams.records import (
    DELIVERIES,
    ENTRIES,
    FEEDS,
)
from tests.fakes.clock import FakeClock
from tests.fakes.streams_contract import keys, seated

pytestmark = pytest.mark.usefixtures("carrier")


class TestRows:
    def test_the_last_write_stands(self, reader: Stage, clock: FakeClock) -> None:
        tx = Transaction()
        tx.put(DELIVERIES, "k", b"first")
        tx.put(DELIVERIES, "k", b"second", due=clock())
        reader.commit(tx)
        assert reader.get(DELIVERIES, "k") == Row("k", b"second", clock(), "k", clock())
        tx = Transaction()
        tx.put(DELIVERIES, "k", b"third", partition_key="p")
        reader.commit(tx)
        assert reader.get(DELIVERIES, "k") == Row("k", b"third", None, "p", clock())
        assert reader.next_due(DELIVERIES) is None

    def test_a_deleted_row_is_gone(self, reader: Stage, clock: FakeClock) -> None:
        tx = Transaction()
        tx.put(DELIVERIES, "k", b"v", due=clock())
        reader.commit(tx)
        tx = Transaction()
        tx.delete(DELIVERIES, "k")
        tx.delete(DELIVERIES, "never there")
        reader.commit(tx)
        assert reader.get(DELIVERIES, "k") is None
        assert reader.due(DELIVERIES, clock(), 10) == []

    def test_due_gives_the_earliest_first(self, reader: Stage, clock: FakeClock) -> None:
        start, tx = clock(), Transaction()
        for number in (3, 1, 2, 9):
            tx.put(DELIVERIES, f"k{number}", b"", due=start + timedelta(microseconds=number))
        tx.put(DELIVERIES, "never", b"")
        reader.commit(tx)
        until = start + timedelta(microseconds=3)
        assert [row.key for row in reader.due(DELIVERIES, until, 10)] == ["k1", "k2", "k3"]
        assert [row.key for row in reader.due(DELIVERIES, until, 2)] == ["k1", "k2"]
        assert reader.next_due(DELIVERIES) == start + timedelta(microseconds=1)

    def test_scan_gives_a_prefix_in_order(self, log: Log) -> None:
        stage = seated(log, "collect")
        names = ["a", "a/", "a/1", "a/é", "a/ع", "a/\U0010ffff", "a0", "b/1", "A/1"]
        tx = Transaction()
        for name in reversed(names):
            tx.put(FEEDS, name, name.encode())
        stage.commit(tx)
        found = [row.key for row in stage.scan(FEEDS, "a/")]
        assert found == ["a/", "a/1", "a/é", "a/ع", "a/\U0010ffff"]
        assert [row.key for row in stage.scan(FEEDS)] == sorted(names)

    def test_a_table_nobody_wrote_is_empty(self, reader: Stage, clock: FakeClock) -> None:
        assert reader.get("no.such.table", "k") is None
        assert list(reader.scan("no.such.table")) == []
        assert reader.due("no.such.table", clock(), 1) == []
        assert reader.next_due("no.such.table") is None

    def test_large_scans_are_complete(self, log: Log) -> None:
        stage = seated(log, "collect")
        names = [f"site/{number:05}" for number in range(1234)]
        tx = Transaction()
        for name in names:
            tx.put(ENTRIES, name, b"x")
        stage.commit(tx)
        assert [row.key for row in stage.scan(ENTRIES, "site/")] == names
        assert keys(log.read(ENTRIES)) == names
