"""The demo's newsrooms: invented sources, served on loopback as real sites would be.

`newsrooms.yaml` holds their articles. Each newsroom listens on a port of its own, with a
feed (RSS or Atom, one in undeclared windows-1256), pages with the furniture of real pages
around the article, and, in one, an article whose page is missing. Two more have feeds that
do not work: one is torn, one is an HTML page.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

TORN = "torn"
HTML = "html"


@dataclass(frozen=True, slots=True)
class Piece:
    """One article of a newsroom."""

    slug: str
    title: str
    lead: str
    body: tuple[str, ...]
    published: datetime
    byline: str | None
    page: str  # ok, missing, broken
    feed_text: str | None
    note: str
    expect: tuple[tuple[str, str], ...]  # theme, development: what a careful reader would list


@dataclass(frozen=True, slots=True)
class Newsroom:
    id: str
    name: str
    name_latin: str
    country: str
    furniture: tuple[str, ...]
    feed_format: str  # rss, atom; torn and html do not work
    encoding: str  # utf-8, windows-1256-undeclared
    full_text: bool
    pieces: tuple[Piece, ...]


def load_newsrooms(now: datetime) -> list[Newsroom]:
    """All newsrooms, their articles dated back from `now`."""
    path = Path(__file__).with_name("newsrooms.yaml")
    data = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    rooms = [_newsroom(source, now) for source in data["sources"]]
    torn = _broken("akhbar-mubtura", "أخبار مبتورة", "Torn News", TORN)
    moved = _broken("bawaba-muntaqila", "البوابة المنتقلة", "Moved Gate", HTML)
    return [*rooms, torn, moved]


def _broken(id_: str, name: str, name_latin: str, how: str) -> Newsroom:
    return Newsroom(id_, name, name_latin, "LY", (), how, "utf-8", False, ())


def _newsroom(source: dict[str, Any], now: datetime) -> Newsroom:
    feed = source["feed"]
    return Newsroom(
        id=source["id"],
        name=source["name"],
        name_latin=source["name_latin"],
        country=source["country"],
        furniture=tuple(source["page_furniture"]),
        feed_format=feed["format"],
        encoding=feed["encoding"],
        full_text=bool(feed["full_text"]),
        pieces=tuple(_piece(a, now) for a in source["articles"]),
    )


def _piece(a: dict[str, Any], now: datetime) -> Piece:
    return Piece(
        slug=a["slug"],
        title=a["title"],
        lead=a["lead"],
        body=tuple(a["body"]),
        published=(now - timedelta(hours=a["hours_ago"])).replace(microsecond=0),
        byline=a.get("byline"),
        page=a.get("page", "ok"),
        feed_text=a.get("feed_text"),
        note=a.get("note", ""),
        expect=tuple((e["theme"], d) for e in a.get("expect") or [] for d in e["developments"]),
    )


def feed_bytes(room: Newsroom, base: str) -> bytes:
    """The newsroom's feed as it answers with it."""
    if room.feed_format == HTML:
        return _document(room, "الصفحة غير موجودة", "<p>انتقل الموقع إلى عنوان جديد.</p>").encode()
    if room.feed_format == TORN:
        return (
            '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>'
            f"<title>{room.name}</title><link>{base}/</link><item><title>خبر مبتور"
        ).encode()
    items = "".join(
        (_atom_entry if room.feed_format == "atom" else _rss_item)(room, piece, base)
        for piece in room.pieces
    )
    if room.feed_format == "atom":
        text = (
            '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" '
            f'xml:lang="ar"><title>{escape(room.name)}</title><link href="{base}/"/>{items}</feed>'
        )
    else:
        text = (
            '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
            'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
            f"<title>{escape(room.name)}</title><link>{base}/</link>"
            f"<language>ar</language>{items}</channel></rss>"
        )
    if room.encoding.startswith("windows-1256"):
        return text.encode("cp1256")  # and nothing in it says so
    return text.encode()


def _feed_text(room: Newsroom, piece: Piece) -> str:
    if piece.feed_text:
        return f"<p>{escape(piece.feed_text)}</p>"
    if room.full_text:
        return "".join(f"<p>{escape(p)}</p>" for p in piece.body)
    return f"<p>{escape(piece.lead)}</p>"


def _rss_item(room: Newsroom, piece: Piece, base: str) -> str:
    author = f"<dc:creator>{escape(piece.byline)}</dc:creator>" if piece.byline else ""
    return (
        f"<item><title>{escape(piece.title)}</title><link>{base}/{piece.slug}</link>"
        f'<guid isPermaLink="false">{room.id}-{piece.slug}</guid>{author}'
        f"<pubDate>{format_datetime(piece.published)}</pubDate>"
        f"<description>{escape(_feed_text(room, piece))}</description></item>"
    )


def _atom_entry(room: Newsroom, piece: Piece, base: str) -> str:
    return (
        f"<entry><title>{escape(piece.title)}</title><id>tag:{room.id}.example,{piece.slug}</id>"
        f'<link rel="alternate" href="{base}/{piece.slug}"/>'
        f"<published>{piece.published.isoformat()}</published>"
        f"<updated>{piece.published.isoformat()}</updated>"
        f'<content type="html">{escape(_feed_text(room, piece))}</content></entry>'
    )


def page_html(room: Newsroom, piece: Piece) -> str:
    """An article's page, menus and all."""
    body = "".join(f"<p>{escape(p)}</p>" for p in piece.body)
    byline = f'<p class="byline">{escape(piece.byline)}</p>' if piece.byline else ""
    article = (
        f"<article><h1>{escape(piece.title)}</h1>{byline}"
        f'<time datetime="{piece.published.isoformat()}">{piece.published:%Y-%m-%d}</time>'
        f"{body}</article>"
    )
    return _document(room, piece.title, article)


def _document(room: Newsroom, title: str, article: str) -> str:
    half = len(room.furniture) // 2
    before = "".join(f"<li>{escape(line)}</li>" for line in room.furniture[:half])
    after = "".join(f"<p>{escape(line)}</p>" for line in room.furniture[half:])
    return (
        '<!doctype html><html lang="ar" dir="rtl"><head><meta charset="utf-8">'
        f"<title>{escape(title)} - {escape(room.name)}</title></head><body>"
        f"<nav><ul>{before}</ul></nav><main>{article}</main><footer>{after}</footer></body></html>"
    )


def site(room: Newsroom) -> web.Application:
    """The newsroom's web site."""
    pieces = {piece.slug: piece for piece in room.pieces}

    async def feed(request: web.Request) -> web.Response:
        base = f"http://{request.host}"
        kind = "text/html" if room.feed_format == HTML else "application/rss+xml"
        return web.Response(body=feed_bytes(room, base), content_type=kind)

    async def page(request: web.Request) -> web.Response:
        piece = pieces.get(request.match_info["slug"])
        if piece is None or piece.page == "missing":
            return web.Response(status=404, text=_document(room, "404", "<p>غير موجودة</p>"))
        if piece.page == "broken":  # no article in it, only the promise of one
            html = '<!doctype html><html><body><div id="app"></div><script>boot()</script></body>'
            return web.Response(text=html, content_type="text/html")
        return web.Response(text=page_html(room, piece), content_type="text/html")

    app = web.Application()
    app.router.add_get("/feed.xml", feed)
    app.router.add_get("/{slug}", page)
    return app
