"""Brokers that are away, come back, or die."""

import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from rasid.demo.broker import Brokers
from streams.carriers import open_log
from streams.errors import LogUnavailable, OwnershipLost
from streams.kafka import KafkaLog
from streams.log import Log, Stage, Transaction
from streams.metrics import StageMetrics
from streams.records import (
    ALERTS,
    FLAGS,
)
from streams.worker import Worker
from tests.fakes.streams_contract import LONG_S, Opener, append, keys, seated, wait_until

_numbers = count()


class TestBrokers:
    def test_none_at_a_start_is_an_error_that_says_so(
        self, open_as: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("streams.kafka_client.BOOTSTRAP_S", 1.0)
        log = open_as("one", "kafka://127.0.0.1:1")
        for use in (lambda: log.stage("alert").acquire(0), log.topics, lambda: log.read(FLAGS)):
            with pytest.raises(LogUnavailable, match=r"127.0.0.1:1.*is a broker up") as caught:
                use()
            assert caught.value.reason == "away"

    def test_that_go_away_and_come_back_lose_and_repeat_nothing(self, tmp_path: Path) -> None:
        with Brokers(tmp_path / "broker") as brokers:
            log = open_log(brokers.url, clock=lambda: datetime.now(UTC), instance="one")
            writer = seated(log, "process")
            append(writer, FLAGS, ["before"])
            stage = seated(log, "alert", [FLAGS])
            stage.commit(Transaction(), stage.poll(1, LONG_S))
            (node,) = brokers.nodes
            node.kill()
            with pytest.raises(LogUnavailable):
                for _ in range(200):
                    stage.poll(1, 0.1)
            with pytest.raises((LogUnavailable, OwnershipLost)):
                append(writer, FLAGS, ["lost"])
            node.start()
            node.wait()
            assert writer.acquire(LONG_S)
            append(writer, FLAGS, ["after"])
            end = time.monotonic() + LONG_S
            found: list[str] = []
            while not found and time.monotonic() < end:
                try:
                    found = keys(stage.poll(1, 1.0))
                except LogUnavailable:
                    continue
            assert found == ["after"]
            log.close()

    def test_the_leader_of_three_killed_lets_the_others_go_on_and_nothing_is_lost_or_repeated(
        self, three_brokers: Brokers
    ) -> None:
        url = f"{three_brokers.url}/three-{next(_numbers)}?partitions=3"
        with closing(open_log(url, clock=lambda: datetime.now(UTC), instance="one")) as log:
            writer, stage = seated(log, "process"), log.stage("alert", [FLAGS])
            worker = Worker(
                stage,
                {FLAGS: lambda message, tx: tx.append(ALERTS, message.key, message.value)},
                clock=lambda: datetime.now(UTC),
                metrics=StageMetrics(CollectorRegistry()),
                batch=3,
            )
            stop = threading.Event()
            thread = threading.Thread(target=worker.run, args=(stop,))
            thread.start()
            names = [f"{number:03}" for number in range(60)]
            (leader,) = (n for n in three_brokers.nodes if n.node == leader_of_flags(log))
            try:
                for name in names[:20]:
                    append_surely(log, writer, name)
                leader.kill()
                for name in names[20:]:
                    append_surely(log, writer, name)
                wait_until(lambda: len(list(log.read(ALERTS))) == len(names))
            finally:
                stop.set()
                thread.join()
                leader.start()
                leader.wait()
            assert keys(log.read(FLAGS)) == names
            assert keys(log.read(ALERTS)) == names


def leader_of_flags(log: Log) -> int:
    assert isinstance(log, KafkaLog)
    (topic,) = log._cluster.ask(lambda admin: admin.describe_topics([log._cluster.physical(FLAGS)]))
    return int(topic["partitions"][0]["leader_id"])


def append_surely(log: Log, stage: Stage, key: str) -> None:
    """Append a record once, through whatever happens to the brokers, as a stage does: what a
    refused commit has done is looked up."""
    end = time.monotonic() + 2 * LONG_S
    while time.monotonic() < end:
        try:
            append(stage, FLAGS, [key])
            return
        except OwnershipLost:
            while time.monotonic() < end:
                try:
                    if stage.acquire(1) and key in keys(log.read(FLAGS)):
                        return
                    break
                except LogUnavailable:
                    continue
        except LogUnavailable:
            continue
    pytest.fail(f"{key} could not be written")
