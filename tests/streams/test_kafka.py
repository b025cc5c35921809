"""What only Kafka has: several instances, deaths of some, names, partitions, brokers away."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from rasid.demo.broker import Brokers
from streams.carriers import open_log
from streams.errors import IdentityTaken, LogCorrupt, LogUnavailable, OwnershipLost
from streams.kafka import KafkaLog
from streams.kafka_stage import KafkaStage
from streams.log import Log, Message, Stage, Transaction
from streams.metrics import LogMetrics, StageMetrics
from streams.records import (
    ALERTS,
    ARTICLES,
    DEADLETTERS,
    DELIVERIES,
    ENTRIES,
    FEEDS,
    FLAGS,
    DeadLetter,
    decode,
)
from streams.worker import Worker
from tests.fakes.streams_process import child

LONG_S = 30.0
_numbers = count()
Opener = Callable[..., Log]


@pytest.fixture
def url(broker: Brokers) -> str:
    return f"{broker.url}/several-{next(_numbers)}?partitions=4"


@pytest.fixture
def open_as(url: str) -> Iterator[Opener]:
    """The log, as an instance by that name sees it."""
    logs: list[Log] = []
    stages: list[Stage] = []

    def opener(instance: str, url: str = url) -> Log:
        log = open_log(url, clock=lambda: datetime.now(UTC), instance=instance)
        give = log.stage

        def stage(name: str, reads: Sequence[str] = ()) -> Stage:
            stages.append(give(name, reads))
            return stages[-1]

        log.stage = stage  # type: ignore[method-assign]
        logs.append(log)
        return log

    yield opener
    for stage in stages:  # whose clients would go on in the tests that follow
        stage.close()
    for log in logs:
        log.close()


def seated(log: Log, name: str, reads: Sequence[str] = ()) -> Stage:
    stage = log.stage(name, reads)
    assert stage.acquire(LONG_S)
    return stage


def append(stage: Stage, topic: str, keys: Sequence[str]) -> None:
    tx = Transaction()
    for key in keys:
        tx.append(topic, key, b"{}")
    stage.commit(tx)


def keys(messages: Sequence[Message] | Iterator[Message]) -> list[str]:
    return [message.key for message in messages]


def wait_until(holds: Callable[[], bool], limit_s: float = LONG_S) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


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
            tx = Transaction()
            for number in range(30):
                tx.put(DELIVERIES, f"{number}", b"{}")
            stage.commit(tx)
            assert isinstance(stage, KafkaStage)
            stage._cluster.leave("alert")
            with pytest.raises(OwnershipLost):
                stage.commit(tx)
            assert stage.acquire(LONG_S)

            def sample(name: str, **labels: str) -> float | None:
                return registry.get_sample_value(name, labels)

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


def _generation(member: Any) -> int:
    return int(member._consumer.group_metadata().generation_id)


def _in_one_division(*stages: Stage) -> bool:
    """Whether all work what one and the same division of their group gave them. Each has its turn
    to hear of a new one."""
    for stage in stages:
        try:
            stage.poll(1, 0)  # as a collector does that has nothing to do
        except OwnershipLost:
            stage.acquire(0)
    members = [stage._member for stage in stages]  # type: ignore[attr-defined]
    working = [stage._inbox is not None for stage in stages]  # type: ignore[attr-defined]
    if not all(working):
        return False
    # What each has taken up, and what each has heard of.
    return len({m.generation for m in members} | {_generation(m) for m in members}) == 1


class TestPartitions:
    def test_two_instances_share_the_articles_and_repeat_none(self, open_as: Opener) -> None:
        writer = seated(open_as("writer"), "collect")
        names = [f"{number:05}" for number in range(20_000)]
        append(writer, ARTICLES, names[: (written := 300)])
        stop = threading.Event()
        metrics = StageMetrics(CollectorRegistry())
        relayed: Counter[str] = Counter()
        threads = []
        for name in ("one", "two"):

            def relay(message: Message, tx: Transaction, name: str = name) -> None:
                relayed[name] += 1
                tx.append(FLAGS, message.key, b"")

            worker = Worker(
                open_as(name).stage("process", [ARTICLES]),
                {ARTICLES: relay},
                clock=lambda: datetime.now(UTC),
                metrics=metrics,
                batch=1,
            )
            threads.append(threading.Thread(target=worker.run, args=(stop,)))
        log = open_as("reader")
        try:
            threads[0].start()
            wait_until(lambda: relayed["one"] > 0)
            threads[1].start()
            end = time.monotonic() + LONG_S
            while not relayed["two"] and time.monotonic() < end:
                append(writer, ARTICLES, names[written : (written := written + 20)])
                wait_until(lambda: log.lag()["process"][ARTICLES] < 20)
            wait_until(lambda: log.lag()["process"][ARTICLES] == 0)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert relayed["two"] > 0
        assert sorted(keys(log.read(FLAGS))) == names[:written]

    def test_what_a_later_generation_would_sign_is_not_committed(self, open_as: Opener) -> None:
        """The client library joins the next generation by itself, and whoever commits only
        afterwards may write rows of sites that are another's by now."""
        one = seated(open_as("one"), "collect")
        member = one._member  # type: ignore[attr-defined]
        assert member is not None
        before = member.metadata().generation_id
        joining = threading.Thread(target=lambda: open_as("two").stage("collect").acquire(LONG_S))
        joining.start()
        try:
            wait_until(lambda: member._poll(0.05, 1) is None or _generation(member) > before)
            tx = Transaction()
            tx.put(FEEDS, "site/feed", b"", partition_key="site")
            with pytest.raises(OwnershipLost):
                one.commit(tx)
        finally:
            joining.join()
        assert list(open_as("reader").read(FEEDS)) == []

    def test_all_that_one_works_and_another_stands_by_for_stays_together(
        self, open_as: Opener
    ) -> None:
        """As the alert stage reads two topics of one partition: not one of them each."""
        working = seated(open_as("one"), "alert", [ALERTS, FLAGS])
        standby = open_as("two").stage("alert", [ALERTS, FLAGS])
        member = working._member  # type: ignore[attr-defined]
        before = member.generation

        def both_divided() -> bool:
            assert not standby.acquire(0)
            assert not working.poll(1, 0)
            return bool(member.generation > before)

        wait_until(both_divided)
        assert not standby.acquire(1)
        assert {tp.topic.rpartition(".")[2] for tp in member.owned} == {"alerts", "flags"}

    @pytest.mark.parametrize("told", ["before the commit", "by its refusal"])
    def test_a_division_that_leaves_all_as_it_was_costs_no_commit(
        self, told: str, open_as: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was done meanwhile at the edge, as a message sent, would be done again."""
        log = open_as("one")
        append(seated(log, "process"), FLAGS, "ab")
        working = seated(log, "alert", [FLAGS])
        messages = working.poll(1, LONG_S)
        member, inbox = working._member, working._inbox  # type: ignore[attr-defined]
        before = member.metadata()
        standby = open_as("two").stage("alert", [FLAGS])
        wait_until(lambda: not standby.acquire(0) and not member._poll(0, 1) and member.is_outdated)
        if told == "by its refusal":
            said, truly = iter([before]), member.metadata
            monkeypatch.setattr(inbox, "settle", lambda: None)
            monkeypatch.setattr(member, "metadata", lambda: next(said, None) or truly())
        tx = Transaction()
        tx.append(ALERTS, "of a", b"")
        working.commit(tx, messages)
        assert member.generation > before.generation_id
        assert keys(working.poll(9, LONG_S)) == ["b"]
        assert keys(log.read(ALERTS)) == ["of a"]

    def test_collectors_divide_the_sites_and_what_belongs_to_them(self, open_as: Opener) -> None:
        sites = [f"site-{number}.example" for number in range(40)]
        one = seated(open_as("one"), "collect")
        tx = Transaction()
        for site in sites:
            tx.put(FEEDS, f"{site}/feed", b"", partition_key=site)
            tx.put(ENTRIES, f"{site}/entry", b"", partition_key=site)
        one.commit(tx)
        assert all(one.owns(site) for site in sites)
        two = open_as("two").stage("collect")
        # Each joins in turns of this one thread, and a busy machine lets many of them pass.
        wait_until(lambda: _in_one_division(one, two), 120)
        for stage, other in ((one, two), (two, one)):
            mine = [site for site in sites if stage.owns(site)]
            assert mine
            assert not any(other.owns(site) for site in mine)
            for table, what in ((FEEDS, "feed"), (ENTRIES, "entry")):
                assert [r.key for r in stage.scan(table)] == sorted(f"{s}/{what}" for s in mine)
        foreign = next(site for site in sites if two.owns(site))
        tx = Transaction()
        tx.put(FEEDS, f"{foreign}/feed", b"", partition_key=foreign)
        with pytest.raises(ValueError, match="another instance"):
            one.commit(tx)

    def test_a_partition_that_ends_in_a_transactions_marker_is_read_to_its_end_at_once(
        self, open_as: Opener
    ) -> None:
        log = open_as("one")
        stage = seated(log, "process")
        append(stage, ARTICLES, names := [f"{number}" for number in range(40)])
        behind: dict[int, int] = {}
        for message in log.read(ARTICLES):
            behind[message.partition] = message.offset + 1
        assert len(behind) == 4
        append(stage, FLAGS, names)
        began = time.monotonic()
        for _ in range(3):
            assert list(log.read(ARTICLES, behind)) == []
        assert time.monotonic() - began < 3  # 6 where each marker is waited out

    def test_a_record_above_the_limit_is_a_dead_letter_and_the_rest_goes_on(
        self, open_as: Opener
    ) -> None:
        log = open_as("one")
        append(seated(log, "process"), FLAGS, ["good", "bad", "fine"])

        def relay(message: Message, tx: Transaction) -> None:
            tx.append(ALERTS, message.key, b"x" * (1_000_000 if message.key == "bad" else 10))

        worker = Worker(
            log.stage("alert", [FLAGS]),
            {FLAGS: relay},
            clock=lambda: datetime.now(UTC),
            metrics=StageMetrics(CollectorRegistry()),
        )
        assert worker._stage.acquire(LONG_S)
        assert worker.step(LONG_S) == 3
        assert keys(log.read(ALERTS)) == ["good", "fine"]
        (letter,) = (decode(DeadLetter, m.value) for m in log.read(DEADLETTERS))
        assert (letter.key, letter.cause, letter.value) == ("bad", "too_large", "{}")
        assert "brokers take 1,000,000" in letter.error

    def test_topics_with_another_number_of_partitions_are_refused(
        self, url: str, open_as: Opener
    ) -> None:
        seated(open_as("one"), "alert")
        other = open_as("two", url.replace("partitions=4", "partitions=5"))
        with pytest.raises(LogCorrupt, match="has 4 partitions, not 5"):
            other.stage("alert").acquire(1)
        assert len(other.problems()) == 4
        assert open_as("three").problems() == []


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
