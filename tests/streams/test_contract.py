"""What every carrier of the log promises (streams/log.py), on each of them.

A carrier is added in conftest.py; nothing here may know which one it runs on.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import timedelta

import pytest

from streams.errors import OwnershipLost
from streams.log import Log, Message, Row, Stage, TopicInfo, Transaction
from streams.records import (
    ALERTS,
    ARTICLES,
    BACKFILL,
    DELIVERIES,
    ENTRIES,
    FEEDS,
    FLAGS,
    STORIES,
)
from tests.fakes.clock import FakeClock
from tests.fakes.streams_carriers import Carrier
from tests.fakes.streams_process import child

pytestmark = pytest.mark.usefixtures("carrier")
LONG_S = 30.0  # ends at once when there is something; a bound for when there never is


def seated(log: Log, name: str, reads: Sequence[str] = ()) -> Stage:
    stage = log.stage(name, reads)
    assert stage.acquire(LONG_S)
    return stage


def append(stage: Stage, topic: str, keys: Iterable[str]) -> None:
    tx = Transaction()
    for key in keys:
        tx.append(topic, key, f"value of {key}".encode())
    stage.commit(tx)


def polled(stage: Stage, count: int) -> list[Message]:
    """Exactly `count` messages, or what there was when nothing more came."""
    messages: list[Message] = []
    while len(messages) < count:
        more = stage.poll(count - len(messages), LONG_S)
        if not more:
            break
        messages += more
    return messages


def keys(messages: Iterable[Message]) -> list[str]:
    return [message.key for message in messages]


def info(log: Log, name: str) -> TopicInfo:
    return next(topic for topic in log.topics() if topic.name == name)


@pytest.fixture
def writer(log: Log) -> Stage:
    return seated(log, "process", [ARTICLES, BACKFILL])


@pytest.fixture
def reader(log: Log) -> Stage:
    return seated(log, "alert", [FLAGS])


class TestMessages:
    def test_arrive_in_order_with_all_that_was_written(
        self, writer: Stage, reader: Stage, clock: FakeClock
    ) -> None:
        tx = Transaction()
        tx.append(FLAGS, "مفتاح", "قيمة".encode())
        tx.append(FLAGS, "b", b"\x00\xff not text")
        writer.commit(tx)
        first, second = polled(reader, 2)
        assert (first.topic, first.key, first.value) == (FLAGS, "مفتاح", "قيمة".encode())
        assert (second.key, second.value) == ("b", b"\x00\xff not text")
        assert first.time == clock()
        assert first.offset < second.offset

    def test_a_poll_returns_what_there_is_and_no_more_than_asked(
        self, writer: Stage, reader: Stage
    ) -> None:
        append(writer, FLAGS, "abc")
        assert keys(reader.poll(2, LONG_S)) == ["a", "b"]
        assert keys(reader.poll(2, LONG_S)) == ["c"]

    def test_a_poll_of_nothing_is_empty(self, reader: Stage) -> None:
        assert list(reader.poll(10, 0)) == []

    def test_a_stage_that_reads_nothing_polls_nothing(self, log: Log) -> None:
        assert list(seated(log, "collect").poll(10, 0)) == []

    def test_a_waiting_poll_sees_what_another_commits(self, writer: Stage, reader: Stage) -> None:
        assert list(reader.poll(10, 0)) == []
        append(writer, FLAGS, "a")
        assert keys(reader.poll(10, LONG_S)) == ["a"]

    def test_a_stage_sees_what_it_writes_to_a_topic_it_reads(self, log: Log) -> None:
        stage = seated(log, "alert", [ALERTS, FLAGS])
        assert list(stage.poll(10, 0)) == []
        append(stage, ALERTS, "a")
        assert keys(polled(stage, 1)) == ["a"]

    def test_the_topic_named_first_comes_first(self, log: Log, writer: Stage) -> None:
        collect = seated(log, "collect")
        append(collect, BACKFILL, ["old1", "old2"])
        append(collect, ARTICLES, ["new1", "new2"])
        assert keys(polled(writer, 4))[:2] == ["new1", "new2"]

    def test_a_new_stage_starts_at_the_beginning(self, log: Log, writer: Stage) -> None:
        append(writer, FLAGS, "ab")
        assert keys(polled(seated(log, "alert", [FLAGS]), 2)) == ["a", "b"]


class TestPosition:
    def test_moves_only_with_a_commit(
        self, writer: Stage, reader: Stage, open_log: Callable[..., Log]
    ) -> None:
        append(writer, FLAGS, "abc")
        messages = polled(reader, 3)
        reader.commit(Transaction(), messages[:1])
        reader.close()
        again = seated(open_log(), "alert", [FLAGS])
        assert keys(polled(again, 2)) == ["b", "c"]

    def test_rewind_goes_back_to_the_last_commit(self, writer: Stage, reader: Stage) -> None:
        append(writer, FLAGS, "abc")
        messages = polled(reader, 3)
        reader.commit(Transaction(), messages[:1])
        assert list(reader.poll(3, 0)) == []
        reader.rewind()
        assert keys(polled(reader, 2)) == ["b", "c"]

    def test_what_was_given_out_before_a_rewind_can_still_be_committed(
        self, writer: Stage, reader: Stage
    ) -> None:
        append(writer, FLAGS, "ab")
        messages = polled(reader, 2)
        reader.rewind()
        reader.commit(Transaction(), messages[:1])
        assert keys(polled(reader, 1)) == ["b"]

    def test_a_batch_can_be_committed_in_parts(self, writer: Stage, reader: Stage) -> None:
        append(writer, FLAGS, "abcd")
        messages = polled(reader, 4)
        reader.commit(Transaction(), messages[:2])
        reader.commit(Transaction(), messages[2:3])
        reader.rewind()
        assert keys(polled(reader, 1)) == ["d"]

    @pytest.mark.parametrize(
        "chosen", [[1], [0, 2], [1, 0], [0, 0], [2]], ids=["hole", "gap", "turned", "twice", "far"]
    )
    def test_a_hole_in_after_is_an_error_and_nothing_is_written(
        self, log: Log, writer: Stage, reader: Stage, chosen: list[int]
    ) -> None:
        append(writer, FLAGS, "abc")
        messages = polled(reader, 3)
        tx = Transaction()
        tx.append(ALERTS, "x", b"")
        with pytest.raises(ValueError, match=FLAGS):
            reader.commit(tx, [messages[at] for at in chosen])
        assert info(log, ALERTS).records == 0
        reader.rewind()
        assert keys(polled(reader, 3)) == ["a", "b", "c"]

    def test_a_message_cannot_be_committed_twice(self, writer: Stage, reader: Stage) -> None:
        append(writer, FLAGS, "ab")
        messages = polled(reader, 2)
        reader.commit(Transaction(), messages[:1])
        with pytest.raises(ValueError, match=FLAGS):
            reader.commit(Transaction(), messages)

    def test_stages_have_positions_of_their_own(self, log: Log, writer: Stage) -> None:
        append(writer, FLAGS, "ab")
        one, other = seated(log, "alert", [FLAGS]), seated(log, "archive", [FLAGS])
        one.commit(Transaction(), polled(one, 2))
        assert keys(polled(other, 2)) == ["a", "b"]
        assert info(log, FLAGS).positions == {"alert": 0, "archive": 2}


class TestTransaction:
    def test_writes_records_rows_and_position_together(
        self, log: Log, writer: Stage, reader: Stage
    ) -> None:
        append(writer, FLAGS, "a")
        tx = Transaction()
        tx.append(ALERTS, "alert", b"1")
        tx.put(DELIVERIES, "row", b"2")
        reader.commit(tx, polled(reader, 1))
        assert keys(log.read(ALERTS)) == ["alert"]
        assert keys(log.read(DELIVERIES)) == ["row"]
        assert info(log, FLAGS).positions["alert"] == 0

    def test_that_fails_writes_nothing(self, log: Log, writer: Stage, reader: Stage) -> None:
        append(writer, FLAGS, "a")
        tx = Transaction()
        tx.append(ALERTS, "good", b"1")
        tx.append(ALERTS, "lone surrogate \ud800", b"1")
        tx.put(DELIVERIES, "row", b"2")
        with pytest.raises(ValueError):
            reader.commit(tx, polled(reader, 1))
        assert keys(log.read(ALERTS)) == []
        assert reader.get(DELIVERIES, "row") is None
        reader.rewind()
        assert keys(polled(reader, 1)) == ["a"]

    def test_that_is_empty_is_no_error(self, reader: Stage) -> None:
        reader.commit(Transaction())

    def test_offsets_are_never_used_again(
        self, log: Log, writer: Stage, reader: Stage, clock: FakeClock
    ) -> None:
        append(writer, FLAGS, "ab")
        before = polled(reader, 2)
        reader.commit(Transaction(), before)
        assert log.expire({FLAGS: 1}, clock.advance(10)) == 2
        append(writer, FLAGS, "c")
        (after,) = polled(reader, 1)
        assert after.offset > before[-1].offset
        reader.commit(Transaction(), [after])


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


class TestSeat:
    def test_only_one_instance_has_it(self, log: Log, open_log: Callable[..., Log]) -> None:
        first = seated(log, "process")
        assert not log.stage("process").acquire(0)
        assert not open_log().stage("process").acquire(0)
        second = open_log().stage("process")
        first.close()
        assert second.acquire(LONG_S)
        assert not first.acquire(0)

    def test_stages_do_not_exclude_each_other(self, log: Log) -> None:
        assert seated(log, "process").name == "process"
        assert seated(log, "alert").name == "alert"

    def test_without_it_nothing_can_be_done(self, log: Log) -> None:
        stage = log.stage("alert", [FLAGS])
        tx = Transaction()
        tx.append(ALERTS, "a", b"")
        for use in (
            lambda: stage.poll(1, 0),
            lambda: stage.commit(tx),
            lambda: stage.get("t", "k"),
        ):
            with pytest.raises(OwnershipLost):
                use()

    def test_after_closing_nothing_can_be_done_until_it_is_acquired_again(
        self, log: Log, writer: Stage, reader: Stage
    ) -> None:
        append(writer, FLAGS, "ab")
        reader.commit(Transaction(), polled(reader, 1))
        reader.close()
        reader.close()
        with pytest.raises(OwnershipLost):
            reader.poll(1, 0)
        assert reader.acquire(LONG_S)
        assert keys(polled(reader, 1)) == ["b"]

    def test_the_next_instance_goes_on_where_the_last_one_committed(
        self, writer: Stage, reader: Stage, open_log: Callable[..., Log]
    ) -> None:
        append(writer, FLAGS, "abc")
        messages = polled(reader, 3)
        tx = Transaction()
        tx.put(STORIES, "s", b"1")
        reader.commit(tx, messages[:1])
        reader.close()
        following = seated(open_log(), "alert", [FLAGS])
        row = following.get(STORIES, "s")
        assert row is not None
        assert row.value == b"1"
        assert keys(polled(following, 2)) == ["b", "c"]

    def test_another_process_keeps_it_until_it_is_killed(self, carrier: Carrier, log: Log) -> None:
        stage = log.stage("process")
        with child(carrier.url, "hold", "process") as other:
            assert other.line() == "holding"
            assert not stage.acquire(0)
            other.kill()
        assert stage.acquire(LONG_S)


class TestKill:
    def test_between_poll_and_commit_loses_and_repeats_nothing(
        self, carrier: Carrier, log: Log, writer: Stage
    ) -> None:
        append(writer, FLAGS, "abc")
        with child(carrier.url, "hang", FLAGS, 3) as other:
            assert other.line() == "polled 3"
            other.kill()
        assert keys(polled(seated(log, "alert", [FLAGS]), 3)) == ["a", "b", "c"]

    def test_at_any_moment_leaves_each_record_relayed_once(
        self, carrier: Carrier, log: Log, writer: Stage
    ) -> None:
        names = [f"{number:05}" for number in range(3000)]
        for at in range(0, len(names), 500):
            append(writer, FLAGS, names[at : at + 500])
        chance = random.Random(1)  # which moment, within the run, is the scheduler's choice
        for _ in range(3):
            with child(carrier.url, "relay", 5) as other:
                assert other.line() == "working"
                for _ in range(chance.randint(1, 60)):
                    if not other.line():  # all done: nothing left to interrupt
                        break
                other.kill()
            carrier.check()
            relayed = keys(log.read(ALERTS))
            assert relayed == names[: len(relayed)]
            assert keys(log.read(DELIVERIES)) == relayed
            assert info(log, FLAGS).positions["alert"] == len(names) - len(relayed)
        stage = seated(log, "alert", [FLAGS])
        while messages := stage.poll(500, 0):
            tx = Transaction()
            for message in messages:
                tx.append(ALERTS, message.key, message.value)
            stage.commit(tx, messages)
        assert keys(log.read(ALERTS)) == names

    def test_within_a_commit_undoes_it(self, carrier: Carrier, log: Log, writer: Stage) -> None:
        names = [f"{number:02}" for number in range(25)]
        append(writer, FLAGS, names)
        for done in (10, 20):
            with child(carrier.url, "die-in-commit", 3) as other:
                lines = [other.line() for _ in range(4)]
                assert other.code() == -9
            assert lines == ["working", f"committed {done - 6:02}", f"committed {done - 1:02}", ""]
            carrier.check()
            assert keys(log.read(ALERTS)) == names[:done]
            assert info(log, FLAGS).positions["alert"] == len(names) - done


class TestReaders:
    def test_read_ends_at_the_present_end(self, log: Log, writer: Stage) -> None:
        append(writer, FLAGS, "ab")
        found = []
        for message in log.read(FLAGS):
            found.append(message.key)
            append(writer, FLAGS, [message.key + "+"])
        assert found == ["a", "b"]

    def test_read_starts_where_it_is_told(self, log: Log, writer: Stage) -> None:
        append(writer, FLAGS, "abc")
        second = list(log.read(FLAGS))[1]
        assert keys(log.read(FLAGS, second.offset)) == ["b", "c"]
        assert keys(log.read(FLAGS, second.offset + 100)) == []

    def test_read_of_a_table_gives_its_rows(
        self, log: Log, reader: Stage, clock: FakeClock
    ) -> None:
        tx = Transaction()
        tx.put(STORIES, "b", b"2")
        tx.put(STORIES, "a", b"1")
        reader.commit(tx)
        assert list(log.read(STORIES)) == [
            Message(STORIES, 0, 0, "a", clock(), b"1"),
            Message(STORIES, 0, 0, "b", clock(), b"2"),
        ]

    def test_read_of_what_is_not_there_is_an_error_at_once(self, log: Log, writer: Stage) -> None:
        with pytest.raises(KeyError):
            log.read("no.such.topic")

    def test_reading_moves_no_position(self, log: Log, writer: Stage, reader: Stage) -> None:
        append(writer, FLAGS, "ab")
        assert len(list(log.read(FLAGS))) == 2
        assert keys(polled(reader, 2)) == ["a", "b"]

    def test_a_half_read_topic_is_in_nobodys_way(self, log: Log, writer: Stage) -> None:
        append(writer, FLAGS, [str(number) for number in range(500)])
        half = log.read(FLAGS)
        assert next(half).key == "0"
        append(writer, FLAGS, "z")
        assert len(list(half)) == 499

    def test_another_process_reads_beside_the_working_stage(
        self, carrier: Carrier, writer: Stage
    ) -> None:
        append(writer, FLAGS, "abc")
        with child(carrier.url, "read", FLAGS) as other:
            assert other.lines() == ["a", "b", "c"]

    def test_topics_tell_counts_sizes_and_positions(
        self, log: Log, writer: Stage, reader: Stage, clock: FakeClock
    ) -> None:
        append(writer, FLAGS, "abc")
        tx = Transaction()
        tx.put(STORIES, "s", b"")
        tx.put(DELIVERIES, "d1", b"", due=clock())
        tx.put(DELIVERIES, "d2", b"")
        reader.commit(tx, polled(reader, 2))
        flags = info(log, FLAGS)
        assert (flags.kind, flags.records, flags.positions) == ("topic", 3, {"alert": 1})
        assert flags.bytes == 3 * len(b"value of a")
        assert flags.first_offset == next(log.read(FLAGS)).offset
        assert flags.end_offset == list(log.read(FLAGS))[-1].offset + 1
        deliveries = info(log, DELIVERIES)
        assert (deliveries.kind, deliveries.records, deliveries.due) == ("table", 2, 1)
        assert info(log, STORIES).records == 1
        assert info(log, ARTICLES).records == 0


class TestConcurrentWriters:
    def test_several_processes_and_stages_append_without_loss(
        self, carrier: Carrier, log: Log
    ) -> None:
        names = ["collect", "process", "alert"]
        with ExitStack() as stack:
            others = [stack.enter_context(child(carrier.url, "write", n, 40)) for n in names]
            assert [other.line() for other in others] == ["written"] * 3
        messages = list(log.read(ALERTS))
        assert len({message.offset for message in messages}) == len(messages) == 120
        for name in names:
            of_one = [message.key for message in messages if message.key.startswith(name)]
            assert of_one == [f"{name}-{number}" for number in range(40)]


class TestExpire:
    def test_takes_old_records_that_every_reading_stage_has_passed(
        self, log: Log, writer: Stage, reader: Stage, clock: FakeClock
    ) -> None:
        slow = seated(log, "archive", [FLAGS])
        append(writer, FLAGS, "abc")
        clock.advance(100)
        append(writer, FLAGS, "d")
        reader.commit(Transaction(), polled(reader, 4))
        slow.commit(Transaction(), polled(slow, 2))
        assert log.expire({FLAGS: 50}, clock()) == 2
        assert keys(log.read(FLAGS)) == ["c", "d"]
        assert info(log, FLAGS).positions == {"alert": 0, "archive": 2}
        slow.rewind()
        slow.commit(Transaction(), polled(slow, 2))
        assert log.expire({FLAGS: 50}, clock()) == 1
        assert keys(log.read(FLAGS)) == ["d"]
        assert info(log, FLAGS).bytes == len(b"value of d")

    def test_keeps_what_it_was_not_asked_about(
        self, log: Log, writer: Stage, clock: FakeClock
    ) -> None:
        append(writer, FLAGS, "a")
        append(writer, ALERTS, "a")
        assert log.expire({ALERTS: 1, "no.such.topic": 1}, clock.advance(10)) == 1
        assert keys(log.read(FLAGS)) == ["a"]

    def test_takes_old_rows_without_work(self, log: Log, reader: Stage, clock: FakeClock) -> None:
        tx = Transaction()
        tx.put(DELIVERIES, "done", b"")
        tx.put(DELIVERIES, "waiting", b"", due=clock())
        reader.commit(tx)
        clock.advance(100)
        tx = Transaction()
        tx.put(DELIVERIES, "new", b"")
        reader.commit(tx)
        assert log.expire({DELIVERIES: 50}, clock()) == 1
        assert keys(log.read(DELIVERIES)) == ["new", "waiting"]

    def test_takes_many(self, log: Log, writer: Stage, clock: FakeClock) -> None:
        append(writer, FLAGS, [str(number) for number in range(1700)])
        tx = Transaction()
        for number in range(1200):
            tx.put(ENTRIES, str(number), b"")
        writer.commit(tx)
        assert log.expire({FLAGS: 1, ENTRIES: 1}, clock.advance(10)) == 2900
        assert list(log.read(FLAGS)) == []
        assert list(log.read(ENTRIES)) == []

    def test_survives_a_clock_that_was_wrong(
        self, log: Log, writer: Stage, clock: FakeClock
    ) -> None:
        right = clock()
        clock.advance(365 * 86400)
        append(writer, FLAGS, ["of next year"])
        clock.now = right
        append(writer, FLAGS, ["old"])
        clock.advance(100)
        append(writer, FLAGS, ["new"])
        assert log.expire({FLAGS: 50}, clock()) == 1
        assert keys(log.read(FLAGS)) == ["of next year", "new"]

    def test_goes_on_beside_a_working_stage(
        self, log: Log, writer: Stage, reader: Stage, clock: FakeClock
    ) -> None:
        append(writer, FLAGS, "ab")
        first = polled(reader, 1)
        reader.commit(Transaction(), first)
        log.expire({FLAGS: 1}, clock.advance(10))
        reader.commit(Transaction(), polled(reader, 1))
        append(writer, FLAGS, "c")
        assert keys(polled(reader, 1)) == ["c"]
