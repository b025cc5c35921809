"""The HTTP endpoint: /metrics, /healthz (alive), /readyz (able), /stories.atom, and the runbooks
that the board links to, in a thread of its own."""

import asyncio
import errno
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from rasid.exposition import Exposition
from streams.errors import ConfigError, LogError

Readiness = Callable[[], Mapping[str, str]]
"""What is not able to work and why, by name; empty when all is well."""

Feed = Callable[[], bytes]
"""Stories as an Atom feed; may block, and raise LogError."""

RUNBOOKS = Path(__file__).parents[1] / "docs" / "runbooks"

_INDEX = """<!doctype html><title>Rasid</title><h1>Rasid</h1>
<p><a href="/metrics">metrics</a> · <a href="/healthz">alive?</a> · <a href="/readyz">able?</a>
· <a href="/stories.atom">stories</a> · <a href="/runbooks">runbooks</a>"""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; ConfigError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        why = (
            "another program listens there; choose another port, or stop it"
            if error.errno == errno.EADDRINUSE
            else str(error.strerror or error)
        )
        raise ConfigError(f"serve: {host}:{port} cannot be used: {why}") from error
    return listening


class Endpoint:
    """Serves until closed. `listening` comes from `bind`."""

    def __init__(
        self,
        listening: socket.socket,
        metrics: Exposition,
        readiness: Readiness,
        stories: Feed | None = None,
    ) -> None:
        self._stories = stories
        self._more: list[web.RouteDef] = []
        self._socket = listening
        self._exposition = metrics
        self._readiness = readiness
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="serve", daemon=True)
        self._closing = asyncio.Event()
        self._closed = threading.Event()

    @property
    def address(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def add(self, routes: Iterable[web.RouteDef]) -> None:
        """Serve these too; before `start`."""
        self._more += routes

    def start(self) -> None:
        self._thread.start()
        threading.Thread(
            target=self._exposition.keep, args=(self._closed,), name="metrics", daemon=True
        ).start()

    def close(self, timeout_s: float) -> bool:
        """Stop answering; False when that took longer than `timeout_s`. May be repeated."""
        self._closed.set()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._index)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._alive)
        app.router.add_get("/readyz", self._able)
        app.router.add_get("/stories.atom", self._atom)
        app.router.add_get("/runbooks", self._runbooks)
        app.router.add_get("/runbooks/{name:[a-z-]+}", self._runbook)
        app.router.add_routes(self._more)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        await self._closing.wait()
        await runner.cleanup()

    async def _index(self, request: web.Request) -> web.Response:
        return web.Response(text=_INDEX, content_type="text/html")

    async def _runbooks(self, request: web.Request) -> web.Response:
        names = sorted(path.stem for path in RUNBOOKS.glob("*.md"))
        links = "".join(f'<li><a href="/runbooks/{name}">{name}</a>' for name in names)
        page = f"<!doctype html><title>Runbooks</title><h1>Runbooks</h1><ul>{links}</ul>"
        return web.Response(text=page, content_type="text/html")

    async def _runbook(self, request: web.Request) -> web.Response:
        path = RUNBOOKS / f"{request.match_info['name']}.md"
        if not path.is_file():
            raise web.HTTPNotFound
        return web.Response(text=path.read_text(encoding="utf-8"))

    async def _atom(self, request: web.Request) -> web.Response:
        if self._stories is None:
            raise web.HTTPNotFound
        try:
            feed = await asyncio.to_thread(self._stories)
        except LogError as error:
            raise web.HTTPServiceUnavailable(text=f"{error}\n") from error
        return web.Response(body=feed, headers={"Content-Type": "application/atom+xml"})

    async def _metrics(self, request: web.Request) -> web.Response:
        text = self._exposition.at_hand()
        if text is None:
            # In another thread: a tenth of a second with thousands of feeds, and /healthz waits
            # for none of it.
            text = await asyncio.to_thread(self._exposition.render)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _alive(self, request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _able(self, request: web.Request) -> web.Response:
        unable = self._readiness()
        text = "".join(f"{name}: {why}\n" for name, why in unable.items())
        return web.Response(text=text or "ready\n", status=503 if unable else 200)
