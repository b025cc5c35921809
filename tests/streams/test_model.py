"""Whatever is done in whatever order, a log answers as the simplest model of one does."""

from collections import deque
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from streams.log import Log, Message, Row, Stage, Transaction
from streams.records import ALERTS, DELIVERIES, FLAGS, STORIES
from tests.fakes.clock import FakeClock
from tests.fakes.streams_carriers import CarrierMaker

TOPICS = (ALERTS, FLAGS)  # in the order in which the stage reads them
TABLES = (STORIES, DELIVERIES)
KEYS = st.sampled_from(["", "a", "a/1", "a/2", "b", "ب", "\x00"])
VALUES = st.binary(max_size=20) | st.integers(4000, 9000).map(bytes)
DUES = st.none() | st.integers(-5, 5)
APPENDS = st.lists(st.tuples(st.sampled_from(TOPICS), KEYS, VALUES), max_size=4)
ROWS = st.lists(st.tuples(st.sampled_from(TABLES), KEYS, VALUES | st.none(), DUES), max_size=4)


class Model(RuleBasedStateMachine):
    """One stage reads two topics and keeps two tables; another only writes."""

    new_carrier: CarrierMaker

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.carrier = type(self).new_carrier()
        self.log: Log = self.carrier.open(self.clock)
        self.stage = self.seated("alert", TOPICS)
        self.other = self.seated("process")
        # The model: records (number, key, value, time), of which `position` were consumed.
        self.topics: dict[str, list[tuple[str, bytes, Any]]] = {name: [] for name in TOPICS}
        self.position = dict.fromkeys(TOPICS, 0)
        self.expired: dict[str, set[int]] = {name: set() for name in TOPICS}
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in TABLES}
        self.given: deque[Message] = deque()  # polled, not committed
        self.cursor = dict(self.position)

    def seated(self, name: str, reads: tuple[str, ...] = ()) -> Stage:
        stage = self.log.stage(name, reads)
        assert stage.acquire(10)
        return stage

    def transaction(self, appends: list[Any], rows: list[Any]) -> Transaction:
        tx = Transaction()
        for topic, key, value in appends:
            tx.append(topic, key, value)
        for table, key, value, due in rows:
            if value is None:
                tx.delete(table, key)
            else:
                moment = None if due is None else self.clock() + timedelta(seconds=due)
                tx.put(table, key, value, due=moment)
        return tx

    def committed(self, tx: Transaction) -> None:
        for item in tx.appends:
            self.topics[item.topic].append((item.key, item.value, self.clock()))
        for (table, key), row in tx.rows.items():
            self.tables[table].pop(key, None)
            if row is not None:
                self.tables[table][key] = Row(
                    key, row.value, row.due, row.partition_key, self.clock()
                )

    @rule(appends=APPENDS)
    def another_stage_appends(self, appends: list[Any]) -> None:
        tx = self.transaction(appends, [])
        self.other.commit(tx)
        self.committed(tx)

    @rule(count=st.integers(1, 5))
    def poll(self, count: int) -> None:
        messages = self.stage.poll(count, 0)
        expected = [
            (topic, *self.topics[topic][number])
            for topic in TOPICS
            for number in range(self.cursor[topic], len(self.topics[topic]))
        ]
        assert bool(messages) == bool(expected)
        found = [(m.topic, m.key, m.value, m.time) for m in messages]
        assert found == expected[: len(found)]
        assert len(messages) <= count
        for message in messages:
            self.cursor[message.topic] += 1
        self.given.extend(messages)

    @rule(count=st.integers(0, 9), appends=APPENDS, rows=ROWS)
    def commit(self, count: int, appends: list[Any], rows: list[Any]) -> None:
        after = [self.given.popleft() for _ in range(min(count, len(self.given)))]
        tx = self.transaction(appends, rows)
        self.stage.commit(tx, after)
        self.committed(tx)
        for message in after:
            self.position[message.topic] += 1

    @precondition(lambda self: len({m.topic for m in self.given}) < len(self.given))
    @rule()
    def a_hole_is_refused(self) -> None:
        first = next(m for m in self.given if sum(m.topic == o.topic for o in self.given) > 1)
        tail = [m for m in self.given if m is not first]
        tx = self.transaction([(ALERTS, "a", b"")], [(STORIES, "a", b"", None)])
        with pytest.raises(ValueError):
            self.stage.commit(tx, tail)

    @rule()
    def rewind(self) -> None:
        self.stage.rewind()
        self.given.clear()
        self.cursor = dict(self.position)

    @rule(new_log=st.booleans())
    def hand_over(self, new_log: bool) -> None:
        self.stage.close()
        if new_log:
            self.other.close()
            self.log = self.carrier.open(self.clock)
            self.other = self.seated("process")
        self.stage = self.seated("alert", TOPICS)
        self.given.clear()
        self.cursor = dict(self.position)

    @rule(seconds=st.integers(1, 10))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(age=st.integers(1, 20))
    def expire(self, age: int) -> None:
        before = self.clock() - timedelta(seconds=age)
        gone = 0
        for topic in TOPICS:
            old = {
                number
                for number in range(self.position[topic])
                if self.topics[topic][number][2] < before
            }
            gone += len(old - self.expired[topic])
            self.expired[topic] |= old
        for rows in self.tables.values():
            for row in list(rows.values()):
                assert row.time is not None
                if row.due is None and row.time < before:
                    del rows[row.key]
                    gone += 1
        ages = dict.fromkeys((*TOPICS, *TABLES), float(age))
        assert self.log.expire(ages, self.clock()) == gone

    @rule(table=st.sampled_from(TABLES), key=KEYS)
    def get(self, table: str, key: str) -> None:
        assert self.stage.get(table, key) == self.tables[table].get(key)

    @rule(table=st.sampled_from(TABLES), prefix=KEYS)
    def scan(self, table: str, prefix: str) -> None:
        rows = self.tables[table]
        expected = [rows[key] for key in sorted(rows) if key.startswith(prefix)]
        assert list(self.stage.scan(table, prefix)) == expected

    @rule(table=st.sampled_from(TABLES), seconds=st.integers(-10, 10), limit=st.integers(1, 5))
    def due(self, table: str, seconds: int, limit: int) -> None:
        waiting = [row for row in self.tables[table].values() if row.due is not None]
        waiting.sort(key=lambda row: (row.due, row.key))
        assert self.stage.next_due(table) == (waiting[0].due if waiting else None)
        until = self.clock() + timedelta(seconds=seconds)
        expected = [row for row in waiting if row.due is not None and row.due <= until]
        found = self.stage.due(table, until, limit)
        # Rows due at the same moment may come in any order.
        assert [row.due for row in found] == [row.due for row in expected[:limit]]
        assert all(row in expected for row in found)

    @invariant()
    def readers_see_what_is_committed(self) -> None:
        infos = {info.name: info for info in self.log.topics()}
        for topic in TOPICS:
            kept = [
                record
                for number, record in enumerate(self.topics[topic])
                if number not in self.expired[topic]
            ]
            assert [(m.key, m.value, m.time) for m in self.log.read(topic)] == kept
            assert infos[topic].records == len(kept)
            assert infos[topic].bytes == sum(len(value) for _, value, _ in kept)
            behind = len(self.topics[topic]) - self.position[topic]
            assert infos[topic].positions == {"alert": behind}
        for table in TABLES:
            rows = self.tables[table].values()
            assert infos[table].records == len(rows)
            assert infos[table].due == sum(row.due is not None for row in rows)

    def teardown(self) -> None:
        self.stage.close()
        self.other.close()
        self.log.close()


def test_a_log_answers_as_the_model_does(
    new_carrier: CarrierMaker, request: pytest.FixtureRequest
) -> None:
    machine = type("MachineOfThisCarrier", (Model,), {"new_carrier": staticmethod(new_carrier)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            # a transaction takes Kafka a hundred times as long
            max_examples=5 if "kafka" in request.node.name else 40,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
