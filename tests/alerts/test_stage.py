"""The stage at a real log, with real servers at the other end."""

import io
import threading
from datetime import timedelta
from typing import Any

import pytest

from alerts.channel import Receipt
from alerts.errors import SendError
from alerts.receivers import Receiver, SlackOptions, TerminalOptions
from alerts.routing import Match, Route
from streams.errors import ConfigError
from streams.records import ALERTS, FLAGS, Delivery, encode
from tests.fakes.alerts_bench import Bench, desk, editors, fresh, make_flag, utc_now
from tests.fakes.slack_server import Answer, SlackServer
from tests.fakes.smtp_server import MailServer

BOTH = Route("desk", routes=(Route("desk", continue_=True), Route("editors")))


def test_a_report_reaches_every_receiver_the_routes_choose(
    bench: Bench, slack: SlackServer, mail_server: MailServer
) -> None:
    bench.put(fresh("a1"), fresh("a2", flags=(make_flag(theme="ceasefire"),)))
    route = Route("desk", routes=(Route("editors", Match(theme=("oil_field",)), continue_=True),))
    stage = bench.stage([desk(slack), editors(mail_server)], route)
    bench.start(stage)
    deliveries = bench.until_settled(2)
    assert [(d.alert.receiver, d.alert.article_id, d.status) for d in deliveries] == [
        ("editors", "a1", "sent"),
        ("desk", "a2", "sent"),
    ]
    assert deliveries[0].done == ("a@desk.example",)
    assert deliveries[0].reference == mail_server.mails[0][1]["Message-ID"]
    assert stage.ready
    # What is committed is counted a moment later.
    bench.until(lambda: bench.metric("rasid_seen_to_sent_seconds_count") == 2)
    assert bench.metric("rasid_alerts_total", receiver="desk", outcome="sent") == 1
    assert bench.metric("rasid_reports_total", decision="opened") == 2
    assert bench.metric("rasid_records_in_total", stage="alert") == 4
    bench.until(lambda: bench.metric("rasid_deliveries_pending", receiver="desk") == 0)
    assert bench.metric("rasid_stage_heartbeat_timestamp_seconds", stage="alert") > 0


def test_copies_and_revisions_bring_no_second_message(bench: Bench, slack: SlackServer) -> None:
    sketch = tuple(range(1000, 1040))
    bench.put(
        fresh("a1", sketch=sketch),
        fresh("a2", sketch=sketch[:25]),
        fresh("a1", sketch=sketch, revision=2, title="مصحح"),
        fresh("a1", sketch=sketch),
        fresh("a3", sketch=tuple(range(5000, 5040))),
    )
    bench.start(bench.stage([desk(slack)]))
    bench.until_settled(2)
    first, second = bench.stories()
    assert [(a.article_id, a.revision, a.decision) for a in first.articles] == [
        ("a1", 2, "opened"),
        ("a2", 1, "copy"),
    ]
    assert [a.article_id for a in second.articles] == ["a3"]
    assert len(slack.taken) == len(bench.alerts()) == 2
    for decision, count in (("copy", 1), ("revision", 1), ("repeated", 1), ("opened", 2)):
        assert bench.metric("rasid_reports_total", decision=decision) == count


def test_copies_are_known_after_a_restart(bench: Bench, slack: SlackServer) -> None:
    sketch = tuple(range(1000, 1040))
    bench.put(fresh("a1", sketch=sketch))
    bench.start(bench.stage([desk(slack)]))
    bench.until_settled(1)
    bench.stop()
    bench.put(fresh("a2", sketch=sketch), fresh("a1", sketch=sketch, revision=2))
    bench.start(bench.stage([desk(slack)]))
    bench.until(lambda: bench.metric("rasid_reports_total", decision="revision") == 1)
    assert bench.metric("rasid_reports_total", decision="copy") == 1
    assert len(bench.alerts()) == 1


def test_old_news_is_kept_with_its_reason_and_sent_to_nobody(
    bench: Bench, slack: SlackServer
) -> None:
    old = utc_now() - timedelta(days=2)
    bench.put(
        fresh("old", published=old),
        fresh("undated", published=None, first_poll=True),
        fresh("back", backfill=True),
    )
    bench.start(bench.stage([desk(slack)]))
    bench.until(lambda: len(bench.stories()) == 3)
    assert {s.articles[0].article_id: s.articles[0].decision for s in bench.stories()} == {
        "old": "too_old",
        "undated": "undated",
        "back": "backfill",
    }
    assert bench.alerts() == []


