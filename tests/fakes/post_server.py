"""A server on loopback that things are posted to: what Slack's stand-in and the receiver of
webhooks share."""

import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeVar

T = TypeVar("T")


class PostServer:
    """Use as a context. A subclass says what `answer` does, and notifies `arrived`."""

    def __init__(self) -> None:
        self.arrived = threading.Condition()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server.answer(self, raw)

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that went away is part of the play."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler, raw: bytes) -> None:
        raise NotImplementedError

    def wait_for(self, things: Sequence[T], count: int, timeout_s: float) -> list[T]:
        """What has come, once there are `count`."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(things) >= count, timeout_s), (
                f"{len(things)} of {count} arrived"
            )
            return list(things)


def send(
    handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: str = ""
) -> None:
    data = body.encode()
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(data))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)
