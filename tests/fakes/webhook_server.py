"""A receiver of webhooks that checks signatures as the documentation says to."""

import hashlib
import hmac
import json
import time
from collections import deque
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.post_server import PostServer, send

SECRET = "a shared secret of thirty-two letters"
TOLERANCE_S = 300


class WebhookServer(PostServer):
    """`bodies` grows under `arrived`. `answers` are given first, a status and its headers each; a
    request whose signature is not good gets 401."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[dict[str, Any]] = []
        self.answers: deque[tuple[int, dict[str, str]]] = deque()

    @property
    def url(self) -> str:
        return f"{self.base}/hooks/Zx81SecretPath"

    def wait(self, count: int, timeout_s: float = 10.0) -> list[dict[str, Any]]:
        """The bodies taken, once there are `count`."""
        return self.wait_for(self.bodies, count, timeout_s)

    def answer(self, handler: BaseHTTPRequestHandler, raw: bytes) -> None:
        status, headers = self._judge(dict(handler.headers), raw)
        send(handler, status, headers)

    def _judge(self, headers: dict[str, str], raw: bytes) -> tuple[int, dict[str, str]]:
        if self.answers:
            return self.answers.popleft()
        stamp = headers.get("X-Rasid-Timestamp", "0")
        wanted = hmac.new(SECRET.encode(), stamp.encode() + b"." + raw, hashlib.sha256)
        good = hmac.compare_digest(f"v1={wanted.hexdigest()}", headers.get("X-Rasid-Signature", ""))
        if not good or abs(time.time() - int(stamp)) > TOLERANCE_S:
            return 401, {}
        with self.arrived:
            self.bodies.append(json.loads(raw))
            self.arrived.notify_all()
        return 204, {}
