"""Slack, by slack_sdk: incoming webhooks, or chat.postMessage with a bot's token.

Nothing from outside stands in a text that Slack parses: headlines, quotes and names are
`plain_text`, which has no markup, links or mentions; they are escaped all the same, as
https://docs.slack.dev/messaging/formatting-message-text asks of every text. `mrkdwn` holds
only our own labels and the article's address.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient

from alerts.answers import TIMEOUT_S, no_answer, retry_after_s
from alerts.channel import Receipt
from alerts.errors import SendError
from alerts.render import PLAIN, Item, Manner, Message, message
from alerts.sanitize import ELLIPSIS, clean, cut, isolate, safe_href
from streams.records import Delivery

log = structlog.get_logger(__name__)

# https://docs.slack.dev/reference/block-kit/blocks
HEADER_LIMIT: Final = 150
TEXT_LIMIT: Final = 3000
BLOCKS_LIMIT: Final = 50

_RETRYABLE: Final = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "accesslimited"}
)
_AUTH: Final = frozenset(
    {
        "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired",
        "no_permission", "missing_scope", "not_allowed_token_type", "org_login_required",
        "ekm_access_denied", "access_denied", "invalid_token",
    }
)  # fmt: skip
_NOT_FOUND: Final = frozenset(
    {"channel_not_found", "is_archived", "channel_is_archived", "not_in_channel", "no_service",
     "no_team", "team_disabled"}
)  # fmt: skip

# slack_sdk writes whole requests, with their address, to its log at DEBUG: it gets a mute one.
_mute = logging.getLogger("alerts.slack.sdk")
_mute.setLevel(logging.CRITICAL + 1)
_mute.propagate = False


class WebhookChannel:
    def __init__(self, webhook_url: str, manner: Manner = PLAIN) -> None:
        self._manner = manner
        self._client = WebhookClient(
            webhook_url, timeout=TIMEOUT_S, logger=_mute, retry_handlers=[]
        )

    def send(self, delivery: Delivery) -> Receipt:
        body = {**payload(message(delivery.alert, self._manner)), "parse": "none", "link_names": 0}
        try:
            answer = self._client.send_dict(body)
        except Exception as error:
            raise _no_answer(error) from None  # the cause may hold the address
        if not 200 <= answer.status_code < 300:
            raise _refusal(answer.status_code, str(answer.body or ""), answer.headers)
        return Receipt()

    def idle(self) -> None:
        """Each request has its own connection."""


class BotChannel:
    def __init__(self, token: str, channel: str, api_url: str, manner: Manner = PLAIN) -> None:
        self._manner = manner
        self._channel = channel
        self._client = WebClient(
            token=token,
            base_url=api_url.rstrip("/") + "/",
            timeout=TIMEOUT_S,
            logger=_mute,
            retry_handlers=[],
        )

    def send(self, delivery: Delivery) -> Receipt:
        """Changes of a story go into the thread of its first message; an edit takes that
        message's place, under the address it has."""
        first = delivery.thread_reference
        body: dict[str, Any] = {
            "parse": "none",
            "link_names": False,
            **payload(message(delivery.alert, self._manner)),
        }
        try:
            if delivery.edits and first:
                channel, _, ts = first.rpartition("/")
                answer = self._client.chat_update(channel=channel or self._channel, ts=ts, **body)
            else:
                answer = self._client.chat_postMessage(
                    channel=self._channel,
                    thread_ts=first.rpartition("/")[2] if first else None,
                    **body,
                )
        except SlackApiError as error:
            raise _refused(error) from None
        except Exception as error:
            raise _no_answer(error) from None
        # chat.update takes a channel's id only, which the answer tells: C024BE91L/1503435956.000247
        posted, where = answer.get("ts"), answer.get("channel")
        if not posted or not where:
            return Receipt(reference=posted)
        opens = delivery.alert.story_id and not first
        link = self._permalink(where, posted) if opens else None
        return Receipt(reference=f"{where}/{posted}", link=link)

    def _permalink(self, channel: str, ts: str) -> str | None:
        """Where the message is. It is posted: not to be told its address is no failure."""
        try:
            told = self._client.chat_getPermalink(channel=channel, message_ts=ts)
        except Exception as error:
            log.warning("slack_permalink_not_told", error=type(error).__name__)
            return None
        return safe_href(str(told.get("permalink") or ""))

    def reach(self) -> str:
        """Who Slack says the token belongs to; sends nothing. Raises SendError."""
        try:
            return clean(str(self._client.auth_test().get("user")), 60)
        except SlackApiError as error:
            raise _refused(error) from None
        except Exception as error:
            raise _no_answer(error) from None

    def idle(self) -> None:
        """Each request has its own connection."""


