"""Trying a receiver out, for a person who wants to know whether messages will get there."""

from datetime import datetime
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from alerts.answers import TIMEOUT_S, no_answer
from alerts.errors import SendError
from alerts.mail import EmailChannel
from alerts.receivers import (
    PushOptions,
    Receiver,
    SlackOptions,
    TerminalOptions,
    WebhookOptions,
)
from alerts.sender import channel_for
from alerts.slack import BotChannel
from streams.notices import operator_alert
from streams.records import Delivery

TEXT = "رسالة تجربة من راصد: وصلت. · A test message from Rasid: it has arrived."


def reach(receiver: Receiver) -> str:
    """Go as far as one can without sending anything; what that was, in words.

    Blocks for half a minute at most. Raises SendError, ConfigError."""
    channel = channel_for(receiver)
    match receiver.channel:
        case SlackOptions(webhook_url=str(url)):
            return _head("Slack", url)
        case SlackOptions():
            assert isinstance(channel, BotChannel)
            return f"Slack knows the token, as {channel.reach()}"
        case WebhookOptions(url=url):
            return _head("the webhook", url)
        case PushOptions():
            return "an address that Apprise knows; only --send-test tells more"
        case TerminalOptions():
            return "on standard output"
    assert isinstance(channel, EmailChannel)
    try:
        return channel.reach()
    finally:
        channel.idle()


def send_test(receiver: Receiver, now: datetime) -> None:
    """Send one message that says it is a test. Raises SendError, ConfigError."""
    channel = channel_for(receiver)
    alert = operator_alert("test/message", TEXT, since=now, receiver=receiver.name)
    try:
        receipt = channel.send(Delivery(alert=alert, updated=now))
    finally:
        channel.idle()
    if receipt.refused or receipt.waiting:
        raise SendError(receipt.error or "not taken by all", reason="refused")


def _head(who: str, url: str) -> str:
    """Whether the machine answers, encrypted if it should: any status will do."""
    parts = urlsplit(url)
    request = Request(f"{parts.scheme}://{parts.netloc}/", method="HEAD")  # noqa: S310 — http(s)
    try:
        build_opener().open(request, timeout=TIMEOUT_S).close()
    except HTTPError as error:
        if error.code == 407:
            raise SendError("the proxy asks for a user and a password", reason="auth") from None
    except Exception as error:
        raise no_answer(who, error) from None  # the cause may hold the address
    return "answers; only --send-test tells more"
