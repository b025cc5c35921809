"""Ask a feed once, politely, and tell what answered: for a person who keeps a catalogue."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median
from typing import Final, Literal

from collectors.catalogue import Feed, Source
from collectors.errors import HINTS, ExtractError, FetchError
from collectors.feeds import ParsedFeed, parse_feed
from collectors.fetch import ACCEPT_FEED, FEED_BYTES, Fetcher, user_agent
from collectors.guard import AddressGuard
from collectors.options import CollectOptions
from collectors.polls import words_of
from collectors.pool import Pool
from collectors.sitemaps import parse_sitemap
from collectors.visits import Visits

FULL_TEXT_CHARS: Final = 800  # a median entry of so many characters is an article, not a summary
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class FeedCheck:
    """What a feed answered. `problem` is None when it can be polled with profit; else one
    line that says what is wrong, and `reason` is its word of FetchError's."""

    source: str
    url: str
    status: int | None = None  # of HTTP
    problem: str | None = None
    reason: str | None = None
    hint: str | None = None  # what a person can do about it
    robots: Literal["allowed", "refused", "unknown"] = "unknown"
    entries: int = 0
    skipped: int = 0  # entries without an address, and the like
    newest: datetime | None = None
    full_text: bool | None = None  # None: no entries to tell by
    median_chars: int = 0  # of the entries' own text
    moved_to: str | None = None  # by permanent redirects


async def check_feed(
    source: Source, feed: Feed, options: CollectOptions, *, pool: Pool | None = None
) -> FeedCheck:
    """Fetch and read the feed once. Raises nothing on account of the feed.

    Who checks many uses `check_feeds`, or hands in a pool to be shared."""
    async with _fetcher(options) as fetcher:
        visits = Visits(fetcher, delay_s=options.site_delay_s, timeout_s=options.request_timeout_s)
        if pool is not None:
            return await _check(source, feed, visits, pool, options)
        pool = Pool(1)
        try:
            return await _check(source, feed, visits, pool, options)
        finally:
            pool.close()


async def check_feeds(
    feeds: Iterable[tuple[Source, Feed]], options: CollectOptions
) -> AsyncIterator[FeedCheck]:
    """Check many, at the pace each site bears, sixteen at once; as they are done."""
    at_once = asyncio.Semaphore(_AT_ONCE)
    pool = Pool(options.processes)
    try:
        async with _fetcher(options) as fetcher:
            visits = Visits(
                fetcher, delay_s=options.site_delay_s, timeout_s=options.request_timeout_s
            )

            async def one(source: Source, feed: Feed) -> FeedCheck:
                async with at_once:
                    return await _check(source, feed, visits, pool, options)

            tasks = [asyncio.create_task(one(source, feed)) for source, feed in feeds]
            try:
                for task in asyncio.as_completed(tasks):
                    yield await task
            finally:
                for left in tasks:
                    left.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        pool.close()


async def _check(
    source: Source, feed: Feed, visits: Visits, pool: Pool, options: CollectOptions
) -> FeedCheck:
    found = FeedCheck(source.id, feed.url)
    try:
        response = await visits.fetch(feed.url, accept=ACCEPT_FEED, max_bytes=FEED_BYTES)
        found = replace(found, status=response.status, robots="allowed", moved_to=response.moved_to)
        parsed: ParsedFeed = await pool.run(
            parse_sitemap if feed.kind == "sitemap" else parse_feed,
            response.body,
            url=response.url,
            content_type=response.content_type,
            now=_now(),
            timeout_s=options.parse_timeout_s,
        )
    except (FetchError, ExtractError) as error:
        robots = found.robots
        if error.reason == "robots":
            robots = "refused"
        elif isinstance(error, FetchError) and error.status is not None:
            robots = "allowed"
        status = found.status or getattr(error, "status", None)
        return replace(
            found, problem=str(error), reason=error.reason, hint=HINTS.get(error.reason),
            robots=robots, status=status,
        )  # fmt: skip
    return _judge(found, parsed)


def _judge(found: FeedCheck, parsed: ParsedFeed) -> FeedCheck:
    lengths = [len(words_of(entry.summary)) for entry in parsed.entries]
    dates = [entry.published for entry in parsed.entries if entry.published is not None]
    middle = int(median(lengths)) if lengths else 0
    return replace(
        found,
        problem=None if parsed.entries else f"{found.url}: a feed without entries",
        reason=None if parsed.entries else "empty",
        hint=None if parsed.entries else HINTS["empty"],
        entries=len(parsed.entries),
        skipped=sum(reason == "no_link" for reason, _ in parsed.dropped),
        newest=max(dates, default=None),
        full_text=middle >= FULL_TEXT_CHARS if lengths else None,
        median_chars=middle,
    )


def _fetcher(options: CollectOptions) -> Fetcher:
    return Fetcher(
        guard=AddressGuard(options.allow_networks),
        user_agent=user_agent(options.contact),
        clock=_now,
    )


def _now() -> datetime:
    return datetime.now(UTC)
