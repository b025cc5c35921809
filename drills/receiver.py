"""A receiver of webhooks that counts, and has moods."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

WELL: Final = "well"  # takes what comes
BUSY: Final = "busy"  # 429, and a Retry-After
MUTE: Final = "mute"  # accepts the connection and never answers
GONE: Final = "gone"  # refuses the connection


@dataclass(frozen=True)
class Asked:
    """One request: when (time.monotonic), in which mood it was met, for which alert."""

    at: float
    mood: str
    alert: str


@dataclass
class Receiver:
    """On a port of loopback that stays the same. Use as a context."""

    retry_after_s: int = 2
    asked: list[Asked] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)  # ids of alerts, as they came
    mood: str = WELL
    port: int = 0
    _server: ThreadingHTTPServer | None = None
    _moved: threading.Event = field(default_factory=threading.Event)  # a mood ended

    def __enter__(self) -> "Receiver":
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._moved.set()
        self._shut()

    def turn(self, mood: str) -> None:
        """Those who wait for an answer of the mood before lose their connection."""
        before, self.mood = self.mood, mood
        self._moved.set()
        self._moved = threading.Event()
        if mood == GONE:
            self._shut()
        elif before == GONE:
            self._listen()

    def _listen(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = receiver._meet(body["id"])
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                if status == 429:
                    self.send_header("Retry-After", str(receiver.retry_after_s))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _shut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _meet(self, alert: str) -> int | None:
        mood, moved = self.mood, self._moved
        self.asked.append(Asked(time.monotonic(), mood, alert))
        if mood == BUSY:
            return 429
        if mood == MUTE:
            moved.wait()
            return None
        self.taken.append(alert)
        return 204
