"""One poll: ask (fetch the feed, read it in the pool), then write (decide, and put the state
and the entries into one transaction)."""

import asyncio
from collections.abc import Container
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
import xxhash

from collectors.catalogue import Feed, Source
from collectors.errors import ExtractError, FetchError
from collectors.feeds import ParsedFeed, parse_feed
from collectors.fetch import ACCEPT_FEED, FEED_BYTES, Clock, Response
from collectors.ledger import Ledger, View
from collectors.metrics import CollectMetrics
from collectors.options import CollectOptions
from collectors.polls import (
    Answer,
    Came,
    Failed,
    NotModified,
    PollDecision,
    Read,
    Unchanged,
    decide_poll,
    entries_of,
    may_ask_conditionally,
)
from collectors.pool import Pool
from collectors.rows import known_at, put_entry, put_feed
from collectors.schedule import Bounds, condition
from collectors.sitemaps import parse_sitemap
from collectors.sites import Site
from collectors.visits import Visits
from streams.records import FeedState

log = structlog.get_logger(__name__)

_RELOOK_DELAYS: Final = 6.0  # a changed entry's page is asked for again after so many site delays


@dataclass(slots=True)
class Polled:
    """A feed that is polled, with its state as last written."""

    source: Source
    feed: Feed
    state: FeedState
    condition: str  # of `collectors.metrics.STATES`
    # Held by whoever brings the state from one value to the next.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def labels(self) -> tuple[str, str]:
        """What metrics call it: its source's id, and its place among the source's feeds."""
        return self.source.id, str(self.source.feeds.index(self.feed) + 1)


class Poller:
    def __init__(
        self,
        options: CollectOptions,
        *,
        configured: Container[str],
        ledger: Ledger,
        visits: Visits,
        pool: Pool,
        clock: Clock,
        metrics: CollectMetrics,
    ) -> None:
        self._options = options
        self._configured = configured
        self._ledger = ledger
        self._visits = visits
        self._pool = pool
        self._clock = clock
        self._metrics = metrics

    async def write(self, polled: Polled, came: Came) -> PollDecision:
        """Decide what a poll means and write it; durable on return, and `polled` is brought
        up to it. Raises LogError only."""
        now = self._clock()
        bounds = Bounds(
            self._options.min_interval_s, self._options.max_interval_s, polled.feed.interval_s
        )
        relook_s = self._options.site_delay_s * _RELOOK_DELAYS

        def decide(view: View) -> PollDecision:
            decision = decide_poll(
                polled.state, came, bounds, now=now, look=partial(known_at, view),
                configured=self._configured, relook_s=relook_s,
            )  # fmt: skip
            put_feed(view, decision.state, decision.due)
            for write in decision.writes:
                put_entry(view, write)
            return decision

        async with polled.lock:
            decision = await self._ledger.decide(decide)
            polled.state = decision.state
        before, polled.condition = polled.condition, condition(decision.state, now)
        self._metrics.move_feed(polled, before, polled.condition)
        self._metrics.count_poll(polled, decision)
        if isinstance(came, Failed):
            log.info("poll_failed", feed=polled.feed.url, source=polled.source.id,
                     reason=decision.outcome, failures=decision.state.failures,
                     error=decision.state.last_error, hint=came.error.hint,
                     due=decision.due)  # fmt: skip
        elif decision.new or decision.changed:
            log.info("poll_brought", feed=polled.feed.url, source=polled.source.id,
                     new=decision.new, changed=decision.changed)  # fmt: skip
        return decision

    async def ask(self, polled: Polled, site: Site) -> Came:
        """Fetch and read the feed, with the site's turn taken. Raises nothing."""
        state, url = polled.state, polled.feed.url
        conditional = may_ask_conditionally(state)
        try:
            response = await self._visits.fetch(
                url,
                holding=site,
                accept=ACCEPT_FEED,
                etag=state.etag if conditional else None,
                last_modified=state.last_modified if conditional else None,
                max_bytes=FEED_BYTES,
            )
            return await self._read(polled, response)
        except FetchError as error:
            return Failed(error)
        except ExtractError as error:  # the pool's: too slow, or dead
            reason = error.reason if error.reason in FetchError.reasons else "error"
            return Failed(FetchError(f"{url}: {error}", reason=reason, retryable=True, url=url))
        except Exception as error:
            log.exception("poll_error", feed=url)
            said = f"{url}: {type(error).__name__}: {error}"
            return Failed(FetchError(said, reason="error", url=url))

    async def _read(self, polled: Polled, response: Response) -> Came:
        answer = Answer(response.etag, response.last_modified, response.fresh_s, response.moved_to)
        if response.status == 304:
            return NotModified(answer)
        body_hash = xxhash.xxh3_128_hexdigest(response.body)
        if body_hash == polled.state.body_hash:
            return Unchanged(answer)
        now = self._clock()
        parsed: ParsedFeed = await self._pool.run(
            parse_sitemap if polled.feed.kind == "sitemap" else parse_feed,
            response.body,
            url=response.url,
            content_type=response.content_type,
            now=now,
            timeout_s=self._options.parse_timeout_s,
        )
        entries = entries_of(
            parsed,
            source=polled.source.id,
            feed=polled.feed.url,
            now=now,
            first_poll=polled.state.first_polled is None,
        )
        truncated = any(reason == "truncated" for reason, _ in parsed.dropped)
        return Read(answer, body_hash, entries, parsed.ttl_s, truncated)
