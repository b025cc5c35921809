"""Dead letters are filtered, replayed once, dropped, and stay settled wherever they go."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from streams.letters import STAGE, Filter, Letter, letters, settle
from streams.log import Log, Stage, Transaction
from streams.records import ALERTS, ARTICLES, DEADLETTERS, FLAGS, DeadLetter, encode
from tests.fakes.clock import FakeClock


def letter(clock: FakeClock, key: str, **changes: object) -> DeadLetter:
    given = {
        "stage": "process", "topic": ARTICLES, "partition": 0, "offset": 7, "cause": "failed",
        "error": "ValueError: no", "value": f"text of {key}",
    }  # fmt: skip
    return DeadLetter(key=key, failed=clock(), **(given | changes))  # type: ignore[arg-type]


def seated(log: Log, name: str) -> Stage:
    stage = log.stage(name)
    assert stage.acquire(30)
    return stage


def write(log: Log, *items: DeadLetter) -> None:
    stage = seated(log, "archive")
    tx = Transaction()
    for item in items:
        tx.append(DEADLETTERS, item.stage, encode(item))
    stage.commit(tx)
    stage.close()


def still_open(log: Log) -> list[str]:
    return [x.content.key for x in letters(log) if x.settled is None]


def chosen(log: Log, *keys: str) -> list[Letter]:
    return [x for x in letters(log) if x.content.key in keys]


def test_replayed_and_dropped_letters_are_settled_and_only_the_replayed_come_again(
    log: Log, open_log: Callable[..., Log], clock: FakeClock
) -> None:
    binary = letter(clock, "binary", value="/wBh", encoding="base64", topic=FLAGS)
    write(log, letter(clock, "a"), letter(clock, "b"), binary, letter(clock, "c"))
    seat = seated(log, STAGE)
    assert settle(log, seat, chosen(log, "a", "binary"), "replayed", clock) == (2, [])
    assert settle(log, seat, chosen(log, "b"), "dropped", clock) == (1, [])
    seat.close()
    other = open_log()
    assert still_open(other) == ["c"]
    assert [(m.key, m.value) for m in other.read(ARTICLES)] == [("a", b"text of a")]
    assert [(m.key, m.value) for m in other.read(FLAGS)] == [("binary", b"\xff\x00a")]


def test_a_letter_without_its_record_takes_it_from_where_it_lies(
    log: Log, clock: FakeClock
) -> None:
    stage = seated(log, "archive")
    tx = Transaction()
    tx.append(ARTICLES, "large", b"large text")
    stage.commit(tx)
    stage.close()
    (message,) = log.read(ARTICLES)
    large = letter(clock, "large", cause="too_large", value="", offset=message.offset)
    write(log, large, letter(clock, "gone", cause="too_large", value="", offset=99))
    write(log, letter(clock, "of a table", topic="rasid.feeds"))
    seat = seated(log, STAGE)
    count, refused = settle(log, seat, list(letters(log)), "replayed", clock)
    assert count == 1
    assert [text.partition(": ")[2] for text in refused] == [
        "rasid.articles no longer holds offset 99",
        "rasid.feeds is no topic that can be written again",
    ]
    assert [m.value for m in log.read(ARTICLES)] == [b"large text"] * 2
    assert still_open(log) == ["gone", "of a table"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), ["old", "new", "alert"]),
        (Filter(stage="alert"), ["alert"]),
        (Filter(cause="undeliverable"), ["alert"]),
        (Filter(older_s=3600), ["old"]),
        (Filter(newer_s=60), ["new", "alert"]),
        (Filter(stage="process", newer_s=60), ["new"]),
    ],
)
def test_a_filter_takes_those_for_which_all_holds(wanted: Filter, expected: list[str]) -> None:
    clock = FakeClock()
    old = letter(clock, "old")
    clock.advance(7200)
    new = letter(clock, "new")
    alert = letter(clock, "alert", stage="alert", topic=ALERTS, cause="undeliverable")
    now = clock() + timedelta(seconds=1)
    assert [x.key for x in (old, new, alert) if wanted.takes(x, now)] == expected
