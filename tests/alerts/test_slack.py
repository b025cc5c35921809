"""Slack's answers, from a server that speaks its API to slack_sdk, and what they mean."""

import socket
import threading
from typing import Any

import pytest

from alerts.channel import Channel
from alerts.errors import SendError
from alerts.receivers import Receiver, SlackOptions
from alerts.sender import channel_for
from streams.records import Delivery
from tests.fakes.alerts_bench import NOW, make_alert
from tests.fakes.slack_server import CHANNEL, TOKEN, Answer, SlackServer

DELIVERY = Delivery(alert=make_alert(), updated=NOW)


def webhook(server: SlackServer) -> Channel:
    return channel_for(Receiver("desk", SlackOptions(webhook_url=server.webhook_url)))


def bot(server: SlackServer, **changes: Any) -> Channel:
    options = {"token": TOKEN, "channel": CHANNEL, "api_url": server.api_url, **changes}
    return channel_for(Receiver("desk", SlackOptions(**options)))


def refused(channel: Channel) -> SendError:
    with pytest.raises(SendError) as caught:
        channel.send(DELIVERY)
    return caught.value


def test_a_webhook_takes_a_message(slack: SlackServer) -> None:
    assert webhook(slack).send(DELIVERY).reference is None
    (received,) = slack.taken
    assert received.body["blocks"][0]["type"] == "header"
    assert (received.body["parse"], received.body["link_names"]) == ("none", 0)


def test_a_bot_takes_a_message_and_tells_its_ts(slack: SlackServer) -> None:
    assert bot(slack).send(DELIVERY).reference == "C1/1700000000.000000"
    (received,) = slack.taken
    assert received.path == "/api/chat.postMessage"
    assert received.body["channel"] == CHANNEL
    assert (received.body["parse"], received.body["link_names"]) == ("none", False)


def test_an_api_url_needs_no_slash_at_its_end(slack: SlackServer) -> None:
    bot(slack, api_url=slack.api_url.rstrip("/")).send(DELIVERY)
    assert len(slack.taken) == 1


@pytest.mark.parametrize(
    ("answer", "reason", "retryable", "retry_after_s"),
    [
        (Answer(429, "rate_limited", {"Retry-After": "3"}), "rate_limited", True, 3.0),
        (Answer(429, "", {"retry-after": "0.5"}), "rate_limited", True, 0.5),
        (Answer(429, "", {"Retry-After": "soon"}), "rate_limited", True, None),
        (Answer(429, ""), "rate_limited", True, None),
        (Answer(500, "<html>oops</html>"), "unavailable", True, None),
        (Answer(503, "", {"Retry-After": "7"}), "unavailable", True, 7.0),
        (Answer(404, "no_service"), "not_found", False, None),
        (Answer(410, "channel_is_archived"), "not_found", False, None),
        (Answer(403, "invalid_token"), "auth", False, None),
        (Answer(403, "action_prohibited"), "refused", False, None),
        (Answer(400, "invalid_payload"), "refused", False, None),
        (Answer(drop=True), "unavailable", True, None),
    ],
)
def test_a_webhooks_answers_mean_what_slack_documents(
    slack: SlackServer, answer: Answer, reason: str, retryable: bool, retry_after_s: float | None
) -> None:
    slack.script.append(answer)
    error = refused(webhook(slack))
    assert (error.reason, error.retryable, error.retry_after_s) == (
        reason, retryable, retry_after_s,
    )  # fmt: skip
    assert len(slack.received) == 1  # slack_sdk did not try again by itself


@pytest.mark.parametrize(
    ("answer", "reason", "retryable", "retry_after_s"),
    [
        (Answer(429, "", {"Retry-After": "2"}), "rate_limited", True, 2.0),
        (Answer(body='{"ok": false, "error": "ratelimited"}'), "rate_limited", True, None),
        (Answer(500, "oops"), "unavailable", True, None),
        (Answer(body='{"ok": false, "error": "internal_error"}'), "unavailable", True, None),
        (Answer(body="<html>a proxy</html>"), "unavailable", True, None),
        (Answer(body='{"ok": false, "error": "invalid_auth"}'), "auth", False, None),
        (Answer(body='{"ok": false, "error": "not_in_channel"}'), "not_found", False, None),
        (Answer(body='{"ok": false, "error": "msg_too_long"}'), "refused", False, None),
        (Answer(drop=True), "unavailable", True, None),
    ],
)
def test_the_apis_answers_mean_what_slack_documents(
    slack: SlackServer, answer: Answer, reason: str, retryable: bool, retry_after_s: float | None
) -> None:
    slack.script.append(answer)
    error = refused(bot(slack))
    assert (error.reason, error.retryable, error.retry_after_s) == (
        reason, retryable, retry_after_s,
    )  # fmt: skip
    assert len(slack.received) == 1


def test_a_wrong_token_and_a_wrong_channel_are_named(slack: SlackServer) -> None:
    assert refused(bot(slack, token="xoxb-wrong")).reason == "auth"
    error = refused(bot(slack, channel="#nowhere"))
    assert error.reason == "not_found"
    assert "channel_not_found" in str(error)


def test_nobody_listening_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = SlackOptions(webhook_url=f"http://127.0.0.1:{port}/services/T/B/secretsecret")
    error = refused(channel_for(Receiver("desk", options)))
    assert (error.reason, error.retryable) == ("unavailable", True)
    assert "refused" in str(error)


def test_a_slow_server_is_given_up_in_time(
    slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.slack.TIMEOUT_S", 0.2)
    release = threading.Event()
    for channel in (webhook(slack), bot(slack)):
        slack.script.append(Answer(hold=release))
        error = refused(channel)
        assert (error.reason, error.retryable) == ("timeout", True)
    release.set()


def test_an_address_that_is_none_says_so_without_showing_it() -> None:
    error = refused(channel_for(Receiver("desk", SlackOptions(webhook_url="ftp://x/secretpath"))))
    assert (error.reason, error.retryable) == ("not_found", False)
    assert "secretpath" not in str(error)
