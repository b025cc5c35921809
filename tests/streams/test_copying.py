"""A log is copied whole into another carrier's, and back, and can be broken off anywhere."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from rasid.demo.broker import Brokers
from streams.carriers import open_log
from streams.copying import CopyRefused, copy
from streams.log import Log, Stage, Transaction
from streams.records import (
    ALERTS,
    ARTICLES,
    BACKFILL,
    DELIVERIES,
    ENTRIES,
    FEEDS,
    FLAGS,
    STORIES,
    TABLES,
    TOPICS,
)
from tests.fakes.clock import FakeClock

Pair = tuple[Log, Log]
_numbers = count()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["sqlite to kafka", "kafka to sqlite"])
def pair(
    request: pytest.FixtureRequest, tmp_path: Path, broker: Brokers, clock: FakeClock
) -> Iterator[Pair]:
    urls = [f"sqlite://{tmp_path}/rasid.db", f"{broker.url}/copy-{next(_numbers)}?partitions=3"]
    if request.param == "kafka to sqlite":
        urls.reverse()
    one, other = (open_log(url, clock=clock) for url in urls)
    with closing(one), closing(other):
        yield one, other


def seated(log: Log, name: str, *reads: str) -> Stage:
    stage = log.stage(name, reads)
    assert stage.acquire(30)
    return stage


def fill(log: Log, clock: FakeClock) -> None:
    """What a newsroom has: articles of which some are flagged, rows due and not."""
    collect = seated(log, "collect")
    for number in range(30):
        tx = Transaction()
        for part in range(20):
            key = f"{number:02}-{part:02}"
            tx.append(ARTICLES, key, f"article {key}".encode())
            site = f"site-{part}"
            tx.put(ENTRIES, f"{site}/{key}", b"entry", partition_key=site)
        tx.put(FEEDS, f"site-{number}/feed", b"feed", due=clock(), partition_key=f"site-{number}")
        collect.commit(tx)
        clock.advance(60)
    collect.close()
    process = seated(log, "process", ARTICLES, BACKFILL)
    handled = 0
    while handled < 400:
        messages = process.poll(100, 5)
        tx = Transaction()
        for message in messages:
            tx.append(FLAGS, message.key, b"report")
        process.commit(tx, messages)
        handled += len(messages)
    process.close()
    alert = seated(log, "alert", ALERTS, FLAGS)
    tx = Transaction()
    tx.put(STORIES, "story", b"story")
    tx.put(DELIVERIES, "due", b"delivery", due=clock() + timedelta(microseconds=1))
    alert.commit(tx, alert.poll(7, 5))
    alert.close()


def whole(log: Log) -> dict[str, object]:
    records = {topic: sorted((m.key, m.time, m.value) for m in log.read(topic)) for topic in TOPICS}
    return {**records, **{table: list(log.rows(table)) for table in TABLES}}


def left(log: Log, name: str, *reads: str) -> list[str]:
    """What a stage has yet to read."""
    stage = seated(log, name, *reads)
    keys: list[str] = []
    while messages := stage.poll(500, 0):
        keys += [message.key for message in messages]
    stage.close()
    return sorted(keys)


def test_all_is_there_afterwards_and_each_stage_goes_on_where_it_was(
    pair: Pair, clock: FakeClock
) -> None:
    source, target = pair
    fill(source, clock)
    told: dict[str, tuple[int, int]] = {}
    clock.advance(86400)
    copy(source, target, lambda name, done, total: told.update({name: (done, total)}))
    assert whole(target) == whole(source)
    unread = left(target, "process", ARTICLES, BACKFILL)
    assert unread == left(source, "process", ARTICLES, BACKFILL)
    unread = left(target, "process", ARTICLES, BACKFILL)
    assert unread == left(source, "process", ARTICLES, BACKFILL)
    assert len(unread) > 100
    assert left(target, "alert", ALERTS, FLAGS) == left(source, "alert", ALERTS, FLAGS)
    assert told[ARTICLES] == (600, 600)
    assert set(told) == {*TOPICS, *TABLES}


class Broken(Exception):
    """Somebody pulled the plug."""


def breaking_at(name: str, copied: int) -> Callable[[str, int, int], None]:
    def told(topic: str, done: int, total: int) -> None:
        if topic == name and done >= copied:
            raise Broken

    return told


def test_broken_off_and_begun_again_it_is_the_same(pair: Pair, clock: FakeClock) -> None:
    source, target = pair
    fill(source, clock)
    for name, copied in ((ARTICLES, 1), (FLAGS, 1), (ENTRIES, 1)):
        with pytest.raises(Broken):
            copy(source, target, breaking_at(name, copied))
    collect = seated(source, "collect")  # meanwhile the source worked on
    tx = Transaction()
    tx.delete(FEEDS, "site-1/feed")
    tx.append(ARTICLES, "late", b"late")
    collect.commit(tx)
    collect.close()
    copy(source, target)
    assert whole(target) == whole(source)
    unread = left(target, "process", ARTICLES, BACKFILL)
    assert unread == left(source, "process", ARTICLES, BACKFILL)


def test_into_a_log_with_records_of_its_own_it_is_refused(pair: Pair, clock: FakeClock) -> None:
    source, target = pair
    fill(source, clock)
    other = seated(target, "collect")
    tx = Transaction()
    tx.append(ARTICLES, "of its own", b"")
    other.commit(tx)
    other.close()
    with pytest.raises(CopyRefused, match="copy into an empty one"):
        copy(source, target)


def test_while_somebody_works_it_is_refused(
    pair: Pair, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.copying.SEAT_S", 3.0)
    source, target = pair
    working = seated(target, "alert", ALERTS, FLAGS)
    with pytest.raises(CopyRefused, match=r"copied to is being worked .stage alert.; stop Rasid"):
        copy(source, target)
    working.close()
    monkeypatch.setattr("streams.copying.SEAT_S", 60.0)
    copy(source, target)
