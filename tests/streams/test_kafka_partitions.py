"""What instances on Kafka divide among them, and the bounds of a partition."""

import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka.admin import ConfigResource, ConfigResourceType
from prometheus_client import CollectorRegistry

from streams.errors import LogCorrupt, OwnershipLost
from streams.log import Message, Stage, Transaction
from streams.metrics import StageMetrics
from streams.records import (
    ALERTS,
    ARTICLES,
    DEADLETTERS,
    ENTRIES,
    FEEDS,
    FLAGS,
    DeadLetter,
    decode,
)
from streams.worker import Worker
from tests.fakes.streams_contract import LONG_S, Opener, append, keys, seated, wait_until


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
        assert (letter.key, letter.cause, letter.value) == ("bad", "too_large", "value of bad")
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

    @pytest.mark.parametrize(
        ("name", "key", "value"),
        [
            (ARTICLES, "retention.ms", "604800000"),
            (FLAGS, "retention.bytes", "1000000"),
            (ENTRIES, "cleanup.policy", "compact,delete"),
        ],
    )
    def test_topics_that_brokers_delete_from_are_refused(
        self, name: str, key: str, value: str, open_as: Opener
    ) -> None:
        log = open_as("one")
        seated(log, "alert").close()
        assert log.problems() == []
        cluster = log._cluster  # type: ignore[attr-defined]
        topic = ConfigResource(ConfigResourceType.TOPIC, cluster.physical(name), {key: value})
        cluster.ask(lambda admin: admin.alter_configs([topic]))
        wait_until(lambda: bool(log.problems()))
        (problem,) = log.problems()
        assert f"{cluster.physical(name)} has {key}={value}" in problem
        with pytest.raises(LogCorrupt, match=f"set {key}="):
            open_as("two").stage("alert").acquire(1)