def test_retry_after_is_obeyed_and_delays_nobody_else(
    bench: Bench, slack: SlackServer, mail_server: MailServer
) -> None:
    slack.script.append(Answer(429, "", {"Retry-After": "1"}))
    bench.put(*(fresh(f"a{n}") for n in range(3)))
    bench.start(bench.stage([desk(slack), editors(mail_server)], BOTH))
    mail_server.wait(3)
    bench.until_settled(6)
    first, second, *_ = slack.received
    assert second.at - first.at >= 1.0
    assert second.at - first.at < 1.5
    assert [r.body["blocks"][0]["text"]["text"][-3:-1] for r in slack.taken] == ["a0", "a1", "a2"]
    assert bench.metric("rasid_alerts_total", receiver="desk", outcome="retried") == 1


def test_a_receiver_that_hangs_delays_no_other(
    bench: Bench, slack: SlackServer, mail_server: MailServer
) -> None:
    release = threading.Event()
    slack.script.append(Answer(body="ok", hold=release))
    bench.put(*(fresh(f"a{n}") for n in range(5)))
    bench.start(bench.stage([desk(slack), editors(mail_server)], BOTH))
    mail_server.wait(5)
    slack.wait(1)
    assert len(slack.received) == 1
    release.set()
    bench.until_settled(10)


