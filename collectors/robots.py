"""robots.txt: whether an address may be fetched, and how slowly.

As RFC 9309 says: a 4xx allows everything; a server that fails or cannot be reached forbids
for now, so the caller waits; redirects are followed; 500 KB are read. What was read counts
for a day, and if it cannot be read anew, for a week. A failure is remembered for a while
that grows, so that a site that is down is not asked for its robots.txt all the time.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from protego import Protego

from collectors.errors import FetchError
from collectors.urls import origin_of

AGENT: Final = "Rasid"
ROBOTS_BYTES: Final = 500 * 1024
_FRESH_S = 86400.0
_STALE_S = 7 * 86400.0
_FIRST_RETRY_S = 60.0
_LONGEST_RETRY_S = 3600.0
_KEPT_ORIGINS = 4096

# Fetches the text of a robots.txt, or raises FetchError.
FetchText = Callable[[str], Awaitable[bytes]]


@dataclass(slots=True)
class _Known:
    rules: Protego | None  # None: all is allowed
    read_at: float
    failures: int = 0
    retry_at: float = 0.0
    error: FetchError | None = None  # of the latest try; None when that was good


class Robots:
    """Rules by origin, fetched when first asked for. Lives in one event loop."""

    def __init__(self, fetch: FetchText, *, monotonic: Callable[[], float] = time.monotonic):
        self._fetch = fetch
        self._monotonic = monotonic
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asking: dict[str, asyncio.Task[_Known]] = {}

    async def check(self, url: str) -> float:
        """Return the crawl delay asked for in seconds, 0 when none is.

        Raises FetchError: robots when the address may not be fetched; when that could not be
        found out, robots_unreachable, or why the host cannot be reached."""
        origin = origin_of(url)
        known = self._known.get(origin)
        if known is None or not self._settled(known):
            known = await self._ask(origin)
        if known.error is not None and self._monotonic() - known.read_at > _STALE_S:
            raise self._refusal(url, origin, known.error, known.retry_at)
        if known.rules is None:
            return 0.0
        if not known.rules.can_fetch(url, AGENT):
            raise FetchError(f"robots.txt does not want {url} fetched", reason="robots", url=url)
        return max(float(known.rules.crawl_delay(AGENT) or 0.0), 0.0)

    def _refusal(self, url: str, origin: str, error: FetchError, retry_at: float) -> FetchError:
        """A host that cannot be reached at all is told as that: the page would fare no better."""
        is_host = error.status is None
        return FetchError(
            f"robots.txt of {origin} cannot be read: {error}",
            reason=error.reason if is_host else "robots_unreachable",
            retryable=error.retryable or not is_host,
            url=url,
            retry_after_s=max(retry_at - self._monotonic(), 1.0),
        )

    def _settled(self, known: _Known) -> bool:
        """Whether there is nothing to ask now."""
        now = self._monotonic()
        return now < known.retry_at if known.error else now - known.read_at < _FRESH_S

    async def _ask(self, origin: str) -> _Known:
        """Ask once, however many wait for it."""
        task = self._asking.get(origin)
        if task is None:
            task = asyncio.create_task(self._read(origin))
            self._asking[origin] = task
            task.add_done_callback(lambda _: self._asking.pop(origin, None))
        return await asyncio.shield(task)

    async def _read(self, origin: str) -> _Known:
        now = self._monotonic()
        try:
            text = await self._fetch(f"{origin}/robots.txt")
            known = _Known(_parse(text), now)
        except FetchError as error:
            known = self._after_failure(origin, error, now)
        self._known[origin] = known
        self._known.move_to_end(origin)
        while len(self._known) > _KEPT_ORIGINS:
            self._known.popitem(last=False)
        return known

    def _after_failure(self, origin: str, error: FetchError, now: float) -> _Known:
        status = error.status or 0
        if 400 <= status < 500 and status != 429:
            return _Known(None, now)
        if error.reason in ("redirects", "too_large", "bad_encoding", "bad_url"):
            return _Known(None, now)  # there is none that a reader could use
        before = self._known.get(origin)
        failures = (before.failures if before else 0) + 1
        wait_s = min(_FIRST_RETRY_S * 2.0 ** (failures - 1), _LONGEST_RETRY_S)
        if error.retry_after_s:
            wait_s = min(max(wait_s, error.retry_after_s), _LONGEST_RETRY_S)
        return _Known(
            before.rules if before else None,
            before.read_at if before else float("-inf"),
            failures,
            now + wait_s,
            error,
        )


def _parse(text: bytes) -> Protego | None:
    if not text.strip():
        return None
    rules: Protego = Protego.parse(text[:ROBOTS_BYTES].decode("utf-8", "replace"))
    return rules
