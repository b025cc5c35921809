"""What every carrier of the log promises of seats and of deaths (streams/log.py), on each of them.

A carrier is added in conftest.py; nothing here may know which one it runs on.
"""

import random
from collections.abc import Callable

import pytest

from streams.errors import OwnershipLost
from streams.log import Log, Stage, Transaction
from streams.records import (
    ALERTS,
    DELIVERIES,
    FLAGS,
    STORIES,
)
from tests.fakes.streams_carriers import Carrier
from tests.fakes.streams_contract import LONG_S, append, info, keys, polled, seated
from tests.fakes.streams_process import child

pytestmark = pytest.mark.usefixtures("carrier")


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
