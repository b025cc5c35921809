"""An HTTP server on loopback that answers as told, misbehaves as told, and remembers what it
was asked."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = web.Response | Handler


@dataclass(frozen=True, slots=True)
class Asked:
    path: str
    headers: dict[str, str]
    at: float  # the server loop's clock


@dataclass(slots=True)
class ScriptedServer:
    """`answers` maps a path (with its query) to what is answered: (status, headers, body), a
    list of such (one for each request, the last again and again), or a handler. Anything else
    is a 404; robots.txt too, unless given. `host` may be any of 127.0.0.0/8."""

    host: str = "127.0.0.1"
    answers: dict[str, object] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    release: threading.Event = field(default_factory=threading.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _runner: web.AppRunner | None = None

    def __enter__(self) -> "ScriptedServer":
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._runner is not None
        assert self._thread is not None
        self.release.set()
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def base(self) -> str:
        return f"http://{self.host}:{self.port}"

    def counts(self) -> Counter[str]:
        return Counter(item.path for item in self.asked)

    def requests(self, path: str) -> list[Asked]:
        return [item for item in self.asked if item.path == path]

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        self.port = self._runner.addresses[0][1]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path_qs
        self.asked.append(Asked(path, dict(request.headers), self._loop.time()))
        answer = self.answers.get(path)
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if answer is None:
            return web.Response(status=404)
        if callable(answer):
            return await answer(request)
        status, headers, body = answer  # type: ignore[misc]
        return web.Response(status=status, headers=headers, body=body)

    async def held(self, request: web.Request) -> web.StreamResponse:
        """Answers only once `release` is set."""
        while not self.release.is_set():
            await asyncio.sleep(0.01)
        return web.Response(status=503)


async def endless(request: web.Request) -> web.StreamResponse:
    """A body without end, as fast as it is read."""
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b"<p>" + b"x" * 65536)
    except (ConnectionError, asyncio.CancelledError):
        return response


async def drip(request: web.Request) -> web.StreamResponse:
    """A byte now and then, for ever."""
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)
    except (ConnectionError, asyncio.CancelledError):
        return response


async def torn(request: web.Request) -> web.StreamResponse:
    """Promises more than it sends."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.close()
    return response
