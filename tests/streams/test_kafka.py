"""What only Kafka has: deaths of instances, what is counted of them, their names."""

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from streams.carriers import open_log
from streams.errors import IdentityTaken, OwnershipLost
from streams.kafka_stage import KafkaStage
from streams.log import Transaction
from streams.metrics import LogMetrics
from streams.records import (
    ALERTS,
    DELIVERIES,
    FLAGS,
)
from tests.fakes.streams_contract import LONG_S, Opener, append, keys, seated
from tests.fakes.streams_process import child


class TestDeath:
    def test_after_kill_9_between_send_and_commit_work_goes_on_within_5_s(
        self, url: str, open_as: Opener
    ) -> None:
        log = open_as("writer")
        names = [f"{number:03}" for number in range(100)]
        append(seated(log, "process"), FLAGS, names)
        began = time.monotonic()
        with child(url, "die-before-commit", 4, RASID_INSTANCE="one") as first:
            assert first.line() == "working"
            a_start_s = time.monotonic() - began  # with nobody before: on a busy machine, long
            assert first.code() == -9
        began = time.monotonic()
        with child(url, "relay", 5, RASID_INSTANCE="one") as second:
            assert second.line() == "working"
            assert second.line() == "committed 019"
            assert time.monotonic() - began < a_start_s + 5
            second.lines()
        assert keys(log.read(ALERTS)) == names
        assert keys(log.read(DELIVERIES)) == names

    def test_a_standby_takes_over_within_5_s_of_a_dead_ones_session(
        self, url: str, open_as: Opener
    ) -> None:
        log = open_as("other")
        names = [f"{number:03}" for number in range(50)]
        append(seated(log, "process"), FLAGS, names)
        # 6 s is the shortest session that a broker allows; Rasid's own is 15.
        dying = {"RASID_INSTANCE": "one", "RASID_SESSION_S": "6"}
        with child(url, "die-before-commit", 4, **dying) as first:
            assert first.line() == "working"
            standby = log.stage("alert", [FLAGS])
            assert first.code() == -9
            began = time.monotonic()
            assert standby.acquire(LONG_S)
            assert keys(standby.poll(1, LONG_S)) == ["015"]
            append(standby, ALERTS, ["after"])
            assert time.monotonic() - began < 6 + 5
        assert keys(log.read(ALERTS)) == [*names[:15], "after"]

    def test_a_standby_takes_over_at_once_at_a_clean_stop(self, open_as: Opener) -> None:
        working = seated(open_as("one"), "alert", [FLAGS])
        standby = open_as("two").stage("alert", [FLAGS])
        assert not standby.acquire(1)
        assert list(working.poll(1, 0)) == []  # a newcomer changes nothing for who works
        working.close()
        began = time.monotonic()
        assert standby.acquire(LONG_S)
        assert time.monotonic() - began < 5

    def test_a_zombie_is_fenced_and_writes_nothing(self, open_as: Opener) -> None:
        log = open_as("one")
        append(seated(log, "process"), FLAGS, "ab")
        zombie = log.stage("alert", [FLAGS])
        assert isinstance(zombie, KafkaStage)
        assert zombie.acquire(LONG_S)
        messages = zombie.poll(1, LONG_S)
        zombie._cluster.leave("alert")  # what a broker does whose member was not heard for long
        other = seated(open_as("two"), "alert", [FLAGS])
        tx = Transaction()
        tx.append(ALERTS, "of the zombie", b"")
        tx.put(DELIVERIES, "of the zombie", b"")
        with pytest.raises(OwnershipLost):
            zombie.commit(tx, messages)
        assert keys(log.read(ALERTS)) == []
        assert other.get(DELIVERIES, "of the zombie") is None
        assert keys(other.poll(1, LONG_S)) == ["a"]
        # Nor does it take the seat back by what it was given once, and fence who has it now.
        assert not zombie.acquire(0.5)
        append(other, ALERTS, ["of the other"])
        assert keys(log.read(ALERTS)) == ["of the other"]


class TestMetrics:
    def test_restores_rebalances_and_failed_commits_are_counted(self, url: str) -> None:
        registry = CollectorRegistry()
        log = open_log(
            url, clock=lambda: datetime.now(UTC), instance="one", metrics=LogMetrics(registry)
        )
        with closing(log):
            stage = seated(log, "alert", [FLAGS])

            def sample(name: str, **labels: str) -> float | None:
                return registry.get_sample_value(name, labels)

            assert sample("rasid_log_commits_failed_total", stage="alert") == 0
            assert sample("rasid_log_restored_records_total", table=DELIVERIES) == 0
            tx = Transaction()
            for number in range(30):
                tx.put(DELIVERIES, f"{number}", b"{}")
            stage.commit(tx)
            assert isinstance(stage, KafkaStage)
            stage._cluster.leave("alert")
            with pytest.raises(OwnershipLost):
                stage.commit(tx)
            assert stage.acquire(LONG_S)
            assert sample("rasid_log_restored_records_total", table=DELIVERIES) == 30
            assert sample("rasid_log_restoring_records", table=DELIVERIES) == 0
            assert sample("rasid_log_commits_failed_total", stage="alert") == 1
            assert sample("rasid_log_rebalances_total", stage="alert") == 2


class TestNames:
    def test_two_processes_of_a_machine_with_one_name_are_refused(
        self, url: str, open_as: Opener
    ) -> None:
        log = open_as("twin")
        stage = log.stage("alert", [FLAGS])
        log.claim()
        with child(url, "hold", "alert", RASID_INSTANCE="twin") as other:
            assert other.line() == "holding"
            with pytest.raises(IdentityTaken, match=r"'twin'.*`instance:`"):
                log.claim()
            assert not stage.acquire(0)
        log.claim()

    def test_two_machines_with_one_name_leave_one_at_work_and_tell_the_other(
        self, url: str, open_as: Opener, tmp_path: Path
    ) -> None:
        stage = seated(open_as("twin"), "alert", [FLAGS])
        elsewhere = {"RASID_INSTANCE": "twin", "TMPDIR": str(tmp_path)}  # its locks are not ours
        with child(url, "hold", "alert", **elsewhere) as other:
            assert other.line() == "holding"
            with pytest.raises(IdentityTaken, match=r"'twin'.*`instance:`"):
                append(stage, ALERTS, ["a"])
            stage.close()
            other_log = open_as("third")
            assert keys(other_log.read(ALERTS)) == []
            assert not other_log.stage("alert", [FLAGS]).acquire(2)  # the other works on

    def test_one_that_is_idle_is_told_too(self, url: str, open_as: Opener, tmp_path: Path) -> None:
        stage = seated(open_as("twin"), "alert", [FLAGS])
        elsewhere = {"RASID_INSTANCE": "twin", "TMPDIR": str(tmp_path)}
        with child(url, "hold", "alert", **elsewhere) as other:
            assert other.line() == "holding"
            with pytest.raises(IdentityTaken):
                for _ in range(100):
                    stage.poll(1, 0.2)
