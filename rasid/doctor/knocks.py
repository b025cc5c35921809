"""Knocking at a few of the sites: one HEAD of robots.txt each, as every crawler asks for.

Done once for all checks that want to know, and bounded: a site that does not answer costs
`KNOCK_S`, and all are asked at once.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from collectors.catalogue import Source
from collectors.errors import FetchError
from collectors.fetch import Fetcher, user_agent
from collectors.guard import AddressGuard
from collectors.options import CollectOptions
from collectors.urls import site_of

KNOCK_S: Final = 8.0
SITES: Final = 12


@dataclass(frozen=True, slots=True)
class Knock:
    """What came of one. `ahead`: how far our clock is before the server's; None: not told."""

    site: str
    error: FetchError | None = None
    ahead: timedelta | None = None


class Knocks:
    """Shared by checks in several threads; the first to ask does it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: Sequence[Knock] | None = None

    def at(
        self, sources: Sequence[Source], options: CollectOptions, clock: Callable[[], datetime]
    ) -> Sequence[Knock]:
        """Raises ConfigError where the environment's proxy is none."""
        with self._lock:
            if self._done is None:
                self._done = asyncio.run(_all(chosen(sources), options, clock))
            return self._done


def chosen(sources: Sequence[Source]) -> list[str]:
    """A feed's address of each of a few sites, spread over the list."""
    by_site: dict[str, str] = {}
    for source in sources:
        for feed in source.feeds:
            by_site.setdefault(site_of(feed.url), feed.url)
    urls = list(by_site.values())
    step = max(1, -(-len(urls) // SITES))
    return urls[::step]


async def _all(
    urls: Sequence[str], options: CollectOptions, clock: Callable[[], datetime]
) -> list[Knock]:
    guard = AddressGuard(options.allow_networks)
    async with Fetcher(guard=guard, user_agent=user_agent(options.contact), clock=clock) as fetcher:
        return list(await asyncio.gather(*(_one(fetcher, url, clock) for url in urls)))


async def _one(fetcher: Fetcher, url: str, clock: Callable[[], datetime]) -> Knock:
    parts = urlsplit(url)
    site, robots = parts.netloc, f"{parts.scheme}://{parts.netloc}/robots.txt"
    error = None
    try:
        theirs = await fetcher.knock(robots, timeout_s=KNOCK_S)
    except FetchError as caught:
        error, theirs = caught, None
        if caught.reason == "tls":  # which a wrong clock can be the cause of
            try:
                theirs = await fetcher.knock(robots, timeout_s=KNOCK_S, verified=False)
            except FetchError:
                theirs = None
    return Knock(site, error, clock() - theirs if theirs else None)
