"""A generic webhook: one JSON document a message, signed. docs/alerts.md describes it.

X-Rasid-Timestamp: seconds since 1970, when it was sent
X-Rasid-Signature: v1= and the HMAC-SHA256 of `timestamp.body` under the receiver's secret
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import msgspec

from alerts.answers import TIMEOUT_S, is_here, no_answer, retry_after_s
from alerts.channel import Receipt
from alerts.errors import SendError
from alerts.render import Manner, message
from alerts.sanitize import clean, safe_href
from streams.records import Alert, Delivery, Flag, Line, StoryPart

VERSION: Final = 1
TITLE: Final = 500
TEXT: Final = 2000


class WebhookArticle(msgspec.Struct, frozen=True, kw_only=True):
    """The article that brought the message about. `url` only where it is plain http or https."""

    id: str
    revision: int
    url: str | None
    title: str
    source: str
    source_name: str
    language: str
    published: str | None
    seen: str


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted. Fields are only ever added; `version` counts changes of meaning."""

    version: int = VERSION
    id: str  # the same for a repeat of the same message
    kind: str  # opened, changed, confirmed, corrected, digest, operator
    receiver: str
    created: str
    thread: str | None  # id of the first message on the story
    summary: str  # in the receiver's languages
    news: tuple[str, ...]
    article: WebhookArticle | None
    stories: tuple[StoryPart, ...]
    flags: tuple[Flag, ...]
    lines: tuple[Line, ...]  # of a digest


class HttpChannel:
    def __init__(
        self,
        url: str,
        secret: str | None,
        manner: Manner,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._secret = secret
        self._manner = manner
        self._now = now
        direct = [ProxyHandler({})] if is_here(urlsplit(url).hostname or "") else []
        self._opener = build_opener(_NoRedirect, *direct)

    def send(self, delivery: Delivery) -> Receipt:
        data = msgspec.json.encode(body(delivery.alert, self._manner))
        headers = {"Content-Type": "application/json", "User-Agent": "Rasid"}
        if self._secret:
            stamp = str(int(self._now()))
            headers["X-Rasid-Timestamp"] = stamp
            headers["X-Rasid-Signature"] = signature(self._secret, stamp, data)
        try:
            request = Request(self._url, data, headers, method="POST")  # noqa: S310 — http(s) only
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                answer.read(1024)
        except HTTPError as error:
            raise _refusal(error) from None
        except Exception as error:
            raise no_answer("the webhook", error) from None  # the cause may hold the address
        return Receipt()

    def idle(self) -> None:
        """Each request has its own connection."""


def body(alert: Alert, manner: Manner) -> WebhookBody:
    """What `alert` says, as data."""
    shown = message(alert, manner)
    article = None
    if alert.article_id:
        article = WebhookArticle(
            id=alert.article_id,
            revision=alert.revision,
            url=safe_href(alert.url),
            title=clean(alert.title, TITLE),
            source=alert.source,
            source_name=clean(alert.source_name, TITLE),
            language=alert.language,
            published=alert.published.isoformat() if alert.published else None,
            seen=alert.seen.isoformat(),
        )
    made = WebhookBody(
        id=alert.id,
        kind=alert.kind,
        receiver=alert.receiver,
        created=alert.created.isoformat(),
        thread=alert.thread,
        summary=" · ".join(shown.summaries)
        if alert.kind != "operator"
        else clean(alert.title, 500),
        news=shown.news,
        article=article,
        stories=alert.stories,
        flags=tuple(msgspec.structs.replace(flag, spans=()) for flag in alert.flags),
        lines=tuple(msgspec.structs.replace(e, url=safe_href(e.url) or "") for e in alert.lines),
    )
    return msgspec.convert(_cleaned(msgspec.to_builtins(made)), WebhookBody)


def _cleaned(value: Any, key: str = "") -> Any:
    """Every text without control characters, bidi controls and halves of characters, and not
    endless. An address is plain already, and would break when cut."""
    match value:
        case str() if key != "url":
            return clean(value, TEXT)
        case dict():
            return {name: _cleaned(each, name) for name, each in value.items()}
        case list() | tuple():
            return [_cleaned(each) for each in value]
    return value


def signature(secret: str, timestamp: str, data: bytes) -> str:
    """To be compared in constant time by whoever receives it, with a timestamp not too old."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + data, hashlib.sha256)
    return f"v1={signed.hexdigest()}"


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is an answer like any other: what was signed for one place goes to no other."""

    def redirect_request(self, *_: object) -> None:
        return None


def _refusal(error: HTTPError) -> SendError:
    shown = f"the webhook answered {error.code}"
    wait_s = retry_after_s(dict(error.headers.items()))
    if error.code == 429:
        return SendError(shown, reason="rate_limited", retryable=True, retry_after_s=wait_s)
    if error.code >= 500 or error.code in (408, 425):
        return SendError(shown, reason="unavailable", retryable=True, retry_after_s=wait_s)
    if error.code in (401, 403):
        return SendError(f"{shown}: check its secret", reason="auth")
    if error.code in (404, 410):
        return SendError(f"{shown}: check its url", reason="not_found")
    return SendError(shown, reason="refused")


def schema() -> str:
    """docs/webhook.schema.json."""
    described = msgspec.json.schema(WebhookBody)
    return msgspec.json.format(msgspec.json.encode(described), indent=2).decode() + "\n"
