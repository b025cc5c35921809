"""What every carrier of the log promises of topics and positions (streams/log.py), on each of them.

A carrier is added in conftest.py; nothing here may know which one it runs on.
"""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from streams.log import Log, Message, Stage, Transaction
from streams.records import (
    ALERTS,
    ARTICLES,
    BACKFILL,
    DELIVERIES,
    ENTRIES,
    FLAGS,
    STORIES,
)
from tests.fakes.clock import FakeClock
from tests.fakes.streams_carriers import Carrier
from tests.fakes.streams_contract import LONG_S, append, info, keys, polled, seated
from tests.fakes.streams_process import child

pytestmark = pytest.mark.usefixtures("carrier")


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
