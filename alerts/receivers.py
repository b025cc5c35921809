"""Who gets messages, and over which channel: plain values, made from the configuration.

Secrets are plain strings here, kept out of every `repr`; `Receiver.secrets` lists them, so
that whatever a server says can be cleared of them before it is shown.
"""

import base64
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlsplit

from alerts.render import PLAIN, Manner

SLACK_API = "https://slack.com/api/"


@dataclass(frozen=True, slots=True)
class SlackOptions:
    """An incoming webhook (`webhook_url`), or a bot (`token` and `channel`)."""

    webhook_url: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    channel: str | None = None
    api_url: str = SLACK_API

    @property
    def pace_key(self) -> tuple[str, ...]:
        """Two receivers with one key write into one channel and share its pace."""
        if self.webhook_url:
            return ("webhook", self.webhook_url)
        return ("bot", self.api_url, self.token or "", self.channel or "")


@dataclass(frozen=True, slots=True)
class EmailOptions:
    """One mail to all of `to`, by the server at `host`."""

    sender: str
    to: tuple[str, ...]
    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Literal["starttls", "implicit", "none"] = "starttls"


@dataclass(frozen=True, slots=True)
class TerminalOptions:
    """Standard output."""


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """JSON posted to `url`, signed where there is a `secret`."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PushOptions:
    """An address as Apprise writes it, such as tgram://token/chat."""

    url: str = field(repr=False)


Channel = SlackOptions | EmailOptions | WebhookOptions | PushOptions | TerminalOptions


@dataclass(frozen=True, slots=True)
class Receiver:
    name: str
    channel: Channel
    manner: Manner = PLAIN

    @property
    def kind(self) -> str:
        match self.channel:
            case SlackOptions():
                return "slack"
            case EmailOptions():
                return "email"
            case WebhookOptions():
                return "webhook"
            case PushOptions():
                return "push"
            case TerminalOptions():
                return "terminal"

    @property
    def editable(self) -> bool:
        """Whether a message can be edited once it is sent."""
        return isinstance(self.channel, SlackOptions) and self.channel.token is not None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown, in every form it travels in; the longest first."""
        forms: set[str] = set()
        match self.channel:
            case WebhookOptions(url=url, secret=secret):
                forms |= _of_address(url) | {secret or ""}
            case PushOptions(url=url):
                forms |= _of_address(url)
            case SlackOptions(webhook_url=url, token=token):
                if url:
                    forms |= _of_address(url)
                if token:
                    forms |= {token}
            case EmailOptions(user=user, password=password) if password:
                login = f"\0{user or ''}\0{password}"
                forms |= {password, quote(password, safe="")}
                forms |= {
                    base64.b64encode(text.encode()).decode().rstrip("=")
                    for text in (password, login)
                }
        return tuple(sorted((form for form in forms if len(form) >= 4), key=len, reverse=True))


def _of_address(url: str) -> set[str]:
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    # T0…/B0…/x9…, not the words around them
    random = {piece for piece in path.split("/") if _random_looking(piece)}
    return {url, path, path.strip("/"), parts.password or "", *random}


def _random_looking(piece: str) -> bool:
    mixed = any(character.isdigit() or character.isupper() for character in piece)
    return len(piece) >= (8 if mixed else 16)


def redact(text: str, secrets: tuple[str, ...]) -> str:
    """`text` with every secret in it blotted out."""
    for secret in secrets:
        text = re.sub(re.escape(secret), "[secret]", text, flags=re.IGNORECASE)
    return text
