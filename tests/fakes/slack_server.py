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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

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


class SlackServer:
    """Use as a context; `received` grows under `arrived`."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.messages: dict[str, dict[str, Any]] = {}
        self.away = False  # answers 503 to everything
        self.permalinks = True  # tells where a message is
        self.script: deque[Answer] = deque()
        self.arrived = threading.Condition()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/api/chat.getPermalink":
                    server._permalink(self, dict(parse_qsl(raw.decode())))
                else:
                    server._answer(self, raw)

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that went away is part of the play."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "SlackServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

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
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.received) >= count, timeout_s), (
                f"{len(self.received)} of {count} requests arrived"
            )
            return list(self.received)

    def _permalink(self, handler: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
        """Not one of the requests received: it posts nothing."""
        ts = asked.get("message_ts", "")
        link = f"https://desk.slack.example/archives/{asked.get('channel')}/p{ts.replace('.', '')}"
        known = self.permalinks and ts in self.messages
        said = {"ok": True, "permalink": link} if known else {"ok": False, "error": "not_found"}
        _send(handler, 200, {}, json.dumps(said))

    def _answer(self, handler: BaseHTTPRequestHandler, raw: bytes) -> None:
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
        _send(handler, answer.status, answer.headers, answer.body)

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


def _send(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: str) -> None:
    data = body.encode()
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


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
