"""A news site on loopback: RSS that lists articles, and their pages in a real page's dress."""

import asyncio
import threading
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from html import escape

from aiohttp import web


@dataclass(slots=True)
class Item:
    slug: str
    title: str
    text: str
    published: datetime


@dataclass(slots=True)
class NewsSite:
    """Serves the `newest` of its `items` under /feed.xml, and each at /articles/SLUG. Counts what
    is asked of it."""

    items: list[Item]
    newest: int = 200
    name: str = "صحيفة التجربة"
    asked: dict[str, int] = field(default_factory=dict)
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _runner: web.AppRunner | None = None

    def __enter__(self) -> "NewsSite":
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._runner is not None
        assert self._thread is not None
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/feed.xml", self._feed)
        app.router.add_get("/articles/{slug}", self._page)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def _feed(self, request: web.Request) -> web.Response:
        self._count(request)
        rows = "".join(
            f"<item><title>{escape(i.title)}</title><link>{self.base}/articles/{i.slug}</link>"
            f"<pubDate>{format_datetime(i.published)}</pubDate>"
            f"<description>{escape(i.text[:200])}</description></item>"
            for i in self.items[-self.newest :]
        )
        xml = f'<rss version="2.0"><channel><title>{self.name}</title>{rows}</channel></rss>'
        return web.Response(body=xml.encode(), content_type="application/rss+xml")

    async def _page(self, request: web.Request) -> web.Response:
        self._count(request)
        slug = request.match_info["slug"]
        item = next((i for i in self.items if i.slug == slug), None)
        if item is None:
            return web.Response(status=404)
        body = "".join(f"<p>{escape(p)}</p>" for p in item.text.splitlines() if p.strip())
        html = (
            f'<!doctype html><html lang="ar" dir="rtl"><head><meta charset="utf-8">'
            f"<title>{escape(item.title)}</title></head><body><nav><a href='/'>الرئيسية</a></nav>"
            f"<article><h1>{escape(item.title)}</h1>{body}</article>"
            "<footer>جميع الحقوق محفوظة</footer></body></html>"
        )
        return web.Response(text=html, content_type="text/html")

    def _count(self, request: web.Request) -> None:
        self.asked[request.path] = self.asked.get(request.path, 0) + 1
