"""The HTTP edge: one address in, one answer out, or a FetchError that says why not.

    check the address ─▶ ask (conditional) ─▶ redirect? check, ask again, at most five times
                                           └▶ 200: read, bounded   304: nothing   else: error

Everything is bounded: connecting, each silence, the whole (without the waiting that
politeness costs), the size as sent and as unpacked, the number of redirects. Redirects are
followed here and not by aiohttp, so that the guard and robots.txt have their say at each.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from importlib import metadata
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from collectors.body import ACCEPT_ENCODING, read_body
from collectors.errors import FetchError
from collectors.guard import AddressGuard, AddressRefused, GuardedResolver
from collectors.headers import fresh_s, kept, retry_after_s
from collectors.proxy import environment_proxies, proxy_for, shown
from collectors.urls import clean_url

FEED_BYTES: Final = 16 * 1024 * 1024
PAGE_BYTES: Final = 8 * 1024 * 1024
MAX_REDIRECTS: Final = 5
ACCEPT_FEED: Final = (
    "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
)
ACCEPT_PAGE: Final = "text/html, application/xhtml+xml, */*;q=0.5"
_PERMANENT = (301, 308)
_REDIRECTS = (301, 302, 303, 307, 308)

Clock = Callable[[], datetime]
BeforeHop = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Response:
    url: str  # that answered, after redirects
    status: int  # 200, or 304 with an empty body
    body: bytes
    content_type: str = ""
    etag: str | None = None
    last_modified: str | None = None
    fresh_s: float | None = None  # how long the server says the answer stays as it is
    moved_to: str | None = None  # where permanent redirects lead


def user_agent(contact: str) -> str:
    """`Rasid/0.1.0 (+desk@example.org)`."""
    try:
        version = metadata.version("rasid")
    except metadata.PackageNotFoundError:
        version = "0"
    tidy = "".join(char for char in contact if char.isprintable() and char.isascii())
    return f"Rasid/{version} (+{tidy})" if tidy else f"Rasid/{version}"


class Fetcher:
    """Use it as an async context manager, within one event loop.

    Where the environment names a proxy, that resolves the names: of the guard only
    `check_host` remains, and to keep visitors out of the inside is the proxy's part.
    Raises ConfigError for a proxy that is none."""

    def __init__(
        self, *, guard: AddressGuard, user_agent: str, clock: Clock, connections: int = 100
    ) -> None:
        self._guard = guard
        self._clock = clock
        self._connections = connections
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": ACCEPT_ENCODING}
        self._proxies = environment_proxies()
        self._session: aiohttp.ClientSession | None = None
        self._proxied: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        secure = ssl.create_default_context()
        self._session = self._open(
            aiohttp.TCPConnector(
                resolver=GuardedResolver(self._guard),
                socket_factory=self._guard.socket,
                limit=self._connections,
                ttl_dns_cache=60,
                ssl=secure,
            )
        )
        if self._proxies:  # connects to nothing but the proxies, which may well be inside
            self._proxied = self._open(aiohttp.TCPConnector(limit=self._connections, ssl=secure))
        return self

    def _open(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            # The whole is bounded at each request; a timer for each read would cost as much.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            max_line_size=32768,
            max_field_size=32768,
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in (self._session, self._proxied):
            if session is not None:
                await session.close()

    async def fetch(
        self,
        url: str,
        *,
        accept: str = ACCEPT_PAGE,
        etag: str | None = None,
        last_modified: str | None = None,
        max_bytes: int = PAGE_BYTES,
        timeout_s: float = 30.0,
        before_hop: BeforeHop | None = None,
    ) -> Response:
        """Ask once. `before_hop` is awaited before each redirect is followed, with its
        address; its time does not count.

        Raises FetchError, `retryable` when asking again later may help."""
        headers = {"Accept": accept}
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        conditional = bool(etag or last_modified)
        left_s = timeout_s
        seen = {url}
        moved_to: str | None = None
        permanent = True
        while True:
            self._guard.check_host(url)
            begun = time.monotonic()
            answer = await self._ask(url, headers, max_bytes, left_s, conditional)
            left_s -= time.monotonic() - begun
            if isinstance(answer, Response):
                if moved_to is None:
                    return answer
                return _with_moved(answer, moved_to)
            status, target = answer
            permanent = permanent and status in _PERMANENT
            if permanent:
                moved_to = target
            if target in seen or len(seen) > MAX_REDIRECTS:
                circle = "in a circle" if target in seen else f"more than {MAX_REDIRECTS} times"
                raise FetchError(f"{url}: redirected {circle}", reason="redirects", url=target)
            seen.add(target)
            url = target
            if before_hop is not None:
                await before_hop(url)

    async def knock(self, url: str, *, timeout_s: float, verified: bool = True) -> datetime | None:
        """Ask for the head of an address and take any status for an answer: the time by the
        server's clock, None where it tells none. Not `verified`: whatever its certificate.

        Raises FetchError where there is no answer."""
        self._guard.check_host(url)
        session, proxy = self._way(url)
        trust = verified
        try:
            async with (
                asyncio.timeout(timeout_s),
                session.head(_yarl(url), allow_redirects=False, proxy=proxy, ssl=trust) as got,
            ):
                return parsedate_to_datetime(got.headers["Date"])
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translate(url, error, proxy) from error
        except (KeyError, ValueError):
            return None

    def _way(self, url: str) -> tuple[aiohttp.ClientSession, str | None]:
        """The session that goes there, and the proxy it goes by."""
        proxy = proxy_for(url, self._proxies)
        session = self._session if proxy is None else self._proxied
        assert session is not None, "used outside of its context"
        return session, proxy

    async def _ask(
        self, url: str, headers: dict[str, str], max_bytes: int, left_s: float, conditional: bool
    ) -> Response | tuple[int, str]:
        """One request: the answer, or status and target of a redirect."""
        session, proxy = self._way(url)
        try:
            async with (
                asyncio.timeout(left_s),
                session.get(_yarl(url), headers=headers, allow_redirects=False, proxy=proxy) as got,
            ):
                status = got.status
                if status in _REDIRECTS:
                    return status, _target(url, got.headers.get("Location", ""))
                if status == 304 and conditional:
                    return _response(url, 304, b"", got.headers, self._clock())
                if status == 407 and proxy is not None:
                    raise FetchError(
                        f"{url}: {_no_way(proxy, _WHO)}", reason="proxy", retryable=True, url=url,
                        status=407,
                    )  # fmt: skip
                if not 200 <= status < 300:
                    raise _status_error(url, status, got.headers, self._clock())
                body = await read_body(
                    got.content.iter_any(),
                    url=url,
                    encoding=got.headers.get("Content-Encoding", ""),
                    max_bytes=max_bytes,
                )
                return _response(url, 200, body, got.headers, self._clock())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _translate(url, error, proxy) from error


@lru_cache(maxsize=8192)
def _yarl(url: str) -> URL:
    return URL(url, encoded=True)


def _target(url: str, location: str) -> str:
    if not location:
        raise FetchError(f"{url}: redirected nowhere", reason="redirects", url=url)
    raw = location.encode("utf-8", "surrogateescape")  # as aiohttp decoded it
    try:
        return clean_url(raw.decode("utf-8"), base=url)
    except UnicodeDecodeError:
        return clean_url(raw.decode("cp1256", "replace"), base=url)


def _response(
    url: str, status: int, body: bytes, headers: Mapping[str, str], now: datetime
) -> Response:
    return Response(
        url=url,
        status=status,
        body=body,
        content_type=kept(headers.get("Content-Type")) or "",
        etag=kept(headers.get("ETag")),
        last_modified=kept(headers.get("Last-Modified")),
        fresh_s=fresh_s(headers, now),
    )


def _with_moved(answer: Response, moved_to: str) -> Response:
    return Response(
        answer.url, answer.status, answer.body, answer.content_type, answer.etag,
        answer.last_modified, answer.fresh_s, moved_to,
    )  # fmt: skip


_BY_STATUS = {
    401: "forbidden", 403: "forbidden", 404: "not_found", 407: "forbidden", 410: "gone",
    429: "rate_limited", 451: "forbidden",
}  # fmt: skip


def _status_error(url: str, status: int, headers: Mapping[str, str], now: datetime) -> FetchError:
    reason = _BY_STATUS.get(status) or ("server_error" if status >= 500 else "bad_status")
    return FetchError(
        f"{url} answered {status}",
        reason=reason,
        retryable=reason in ("rate_limited", "server_error") or status in (408, 425),
        url=url,
        status=status,
        retry_after_s=retry_after_s(headers.get("Retry-After"), now),
    )


def _translate(url: str, error: Exception, proxy: str | None = None) -> FetchError:
    """What aiohttp raised, in our words; most specific first."""
    inner = getattr(error, "os_error", None) or error
    if isinstance(inner, AddressRefused):
        text = f"{url}: {inner}"
        return FetchError(text, reason="address", url=url)
    reason, retryable, said = "disconnected", True, "the connection ended in the middle"
    if proxy is not None and (why := _of_proxy(error)):
        reason, said = "proxy", _no_way(proxy, why)
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        reason, said = "dns", "the name is not known"
    elif isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        reason, said = "tls", f"no secure connection: {_of_tls(inner)}"
    elif isinstance(error, aiohttp.ClientConnectorError):
        reason, said = "refused", f"no connection: {_of_system(error.os_error)}"
    elif isinstance(error, TimeoutError):
        reason, said = "timeout", "no whole answer in the time there is"
    elif isinstance(error, aiohttp.InvalidURL | ValueError):
        reason, retryable, said = "bad_url", False, "no address that can be asked"
    elif isinstance(error, aiohttp.ClientResponseError):
        reason, retryable, said = "bad_status", False, "the answer is no HTTP"
    return FetchError(f"{url}: {said}", reason=reason, retryable=retryable, url=url)


_WHO = "it asks for a user and a password (407)"


def _no_way(proxy: str, why: str) -> str:
    return f"no way through the proxy {shown(proxy)}: {why}"


def _of_proxy(error: Exception) -> str | None:
    """What is wrong with the proxy; None when it is something beyond it."""
    match error:
        case aiohttp.ClientHttpProxyError(status=407):
            return _WHO
        case aiohttp.ClientHttpProxyError(status=status):
            return f"it answered {status}"
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known"
        case aiohttp.ClientProxyConnectionError(os_error=inner):
            return _of_system(inner)
    return None


def _of_tls(error: Exception) -> str:
    """What OpenSSL found wrong, as "certificate has expired"."""
    inner = getattr(error, "certificate_error", None) or error
    why = getattr(inner, "verify_message", None) or getattr(inner, "reason", None)
    return str(why or "the site's end is broken").replace("_", " ").lower()


def _of_system(error: OSError) -> str:
    """`Connection refused`, without asyncio's "Connect call failed"."""
    return os.strerror(error.errno) if error.errno else "the site refused it"
