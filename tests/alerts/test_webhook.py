"""Webhooks are signed, say what they hold, and tell failures apart; Apprise does not."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.deliveries import UNKNOWN_TRIES, conclude
from alerts.errors import SendError
from alerts.push import PushChannel
from alerts.receivers import PushOptions, Receiver, WebhookOptions
from alerts.render import PLAIN, Manner
from alerts.webhook import HttpChannel, WebhookBody, body, schema
from streams.errors import ConfigError
from streams.records import Delivery
from tests.fakes.alerts_bench import NOW, Bench, make_alert, make_report, utc_now
from tests.fakes.webhook_server import SECRET, WebhookServer


@pytest.fixture
def hooks() -> Iterator[WebhookServer]:
    with WebhookServer() as server:
        yield server


def delivery(**changes: Any) -> Delivery:
    return Delivery(alert=make_alert(**changes), updated=NOW)


def test_a_message_is_signed_and_says_what_it_holds(bench: Bench, hooks: WebhookServer) -> None:
    bench.put(make_report("a1", seen=utc_now()))
    bench.start(bench.stage([Receiver("desk", WebhookOptions(hooks.url, SECRET))]))
    (taken,) = hooks.wait(1)
    bench.until_settled(1)
    (alert,) = bench.alerts()
    assert msgspec.convert(taken, WebhookBody) == body(alert, PLAIN)
    assert (taken["id"], taken["kind"], taken["version"]) == (alert.id, "opened", 1)
    assert taken["article"]["url"] == "https://news.example/a1"
    assert taken["stories"][0]["states"][0]["development"] == "attacked"
    assert taken["flags"][0]["spans"] == []


def test_the_documented_schema_has_not_drifted() -> None:
    path = Path(__file__).parents[2] / "docs" / "webhook.schema.json"
    assert path.read_text("utf-8") == schema(), "write alerts.webhook.schema() to it"


def test_another_secret_or_an_old_timestamp_is_refused(hooks: WebhookServer) -> None:
    for channel in (
        HttpChannel(hooks.url, "another", PLAIN),
        HttpChannel(hooks.url, None, PLAIN),
        HttpChannel(hooks.url, SECRET, PLAIN, now=lambda: time.time() - 3600),
    ):
        with pytest.raises(SendError) as caught:
            channel.send(delivery())
        assert caught.value.reason == "auth"
    assert hooks.bodies == []


@pytest.mark.parametrize(
    ("status", "headers", "reason", "retryable", "retry_after_s"),
    [
        (429, {"Retry-After": "7"}, "rate_limited", True, 7.0),
        (503, {}, "unavailable", True, None),
        (408, {}, "unavailable", True, None),
        (403, {}, "auth", False, None),
        (410, {}, "not_found", False, None),
        (422, {}, "refused", False, None),
        (302, {"Location": "http://elsewhere.example/"}, "refused", False, None),
    ],
)
def test_answers_are_told_apart_and_no_redirect_is_followed(
    hooks: WebhookServer,
    status: int,
    headers: dict[str, str],
    reason: str,
    retryable: bool,
    retry_after_s: float | None,
) -> None:
    hooks.answers.append((status, headers))
    with pytest.raises(SendError) as caught:
        HttpChannel(hooks.url, SECRET, PLAIN).send(delivery())
    error = caught.value
    assert (error.reason, error.retryable, error.retry_after_s) == (
        reason, retryable, retry_after_s,
    )  # fmt: skip


def test_a_link_that_is_none_is_left_out() -> None:
    assert body(make_alert(url="javascript:alert(1)"), PLAIN).article is not None
    made = body(make_alert(url="javascript:alert(1)"), Manner(("en",)))
    assert made.article is not None
    assert made.article.url is None
    assert "javascript" not in msgspec.json.encode(made).decode()


def test_neither_address_nor_secret_is_in_a_repr(hooks: WebhookServer) -> None:
    receiver = Receiver("desk", WebhookOptions(hooks.url, SECRET))
    assert "SecretPath" not in repr(receiver)
    assert SECRET not in repr(receiver)
    assert {hooks.url, SECRET, "Zx81SecretPath"} <= set(receiver.secrets)


def test_apprise_delivers_to_a_service_of_its_own(hooks: WebhookServer) -> None:
    hooks.answers.append((200, {}))
    address = hooks.url.replace("http://", "json://")
    PushChannel("desk", address, PLAIN).send(delivery())
    assert not hooks.answers


def test_what_apprise_could_not_send_is_tried_for_a_while_and_then_dead(
    hooks: WebhookServer,
) -> None:
    hooks.answers.append((500, {}))
    channel = PushChannel("desk", hooks.url.replace("http://", "json://"), PLAIN)
    with pytest.raises(SendError) as caught:
        channel.send(delivery())
    pending = delivery()
    for tries in range(1, UNKNOWN_TRIES + 1):
        concluded = conclude(pending, caught.value, NOW)
        assert concluded.outcome == ("dead" if tries == UNKNOWN_TRIES else "retried")
        pending = concluded.delivery
    assert (pending.reason, pending.status) == ("unknown", "dead")


def test_an_address_that_apprise_does_not_know_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="receiver desk"):
        PushChannel("desk", "nonsense://x", PLAIN)
    assert "nonsense" not in repr(Receiver("desk", PushOptions("nonsense://x")))
