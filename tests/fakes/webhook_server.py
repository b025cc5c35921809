"""A receiver of webhooks that checks signatures as the documentation says to."""

import hashlib
import hmac
import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "a shared secret of thirty-two letters"
TOLERANCE_S = 300


class WebhookServer:
    """Use as a context; `bodies` grows under `arrived`. `answers` are given first, a status and
    its headers each; a request whose signature is not good gets 401."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.arrived = threading.Condition()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers = server._judge(dict(self.headers), raw)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "WebhookServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/hooks/Zx81SecretPath"

    def wait(self, count: int, timeout_s: float = 10.0) -> list[dict[str, Any]]:
        """The bodies taken, once there are `count`."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.bodies) >= count, timeout_s), (
                f"{len(self.bodies)} of {count} arrived"
            )
            return list(self.bodies)

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
