"""What a release left behind opens in the next, and what this one writes opens in the one
before, or is refused with a clear word."""

import copy
import gzip
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from rasid.cli import app
from rasid.demo.broker import Brokers
from streams.carriers import open_log
from streams.errors import LogCorrupt, NewerSchema
from streams.log import Log, Transaction
from streams.records import ARTICLES, BACKFILL, FLAGS, KINDS, STORIES, TOPICS, decode, encode
from streams.sqlite import SqliteLog
from tests.upgrades.compatible import breaks
from tests.upgrades.make import AT, DUE, HERE, records, shape

RELEASES = sorted(path.name for path in HERE.iterdir() if (path / "shape.json").exists())


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> Path:
    return HERE / str(request.param)


def unpacked(release: Path, folder: Path) -> Path:
    path = folder / "rasid.db"
    path.write_bytes(gzip.decompress((release / "rasid.db.gz").read_bytes()))
    return path


def values(release: Path) -> dict[tuple[str, str], Any]:
    """What that release wrote, by topic and key."""
    lines = (release / "kafka.jsonl").read_text("utf-8").splitlines()
    told = map(json.loads, lines)
    return {(line["topic"], line["key"]): json.loads(line["value"]) for line in told}


def is_kept(before: Any, now: Any) -> bool:
    """Whether `now` says all that `before` said; it may say more."""
    if isinstance(before, dict):
        return isinstance(now, dict) and all(is_kept(v, now.get(k)) for k, v in before.items())
    if isinstance(before, list):
        return len(before) == len(now) and all(map(is_kept, before, now))
    return bool(before == now)


def assert_all_read(log: Log, release: Path) -> None:
    found = {
        (name, message.key): json.loads(encode(decode(KINDS[name], message.value)))
        for name in KINDS
        for message in log.read(name)
    }
    before = values(release)
    assert found.keys() >= before.keys()
    lost = [at for at, value in before.items() if not is_kept(value, found[at] | {"v": value["v"]})]
    assert lost == []


def test_its_log_opens_and_is_gone_on_with(release: Path, tmp_path: Path) -> None:
    path = unpacked(release, tmp_path)
    with closing(SqliteLog(path, clock=lambda: DUE)) as log:
        assert_all_read(log, release)
        # `process` had read the first article only.
        stage = log.stage("process", reads=(ARTICLES, BACKFILL, FLAGS))
        assert stage.acquire(1.0)
        waiting = []
        while some := stage.poll(10, 0.0):
            waiting += some
        assert [(m.topic, m.offset, m.time) for m in waiting] == [
            (ARTICLES, 1, AT), (BACKFILL, 0, AT), (BACKFILL, 1, AT), (FLAGS, 0, AT), (FLAGS, 1, AT),
        ]  # fmt: skip
        tx = Transaction()
        tx.append(FLAGS, "new", waiting[-1].value)
        stage.commit(tx, after=waiting)
        assert [row.key for row in stage.due(STORIES, DUE, 10)] == [
            "a.example/one", "b.example/اثنان",
        ]  # fmt: skip
        stage.close()


def test_commands_read_its_log(release: Path, tmp_path: Path) -> None:
    path = unpacked(release, tmp_path)
    config = tmp_path / "rasid.yaml"
    config.write_text(f"log: sqlite://{path}\nserve: none\n")
    for command in (["log", "topics"], ["deadletters", "list"], ["silence", "list", "--all"]):
        told = CliRunner().invoke(app, [*command, "--json", "--config", str(config)])
        assert told.exit_code == 0, told.output
        assert json.loads(told.stdout)


