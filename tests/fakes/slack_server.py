"""A stand-in that speaks Slack to slack_sdk: incoming webhooks, chat.postMessage and
chat.update; `messages` holds what the channel shows, by ts.

It takes what Slack takes and refuses what Slack documents to refuse: a text over 3,000
characters, more than 50 blocks, a header over 150, an unknown token or channel. Answers
can be scripted: each request takes the next of `script`, and when that is empty the usual.
"""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.post_server import PostServer, send

WEBHOOK_PATH = "/services/T0SECRET/B0SECRET/xYzWebhookSecret"
TOKEN = "xoxb-1234-verysecrettoken"
CHANNEL = "#desk"
CHANNEL_ID = "C1"


@dataclass
class Answer:
    """One answer in place of the usual one. `hold`: answer only once it is set; `drop`: close
    the connection instead."""

    status: int = 200
    body: str = '{"ok": true}'
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None
    drop: bool = False


@dataclass
class Received:
    at: float  # time.monotonic
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    taken: bool


class SlackServer(PostServer):
    """`received` grows under `arrived`."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Received] = []
        self.messages: dict[str, dict[str, Any]] = {}
        self.away = False  # answers 503 to everything
        self.permalinks = True  # tells where a message is
        self.script: deque[Answer] = deque()

    @property
    def webhook_url(self) -> str:
        return self.base + WEBHOOK_PATH

    @property
    def api_url(self) -> str:
        return self.base + "/api/"

    @property
    def taken(self) -> list[Received]:
        return [each for each in self.received if each.taken]

    def wait(self, count: int, timeout_s: float = 10.0) -> list[Received]:
        """The requests received, once there are `count`."""
        return self.wait_for(self.received, count, timeout_s)

    def _permalink(self, handler: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
        """Not one of the requests received: it posts nothing."""
        ts = asked.get("message_ts", "")
        link = f"https://desk.slack.example/archives/{asked.get('channel')}/p{ts.replace('.', '')}"
        known = self.permalinks and ts in self.messages
        said = {"ok": True, "permalink": link} if known else {"ok": False, "error": "not_found"}
        send(handler, 200, {}, json.dumps(said))

    def answer(self, handler: BaseHTTPRequestHandler, raw: bytes) -> None:
        if handler.path == "/api/chat.getPermalink":
            self._permalink(handler, dict(parse_qsl(raw.decode())))
            return
        body = json.loads(raw or b"{}")
        answer = self.script.popleft() if self.script else self._usual(handler, body)
        with self.arrived:
            good = answer.status == 200 and '"ok": false' not in answer.body and not answer.drop
            self.received.append(
                Received(time.monotonic(), handler.path, dict(handler.headers), body, good)
            )
            self.arrived.notify_all()
        if answer.hold is not None:
            answer.hold.wait(30)
        if answer.drop:
            handler.close_connection = True
            handler.connection.close()
            return
        send(handler, answer.status, answer.headers, answer.body)

    def _usual(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> Answer:
        if self.away:
            return Answer(503, "service_unavailable")
        if handler.path == "/api/auth.test":
            is_known = handler.headers.get("Authorization") == f"Bearer {TOKEN}"
            return Answer(
                body='{"ok": true, "user": "rasid"}'
                if is_known
                else '{"ok": false, "error": "invalid_auth"}'
            )
        problem = payload_problem(body)
        if handler.path == WEBHOOK_PATH:
            return Answer(400, problem) if problem else Answer(200, "ok")
        if handler.path in ("/api/chat.postMessage", "/api/chat.update"):
            update = handler.path.endswith("update")
            if handler.headers.get("Authorization") != f"Bearer {TOKEN}":
                return Answer(body='{"ok": false, "error": "invalid_auth"}')
            # An update takes the channel's id, not its name.
            if body.get("channel") != (CHANNEL_ID if update else CHANNEL):
                return Answer(body='{"ok": false, "error": "channel_not_found"}')
            if problem:
                return Answer(body=json.dumps({"ok": False, "error": problem}))
            ts = f"1700000000.{len(self.received):06d}"
            if update:
                ts = str(body.get("ts"))
                if ts not in self.messages:
                    return Answer(body='{"ok": false, "error": "message_not_found"}')
            if "thread_ts" in body and body["thread_ts"] not in self.messages:
                return Answer(body='{"ok": false, "error": "thread_not_found"}')
            self.messages[ts] = body
            return Answer(body=json.dumps({"ok": True, "channel": CHANNEL_ID, "ts": ts}))
        return Answer(404, "no_service")


def payload_problem(body: dict[str, Any]) -> str | None:
    """What Slack would not take, by its documented limits."""
    blocks = body.get("blocks", [])
    if not body.get("text") and not blocks:
        return "no_text"
    if len(blocks) > 50 or len(body.get("text", "")) > 40_000:
        return "invalid_blocks"
    for block in blocks:
        texts = [block["text"]] if "text" in block else block.get("elements", [])
        limit = 150 if block["type"] == "header" else 3000
        for text in texts:
            if text["type"] not in ("plain_text", "mrkdwn"):
                return "invalid_blocks"
            if block["type"] == "header" and text["type"] != "plain_text":
                return "invalid_blocks"
            if not 1 <= len(text["text"]) <= limit:
                return "invalid_blocks"
            if text["type"] == "mrkdwn" and "emoji" in text:
                return "invalid_blocks"
    return None