def test_a_server_that_never_ends_its_answer_is_given_up(
    bench: Bench, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.sender.STUCK_S", 0.2)
    release = threading.Event()
    slack.script.append(Answer(500, hold=release))
    bench.put(fresh("a1"))
    bench.start(bench.stage([desk(slack)]))
    (delivery,) = bench.until_settled(1)
    assert delivery.status == "sent"
    assert delivery.attempts > 1  # the second too, where the machine is busy
    release.set()


def test_slack_is_sent_five_at_once_and_then_one_a_second(bench: Bench, slack: SlackServer) -> None:
    bench.put(*(fresh(f"a{n}") for n in range(7)))
    bench.start(bench.stage([desk(slack)]))
    received = slack.wait(7)
    assert received[4].at - received[0].at < 0.9
    assert received[6].at - received[0].at >= 1.9


def test_one_recipient_of_two_refused_is_not_mailed_for(
    bench: Bench, mail_server: MailServer
) -> None:
    a, b = "a@desk.example", "b@desk.example"
    mail_server.answers[b] = "550 no such user"
    bench.put(fresh("a1"), fresh("a2"))
    bench.start(bench.stage([editors(mail_server, a, b)]))
    deliveries = bench.until_settled(2)
    assert [(d.status, d.done, d.refused) for d in deliveries] == [("sent", (a,), (b,))] * 2
    assert mail_server.to() == [[a], [a]]
    assert bench.letters() == []
    assert bench.metric("rasid_alerts_total", receiver="editors", outcome="refused") == 2


def test_one_recipient_of_two_deferred_gets_it_later_and_the_other_once(
    bench: Bench, mail_server: MailServer
) -> None:
    a, b = "a@desk.example", "b@desk.example"
    mail_server.answers[b] = "451 greylisted"
    bench.put(fresh("a1"))
    bench.start(bench.stage([editors(mail_server, a, b)]))
    mail_server.wait(1)
    mail_server.answers.clear()
    (delivery,) = bench.until_settled(1)
    assert (delivery.status, delivery.done) == ("sent", (a, b))
    assert mail_server.to() == [[a], [b]]


def test_what_is_hopeless_is_a_dead_letter_and_may_be_replayed(
    bench: Bench, slack: SlackServer
) -> None:
    slack.script.append(Answer(400, "invalid_blocks"))
    bench.put(fresh("a1"), fresh("a2"))
    bench.start(bench.stage([desk(slack)]))
    dead, sent = bench.until_settled(2)
    assert (dead.status, dead.reason, sent.status) == ("dead", "refused", "sent")
    (letter,) = bench.letters()
    assert (letter.stage, letter.cause, letter.key) == ("alert", "undeliverable", "desk")
    bench.append(letter.topic, letter.key, letter.value.encode())
    bench.until(lambda: [d.status for d in bench.deliveries()] == ["sent", "sent"])
    assert len(slack.taken) == 2


def test_the_ledger_read_twice_sends_once(bench: Bench, slack: SlackServer) -> None:
    bench.put(fresh("a1"))
    bench.start(bench.stage([desk(slack)]))
    bench.until_settled(1)
    (alert,) = bench.alerts()
    bench.append(ALERTS, alert.receiver, encode(alert))
    bench.until(lambda: bench.metric("rasid_records_in_total", stage="alert") == 3)
    assert [d.status for d in bench.deliveries()] == ["sent"]
    assert len(slack.received) == 1


def test_messages_for_a_receiver_that_was_removed_are_dead(
    bench: Bench, slack: SlackServer, mail_server: MailServer
) -> None:
    slack.script.extend(Answer(500, "") for _ in range(100))
    bench.put(fresh("a1"), fresh("a2"))
    stage = bench.stage([desk(slack)])
    bench.start(stage)
    slack.wait(1)
    stage.reload([editors(mail_server)], Route("editors"), 86_400)
    deliveries = bench.until_settled(2)
    assert [(d.status, d.reason) for d in deliveries] == [("dead", "unknown_receiver")] * 2
    assert "desk" in (deliveries[0].error or "")
    bench.put(fresh("a3"))
    mail_server.wait(1)
    assert len(bench.letters()) == 2


def test_a_reload_that_cannot_be_changes_nothing(bench: Bench, slack: SlackServer) -> None:
    stage = bench.stage([desk(slack)])
    with pytest.raises(ConfigError, match="webhook_url"):
        stage.reload([Receiver("desk", SlackOptions(token="xoxb-1"))], Route("desk"), 1)
    bench.start(stage)
    bench.put(fresh("a1"))
    bench.until_settled(1)
    assert len(slack.taken) == 1


def test_a_corrected_address_is_tried_at_once(bench: Bench, slack: SlackServer) -> None:
    slack.script.append(Answer(429, "", {"Retry-After": "600"}))
    bench.put(fresh("a1"))
    stage = bench.stage([desk(slack)])
    bench.start(stage)
    bench.until(lambda: [d.reason for d in bench.deliveries()] == ["rate_limited"])
    other = Receiver("desk", SlackOptions(webhook_url=slack.webhook_url + "?v=2"))
    stage.reload([other], Route("desk"), 86_400)
    slack.script.append(Answer(200, "ok"))
    bench.until_settled(1, 5)


def test_messages_too_old_to_matter_expire(
    bench: Bench, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.sender.EXPIRY_LEAST_S", 0.3)
    slack.script.append(Answer(429, "", {"Retry-After": "600"}))
    bench.put(fresh("a1", published=None), fresh("a2", published=None))
    bench.start(bench.stage([desk(slack)], max_age_s=0))
    deliveries = bench.until_settled(2)
    assert [d.status for d in deliveries] == ["expired", "expired"]
    assert bench.metric("rasid_alerts_total", receiver="desk", outcome="expired") == 2
    assert bench.letters() == []


def test_what_cannot_be_read_is_a_dead_letter_and_the_rest_goes_on(
    bench: Bench, slack: SlackServer
) -> None:
    bench.append(FLAGS, "x", b'{"v": 1, "no": "report"}')
    bench.append(ALERTS, "x", b"\xff")
    bench.put(fresh("a1"))
    bench.start(bench.stage([desk(slack)]))
    bench.until_settled(1)
    assert {(letter.topic, letter.cause) for letter in bench.letters()} == {
        (FLAGS, "malformed"),
        (ALERTS, "malformed"),
    }


def test_a_defect_in_a_channel_is_a_dead_letter_and_no_end(
    bench: Bench, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(alert: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("alerts.slack.message", broken)
    bench.put(fresh("a1"))
    bench.start(bench.stage([desk(slack)]))
    (delivery,) = bench.until_settled(1)
    assert (delivery.status, delivery.reason) == ("dead", "internal")


def test_the_terminal_shows_alerts_as_they_come(bench: Bench) -> None:
    out = io.StringIO()
    bench.put(fresh("a1"), fresh("a2"))
    bench.start(bench.stage([Receiver("here", TerminalOptions())], out=out))
    bench.until_settled(2)
    assert out.getvalue().index("a1\u2069") < out.getvalue().index("a2\u2069")
    assert "\x1b" not in out.getvalue()


def test_a_closed_terminal_waits_its_turn() -> None:
    from alerts.terminal import TerminalChannel
    from tests.fakes.alerts_bench import make_alert

    out = io.StringIO()
    out.close()
    with pytest.raises(SendError) as caught:
        TerminalChannel(out).send(Delivery(alert=make_alert(), updated=utc_now()))
    assert (caught.value.reason, caught.value.retryable) == ("unavailable", True)
    assert (
        TerminalChannel(io.StringIO()).send(Delivery(alert=make_alert(), updated=utc_now()))
        == Receipt()
    )