def test_its_records_on_kafka_are_read(release: Path, broker: Brokers) -> None:
    """As they lie there: bytes, headers and partitions."""
    prefix = f"before-{release.name}"
    with closing(open_log(f"{broker.url}/{prefix}", clock=lambda: DUE)) as log:
        stage = log.stage("process", reads=(ARTICLES,))
        assert stage.acquire(20.0)  # makes the topics
        stage.close()
        brokers = broker.url.removeprefix("kafka://").split(",")
        producer = KafkaProducer(bootstrap_servers=brokers)
        for line in map(json.loads, (release / "kafka.jsonl").read_text("utf-8").splitlines()):
            producer.send(
                f"{prefix}.{line['topic']}",
                key=line["key"].encode(),
                value=line["value"].encode(),
                headers=[(name, value.encode()) for name, value in line["headers"]],
                partition=line["partition"],
            )
        producer.flush()
        producer.close()
        assert_all_read(log, release)
        rows = list(log.rows(STORIES))
        assert [(row.due, row.partition_key, row.time) for row in rows] == [
            (DUE, "a.example", AT), (DUE, "b.example", AT),
        ]  # fmt: skip


def test_the_release_before_takes_what_this_one_writes_or_refuses_it() -> None:
    """If this fails before a first release of that version, `make` writes the files anew."""
    before = json.loads((HERE / RELEASES[-1] / "shape.json").read_text("utf-8"))
    assert breaks(before, shape()) == []


def add_field(now: Any) -> None:
    now["records"]["Article"]["properties"]["mood"] = {"type": "string", "default": ""}


def add_without_default(now: Any) -> None:
    now["records"]["Article"]["properties"]["mood"] = {"type": "string"}
    now["records"]["Article"]["required"].append("mood")


def add_word(now: Any) -> None:
    now["records"]["Alert"]["properties"]["kind"]["enum"].append("sung")


def drop_field(now: Any) -> None:
    del now["records"]["StoryArticle"]["properties"]["url"]


def drop_kind(now: Any) -> None:
    del now["records"]["Silence"]


def other_table(now: Any) -> None:
    now["tables"]["rasid_meta"] += " STRICT"


def skip_version(now: Any) -> None:
    now["version"] += 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (add_field, None),
        (add_without_default, "Article.mood has no default"),
        (add_word, "Alert.kind means something else"),
        (drop_field, "StoryArticle.url is gone"),
        (drop_kind, "Silence is gone"),
        (other_table, "raise streams.sqlite_file.FORMAT"),
        (skip_version, "VERSION goes up by one"),
    ],
    ids=lambda it: it.__name__ if callable(it) else "",
)
def test_a_change_that_needs_a_number_is_found(
    change: Callable[[Any], None], told: str | None
) -> None:
    before = shape()
    now = copy.deepcopy(before)
    change(now)
    found = breaks(before, now)
    assert [told in line for line in found] == [True] if told else found == []
    for raised in ("version", "format"):
        now[raised] = before[raised] + 1
    assert breaks(before, now) == []  # the older one refuses it


def test_what_a_later_release_wrote_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = unpacked(HERE / RELEASES[-1], tmp_path)
    by_name = defaultdict(list)
    for name, key, record in records():
        by_name[name].append((key, encode(record).replace(b'"v":1', b'"v":2', 1)))
    with closing(SqliteLog(path, clock=lambda: DUE)) as log:
        for name, later in by_name.items():
            with pytest.raises(NewerSchema, match="this Rasid reads up to 1: upgrade it"):
                decode(KINDS[name], later[0][1])
        stage = log.stage("process", reads=TOPICS)
        assert stage.acquire(1.0)
        tx = Transaction()
        tx.put(STORIES, *by_name[STORIES][0])
        stage.commit(tx)
        stage.close()
    config = tmp_path / "rasid.yaml"
    config.write_text(f"log: sqlite://{path}\nserve: none\n")
    told = CliRunner().invoke(app, ["stories", "list", "--config", str(config)])
    assert isinstance(told.exception, NewerSchema)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE rasid_meta SET value = '2'")
    before = path.read_bytes()
    with (
        closing(SqliteLog(path, clock=lambda: DUE)) as log,
        pytest.raises(LogCorrupt, match="of format 2, this Rasid knows up to 1; it was left alone"),
    ):
        log.stage("process").acquire(1.0)
    assert path.read_bytes() == before