def payload(shown: Message) -> dict[str, Any]:
    """The message in Block Kit, with a text to fall back on where blocks are not shown."""
    if shown.entries:
        return _digest(shown)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(isolate(shown.headline), HEADER_LIMIT)},
        _section("\n".join(_bold(summary) for summary in shown.summaries)),
    ]
    if shown.news:
        blocks.append(
            {"type": "section", "text": _plain("\n".join(map(isolate, shown.news)), TEXT_LIMIT)}
        )
    for item in shown.items:
        evidence = _evidence(item, shown)
        if evidence:
            blocks.append({"type": "section", "text": _plain(evidence, TEXT_LIMIT)})
    if shown.more:
        blocks.append(_section(f"+{shown.more}"))
    if shown.href:
        read = shown.say("اقرأ الخبر", "Read the article")
        blocks.append(_section(f"<{escape(shown.href)}|{read}>"))
    elif shown.address:
        plain = _plain(isolate(shown.address), TEXT_LIMIT)
        blocks.append({"type": "section", "text": plain})
    if shown.outlets:
        told = f"{shown.say('رواه', 'Told by')}: {shown.outlets}"
        blocks.append({"type": "context", "elements": [_plain(told, TEXT_LIMIT)]})
    dated = shown.dated
    if shown.published:
        dated = f"{shown.say('نشر', 'published')} {shown.published}"
    score = f"{shown.score}%" if shown.items else ""
    foot = " · ".join(filter(None, (isolate(shown.source), dated, score, shown.id)))
    blocks.append({"type": "context", "elements": [_plain(foot, TEXT_LIMIT)]})
    return _body(f"{shown.summary}\n{isolate(shown.headline)}", blocks)


def _digest(shown: Message) -> dict[str, Any]:
    """Two blocks a line: what and who says so; a link."""
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(shown.summary, HEADER_LIMIT)}]
    for entry in shown.entries:
        parts = (isolate(entry.source), entry.tellers, entry.why, entry.id)
        about = " · ".join(part for part in parts if part)
        told = [entry.summary, isolate(entry.headline), about]
        text = "\n".join(part for part in told if part)
        blocks.append({"type": "section", "text": _plain(text, TEXT_LIMIT)})
        if entry.href:
            read = shown.say("اقرأ الخبر", "Read the article")
            link = {"type": "mrkdwn", "text": f"<{escape(entry.href)}|{read}>", "verbatim": True}
            blocks.append({"type": "context", "elements": [link]})
    if shown.more:
        blocks.append(_section(f"+{shown.more}"))
    return _body(shown.summary, blocks)


def _body(text: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "text": _fit(text, TEXT_LIMIT),
        "blocks": blocks[:BLOCKS_LIMIT],
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def escape(text: str) -> str:
    """The three characters Slack gives a meaning to, as entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _evidence(item: Item, shown: Message) -> str:
    lines = []
    if len(shown.items) > 1:
        lines.append(item.what)
    if item.quote and item.quote != shown.headline:
        lines.append(isolate(f"«{item.quote}»"))
    details = [isolate(item.speaker), item.places, item.quantities]
    if any(details):
        lines.append(" · ".join(part for part in details if part))
    if item.when:
        lines.append(f"{shown.say('وقت وقوعه كما رُوي', 'Happened, as told')}: {item.when}")
    return "\n".join(lines)


def _bold(text: str) -> str:
    # Our own labels; a theme of a user's rules could still hold a mark of Slack's.
    return f"*{escape(isolate(text.translate(_no_marks)))}*"


_no_marks = str.maketrans("*_~`", "    ")


def _section(mrkdwn: str) -> dict[str, Any]:
    assert len(mrkdwn) <= TEXT_LIMIT, "our own labels and a bounded address"
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}}


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _fit(text, limit), "emoji": False}


def _fit(text: str, limit: int) -> str:
    """`text` escaped, in at most `limit` characters as Slack may count them (UTF-16)."""
    closing = text[-1:] if text.endswith("\u2069") else ""
    room = limit
    while True:
        shorter = cut(text, room)
        if closing and not shorter.endswith(closing):
            shorter = cut(text, room - 1).removesuffix(ELLIPSIS) + ELLIPSIS + closing
        escaped = escape(shorter)
        size = len(escaped.encode("utf-16-le")) // 2
        if size <= limit:
            return escaped
        room -= max(1, (size - limit) // 5)


def _no_answer(error: Exception) -> SendError:
    if isinstance(error, SlackClientError):
        return SendError("the address of Slack cannot be used", reason="not_found")
    return no_answer("Slack", error)


def _refused(error: SlackApiError) -> SendError:
    answer = error.response
    said = answer.get("error") if isinstance(answer.data, dict) else None
    return _refusal(answer.status_code, str(said or ""), answer.headers)


def _refusal(status: int, said: str, headers: Mapping[str, Any]) -> SendError:
    """What an answer that is not a yes means. A body is Slack's own error word, or a page of
    something that stands before it: only a word is shown."""
    word = clean(said, 60)
    known = word if word.replace("_", "").isalnum() and " " not in word else ""
    shown = f"Slack answered {status}" + (f" {known}" if known else "")
    if status == 429 or known in ("ratelimited", "rate_limited", "message_limit_exceeded"):
        return SendError(
            shown, reason="rate_limited", retryable=True, retry_after_s=retry_after_s(headers)
        )
    if status >= 500 or status == 408 or known in _RETRYABLE:
        return SendError(
            shown, reason="unavailable", retryable=True, retry_after_s=retry_after_s(headers)
        )
    if known in _AUTH or status == 401:
        return SendError(f"{shown}: check the token", reason="auth")
    if known in _NOT_FOUND or status in (404, 410):
        return SendError(
            f"{shown}: check the webhook, or invite the bot to the channel", reason="not_found"
        )
    if status == 200 and not known:  # some proxy's page in place of an answer
        return SendError("Slack's answer was not readable", reason="unavailable", retryable=True)
    return SendError(shown, reason="refused")
