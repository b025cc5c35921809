"""How the stage stops, is killed, waits for its log, and hands over."""

import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from alerts.routing import Route
from streams.errors import NewerSchema, OwnershipLost
from streams.records import ALERTS, FLAGS
from tests.fakes.alerts_bench import Bench, desk, editors, fresh
from tests.fakes.slack_server import Answer, SlackServer
from tests.fakes.smtp_server import MailServer

BOTH = Route("desk", routes=(Route("desk", continue_=True), Route("editors")))


def test_a_newer_schema_stops_the_stage_after_what_came_before(
    bench: Bench, slack: SlackServer
) -> None:
    bench.put(fresh("a1"))
    bench.append(FLAGS, "x", b'{"v": 99}')
    stage = bench.stage([desk(slack)])
    with pytest.raises(NewerSchema):
        stage.run(threading.Event())
    assert not stage.ready
    assert len(bench.alerts()) == 1
    assert bench.letters() == []


def test_stopping_gives_what_is_in_flight_time_and_records_it(
    bench: Bench, slack: SlackServer
) -> None:
    release = threading.Event()
    slack.script.append(Answer(body="ok", hold=release))
    bench.put(fresh("a1"), fresh("a2"))
    bench.start(bench.stage([desk(slack)]))
    slack.wait(1)
    threading.Timer(0.3, release.set).start()
    bench.stop()
    assert [d.status for d in bench.deliveries()] == ["sent", "pending"]
    assert len(slack.received) == 1


def test_stopping_waits_no_longer_than_it_should(
    bench: Bench, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.stage.DRAIN_S", 0.2)
    release = threading.Event()
    slack.script.append(Answer(body="ok", hold=release))
    bench.put(fresh("a1"))
    bench.start(bench.stage([desk(slack)]))
    slack.wait(1)
    began = time.monotonic()
    bench.stop()
    assert time.monotonic() - began < 2
    assert [d.status for d in bench.deliveries()] == ["pending"]
    release.set()
    bench.start(bench.stage([desk(slack)]))  # at least once: it is sent again
    bench.until_settled(1)


@pytest.mark.parametrize("has_another", [False, True])
def test_stopping_without_the_seat_takes_it_again_to_record_or_tells_what_it_could_not(
    bench: Bench, slack: SlackServer, monkeypatch: pytest.MonkeyPatch, has_another: bool
) -> None:
    monkeypatch.setattr("alerts.stage.DRAIN_S", 2.0)
    told: list[str] = []
    monkeypatch.setattr("alerts.sender.log.warning", lambda event, **_: told.append(event))
    release, lost = threading.Event(), threading.Event()
    slack.script.append(Answer(body="ok", hold=release))
    bench.put(fresh("a1"))
    stage = bench.stage([desk(slack)])
    other = bench.log.stage("alert", reads=(ALERTS, FLAGS))
    record, failures = stage._sender.record, iter([1, 2])

    def fail() -> None:
        """Refused twice, as where commits are not answered; at the first it is told to stop."""
        if stage._sender._returned and next(failures, None):
            stop.set()
            stage._stage.close()
            assert not has_another or other.acquire(5)
            lost.set()
            raise OwnershipLost("given out anew")
        record()

    monkeypatch.setattr(stage._sender, "record", fail)
    bench.start(stage)
    ((stop, _),) = bench._runs
    slack.wait(1)
    release.set()
    assert lost.wait(10)
    bench.stop()
    assert told == (["send_unrecorded"] if has_another else [])
    assert [d.status for d in bench.deliveries()] == ["pending" if has_another else "sent"]
    other.close()


class Crash(BaseException):
    """The process is gone."""


def test_killed_between_sending_and_recording_it_is_sent_once_more(
    bench: Bench, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(*(fresh(f"a{n}") for n in range(3)))
    stage = bench.stage([desk(slack)])
    real = stage._sender._rows.commit
    commits: list[int] = []

    def commit(tx: Any) -> None:
        commits.append(1)
        if len(commits) == 2:
            raise Crash
        real(tx)

    monkeypatch.setattr(stage._sender._rows, "commit", commit)
    with pytest.raises(Crash):
        stage.run(threading.Event())
    assert [d.status for d in bench.deliveries()] == ["sent", "pending", "pending"]
    assert len(slack.taken) == 2
    bench.start(bench.stage([desk(slack)]))
    bench.until_settled(3)
    titles = [r.body["blocks"][0]["text"]["text"][-3:-1] for r in slack.taken]
    assert titles == ["a0", "a1", "a1", "a2"]


def test_kill_9_costs_at_most_one_repeat(bench: Bench, slack: SlackServer, tmp_path: Path) -> None:
    bench.put(*(fresh(f"a{n}") for n in range(4)))
    release = threading.Event()
    slack.script.extend([Answer(200, "ok"), Answer(200, "ok", hold=release)])
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.alerts_child", tmp_path / "rasid.db", slack.webhook_url]
    )
    slack.wait(2, 30)  # the second was taken, and the child does not know it yet
    child.kill()
    child.wait()
    release.set()
    bench.start(bench.stage([desk(slack)]))
    bench.until_settled(4)
    titles = [r.body["blocks"][0]["text"]["text"][-3:-1] for r in slack.taken]
    assert titles == ["a0", "a1", "a1", "a2", "a3"]
    assert len(bench.alerts()) == 4


def test_a_log_that_is_locked_is_waited_for_and_nothing_goes_twice(
    bench: Bench, slack: SlackServer, mail_server: MailServer, tmp_path: Any
) -> None:
    bench.put(fresh("a1"))
    release = threading.Event()
    slack.script.append(Answer(body="ok", hold=release))
    bench.start(bench.stage([desk(slack), editors(mail_server)], BOTH))
    slack.wait(1)
    mail_server.wait(1)
    lock = sqlite3.connect(tmp_path / "rasid.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    release.set()
    time.sleep(0.5)  # the outage itself, not a wait for something to happen
    lock.execute("ROLLBACK")
    lock.close()
    deliveries = bench.until_settled(2)
    assert {d.status for d in deliveries} == {"sent"}
    assert (len(slack.received), len(mail_server.mails)) == (1, 1)


def test_a_second_instance_waits_and_takes_over(bench: Bench, slack: SlackServer) -> None:
    first = bench.stage([desk(slack)])
    bench.start(first)
    bench.put(fresh("a1"))
    bench.until_settled(1)
    second = bench.stage([desk(slack)])
    stop = threading.Event()
    thread = threading.Thread(target=second.run, args=(stop,))
    thread.start()
    bench.put(fresh("a2"))
    bench.until_settled(2)
    assert (first.ready, second.ready) == (True, False)
    bench.stop()
    bench.put(fresh("a3"))
    bench.until_settled(3)
    assert second.ready
    stop.set()
    thread.join(10)
    assert len(slack.received) == 3
