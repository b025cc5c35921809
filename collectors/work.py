"""The collector at work, while the stage's seat is its own.

    load tables ─▶ agenda ─▶ due ─▶ lane of the site ─┬─ poll: fetch, read, decide ─┐
                     ▲                                └─ page: fetch, extract, settle ┤
                     └────────── commit: state and waiting rows, or article and row ◀─┘

What is in memory here can be rebuilt from the two tables at any moment: `load` does it. A
job that is forgotten (a stop, a crash) is still due in its table.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import msgspec
import structlog

from collectors.agenda import Agenda
from collectors.catalogue import Feed, Source
from collectors.errors import FetchError
from collectors.fetch import Clock
from collectors.ledger import Ledger, View
from collectors.metrics import CollectMetrics
from collectors.options import CollectOptions
from collectors.pager import Pager
from collectors.poller import Polled, Poller
from collectors.polls import Write
from collectors.pool import Pool
from collectors.rounds import HealthRound
from collectors.rows import Waiting, load_feeds, load_waiting, put_feed
from collectors.schedule import condition, rests_s
from collectors.sites import Site
from collectors.urls import site_of
from collectors.visits import Visits
from streams.errors import LogError, LogUnavailable
from streams.log import Stage
from streams.records import FeedState

log = structlog.get_logger(__name__)

_TICK_S: Final = 0.25
_MOST_SPREAD_S: Final = 20.0  # until all have had theirs
_WAITING_AT_ONCE: Final = 50_000  # entries held in memory
# What has come and is not committed yet. While the log is away this fills, and nothing more
# is fetched than can be written.
_OUTCOMES_AT_ONCE: Final = 500

Release = Callable[[], None]


class Work:
    """One ownership of the seat. Made, loaded, run once, thrown away."""

    def __init__(
        self,
        sources: Iterable[Source],
        options: CollectOptions,
        *,
        ledger: Ledger,
        visits: Visits,
        pool: Pool,
        clock: Clock,
        metrics: CollectMetrics,
    ) -> None:
        self._options = options
        self._ledger = ledger
        self._visits = visits
        self._clock = clock
        self._metrics = metrics
        self._configured = _configured(sources)
        self._poller = Poller(
            options, configured=self._configured, ledger=ledger, visits=visits, pool=pool,
            clock=clock, metrics=metrics,
        )  # fmt: skip
        self._pager = Pager(
            options, ledger=ledger, visits=visits, pool=pool, clock=clock, metrics=metrics
        )
        self._feeds: dict[str, Polled] = {}
        self._waiting: dict[str, Waiting] = {}
        self._polls_due = Agenda()
        self._pages_due = Agenda()
        self._more_waiting = False
        self._instances = 2  # that share the sites, as far as can be told from their shares
        self._judged: set[str] = set()  # sites of pages, of which it is known whose they are
        self._round = HealthRound(ledger=ledger, clock=clock)
        self._poll_slots = asyncio.Semaphore(options.polls_at_once)
        self._page_slots = asyncio.Semaphore(options.pages_at_once)
        self._outcomes = asyncio.Semaphore(_OUTCOMES_AT_ONCE)
        self._wake = asyncio.Event()
        self._failure: BaseException | None = None

    async def load(self) -> None:
        """Rebuild what is in memory from the tables; what should have been done meanwhile
        is due at once, a little apart. Raises LogError, NewerSchema."""
        now = self._clock()
        known, retired = await self._ledger.call(lambda stage: load_feeds(stage, self._configured))
        await self._retire(retired)
        ours = await self._ledger.call(self._ours)
        self._metrics.begin_feeds()
        spread_s = min(self._options.spread_s, _MOST_SPREAD_S / max(len(ours), 1))
        for number, (url, (source, feed)) in enumerate(ours.items()):
            state, due = known.get(url, (None, None))
            if state is None:
                state = FeedState(source=source.id, url=url, site=site_of(url))
            polled = self._feeds[url] = Polled(source, feed, state, condition(state, now))
            self._metrics.move_feed(polled, None, polled.condition)
            if (wait_s := rests_s(state, due, now)) > 0:
                self._visits.site(url).pause(wait_s)
            at_once = now + timedelta(seconds=number * spread_s)
            self._polls_due.put(url, at_once if due is None else max(due, at_once))
        sites = {site_of(url) for url in self._configured}
        self._instances = max(math.ceil(len(sites) / len({site_of(u) for u in ours} or {""})), 2)
        self._metrics.watch(self._feeds.values())
        self._ask_whole(await self._load_waiting())

    def _ask_whole(self, sites: Container[str]) -> None:
        """Ask the feeds of these sites for all they list: what waits there is of a feed that
        is polled no more, and a 304 would not tell who lists it now."""
        for polled in self._feeds.values():
            if polled.state.site in sites:
                polled.state = msgspec.structs.replace(
                    polled.state, etag=None, last_modified=None, body_hash=None
                )

    def _ours(self, stage: Stage) -> dict[str, tuple[Source, Feed]]:
        """The feeds configured whose sites are this instance's."""
        return {url: it for url, it in self._configured.items() if stage.owns(site_of(url))}

    async def _retire(self, states: Sequence[FeedState]) -> None:
        """Feeds that are no longer configured are due no more."""

        def decide(view: View) -> None:
            for state in states:
                put_feed(view, state, None)

        if states:
            await self._ledger.decide(decide)

    async def run(self, ended: Callable[[], bool]) -> None:
        """Work until `ended()`, then let what is under way end, for `stop_s` at most.

        Raises OwnershipLost when the seat is lost, and whatever nobody foresaw."""
        rounds = asyncio.create_task(self._rounds())
        try:
            while not ended() and self._failure is None and self._ledger.lost is None:
                self._metrics.beat()
                await self._start_due()
                self._wake.clear()
                await self._rest()
        finally:
            rounds.cancel()
            await self._drain()
        if self._ledger.lost is not None:
            raise self._ledger.lost
        if self._failure is not None:
            raise self._failure

    async def _rounds(self) -> None:
        """Look after the feeds' health now and then; what is unforeseen there ends the work."""
        try:
            while True:
                await asyncio.sleep(self._options.health_s)
                await self._round.walk(self._feeds.values())
        except LogError:
            return  # the seat is lost, or all is ending
        except Exception as error:
            self._failure = self._failure or error
            self._wake.set()

    async def _rest(self) -> None:
        """Until something is due, something changes, or for a tick."""
        now = self._clock()
        wait_s = _TICK_S
        for agenda in (self._polls_due, self._pages_due):
            due = agenda.next_due()
            if due is not None:
                wait_s = min(wait_s, max((due - now).total_seconds(), 0.001))
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _start_due(self) -> None:
        now = self._clock()
        for url in self._polls_due.take(now):
            site = self._visits.site(url)
            site.add_poll(partial(self._job, self._poll, url, site), self._poll_slots)
        for key in self._pages_due.take(now):
            item = self._waiting[key]
            site = self._visits.site(item.url)
            job = partial(self._job, self._page, key, site)
            site.add_page(job, self._page_slots, is_live=not item.first_poll)
        self._metrics.entries_waiting.set(len(self._waiting))
        if self._more_waiting and len(self._waiting) < _WAITING_AT_ONCE // 2:
            await self._load_waiting()

    async def _load_waiting(self) -> Container[str]:
        """Take up entries that wait, as many as are held in memory. The sites of those whose
        feed is not polled any more: they wait for a feed that lists them."""
        far = self._clock() + timedelta(days=3650)
        orphaned: set[str] = set()

        def wanted(item: Waiting) -> bool:
            if item.feed in self._configured:
                return item.key not in self._waiting
            orphaned.update((item.key.partition("/")[0], item.site))
            return False

        waiting, self._more_waiting = await self._ledger.call(
            lambda stage: load_waiting(stage, far, _WAITING_AT_ONCE, wanted)
        )
        now = self._clock()
        for item in waiting:
            self._expect(item)
            if item.reason == "rate_limited" and item.due > now:
                self._visits.site(item.url).pause((item.due - now).total_seconds())
        return orphaned

    def _expect(self, item: Waiting) -> None:
        """Put a waiting entry on the agenda, unless it is under way."""
        if item.key not in self._waiting:
            self._waiting[item.key] = item
            self._pages_due.put(item.key, item.due)

    def _set_back(self, began: datetime) -> timedelta:
        """How far the clock was set back since then. The agenda minds that for what is on it; what
        was being written meanwhile is due by the clock of before."""
        return max(began - self._clock(), timedelta(0))

    def _take_up(self, writes: Iterable[Write], set_back: timedelta) -> None:
        """Bring memory up to what was written about entries."""
        for write in writes:
            if write.due is not None:
                self._expect(Waiting.of(write.key, write.entry, write.due - set_back))
            elif self._waiting.pop(write.key, None) is not None:
                self._pages_due.drop(write.key)

    async def _poll(self, url: str, site: Site, release: Release) -> None:
        polled = self._feeds[url]
        came = await self._poller.ask(polled, site)
        async with self._outcomes:
            release()
            began = self._clock()
            decision = await self._poller.write(polled, came)
        set_back = self._set_back(began)
        self._polls_due.put(url, decision.due - set_back)
        self._take_up(decision.writes, set_back)

    async def _page(self, key: str, site: Site, release: Release) -> None:
        item = self._waiting.get(key)
        if item is None:  # another link has brought its article meanwhile
            site.end()
            return
        try:
            await self._mind_others(item, site)
        except BaseException:
            site.end()
            raise
        source, _ = self._configured[item.feed]
        came = await self._pager.look_at(item, site)
        async with self._outcomes:
            release()
            began = self._clock()
            settled = await self._pager.write(item, source, came)
        self._waiting.pop(key, None)
        self._take_up(settled.writes, self._set_back(began))
        if polled := self._feeds.get(item.feed):
            await self._round.note_page(polled, came, settled)

    async def _mind_others(self, item: Waiting, site: Site) -> None:
        """A page may be on another site than its feed, and that site another instance's. Rows
        cannot be handed over, so it is visited from here, but so slowly that all instances
        together ask it at most twice as often as one."""
        if site.name == item.site or site.name in self._judged:
            return
        if not await self._ledger.call(lambda stage: stage.owns(site.name)):
            self._visits.share(site.name, float(self._instances))
        self._judged.add(site.name)

    async def _job(
        self,
        job: Callable[[str, Site, Release], Awaitable[None]],
        name: str,
        site: Site,
        release: Release,
    ) -> None:
        """Run a job; what it cannot handle ends the work."""
        try:
            await job(name, site, release)
        except LogUnavailable:
            return  # stopping: the row is due as it was
        except Exception as error:
            self._failure = self._failure or error
        self._wake.set()

    async def _drain(self) -> None:
        """Start nothing more; give what is under way its time; the rest is in the tables."""
        sites = self._visits.sites()
        await asyncio.gather(*(site.close() for site in sites))
        running = {task for site in sites for task in site.started}
        if running:
            _, late = await asyncio.wait(running, timeout=self._options.stop_s)
            if late:
                log.info("requests_given_up", count=len(late))
                for task in late:
                    task.cancel()
                await asyncio.wait(late, timeout=1.0)
        for site in sites:
            site.reset()


def _configured(sources: Iterable[Source]) -> dict[str, tuple[Source, Feed]]:
    """Feeds by address. One configured twice is polled once, for the first source."""
    feeds: dict[str, tuple[Source, Feed]] = {}
    for source in sources:
        for feed in source.feeds:
            try:
                site_of(feed.url)
            except FetchError as error:
                log.error("feed_not_polled", feed=feed.url, source=source.id, error=str(error))
                continue
            if feed.url in feeds:
                log.warning("feed_configured_twice", feed=feed.url, source=source.id)
                continue
            feeds[feed.url] = (source, feed)
    return feeds
