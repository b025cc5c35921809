"""Past news into a lane of its own.

    sitemap, list ─▶ met? ─▶ lane of the site: fetch, extract ─┐
    JSON lines ────▶ met? ─────────────────────────────────────┼─▶ rasid.articles.backfill
    WARC ──────────▶ met? ─▶ extract ──────────────────────────┘

What was written is what is known: a run that was broken off, or is made again, reads the lane
and leaves out what is in it, as it leaves out what the live lane has met. What failed is tried
again. Nothing is handed on while the other stages have as much to read as they can in a moment,
so that live news finds them free.

A run fetches beside the collectors, which it cannot see. So it asks a site whose feeds are
polled at half the pace, and leaves alone for a while one that has told them to.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from collectors.archives import Bad, Captured, Given, Item, Kind, Listed, kind_of, read_file
from collectors.articles import Found, Tries, language_of, settle, text_hash
from collectors.catalogue import Source
from collectors.errors import ExtractError, FetchError
from collectors.extract import Extracted, extract_page
from collectors.fetch import Clock, Fetcher, user_agent
from collectors.guard import AddressGuard
from collectors.ledger import Ledger, View
from collectors.options import CollectOptions
from collectors.pager import fetch_page
from collectors.pool import Pool
from collectors.schedule import rests_s, retry_page
from collectors.sitemaps import WHOLE_BYTES, Sitemap, read_sitemap
from collectors.urls import article_id, canonical_url, site_of
from collectors.visits import Visits
from streams.errors import LogUnavailable, Malformed
from streams.log import Log
from streams.records import BACKFILL, ENTRIES, FEEDS, Article, Entry, FeedState, decode, encode

STAGE: Final = "backfill"
SEAT_S: Final = 10.0
AHEAD: Final = 500  # records that a stage may have to read before it is given more
_LOOK_S: Final = 0.5  # between two looks at how far the stages are
_IN_HAND: Final = 2_000  # pages between their file and the log
_BATCH: Final = 100  # articles that need no fetching, in one commit
_DEPTH: Final = 4  # an index of indexes of sitemaps; deeper is a circle or a trap
_SITEMAP_S: Final = 60.0  # one of 50,000 addresses in the pool
_FED: Final = ("process", "alert")

T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """What became of the records so far. `waits`: the stages have enough to read."""

    read: int = 0
    written: int = 0
    met: int = 0  # in the log before
    older: int = 0  # than what was asked for
    failed: int = 0  # pages that gave no article
    bad: int = 0  # records that cannot be used
    waits: bool = False

    @property
    def under_way(self) -> int:
        """Read, and still to be fetched, extracted or written."""
        return self.read - self.written - self.met - self.older - self.failed - self.bad


class Busy(LogUnavailable):
    """Another run is at it."""


class Backfill:
    """One run. `tell` hears of each record that gave no article, in a line; `show` is called
    whenever the tally has changed. `since`: what was published before is left out."""

    def __init__(
        self,
        log: Log,
        options: CollectOptions,
        *,
        polled: Sequence[Source],
        catalogue: Iterable[Source],
        clock: Clock,
        tell: Callable[[str], None],
        show: Callable[[Tally], None] = lambda tally: None,
        since: datetime | None = None,
        alerts: bool = False,
        make_pool: Callable[[int], Pool] = Pool,
    ) -> None:
        self.tally = Tally()
        self._log = log
        self._options = options
        self._sources = _Sources((*polled, *catalogue))
        self._shared = {site_of(feed.url) for source in polled for feed in source.feeds}
        self._clock = clock
        self._tell = tell
        self._show = show
        self._since = since
        self._alerts = alerts
        self._make_pool = make_pool
        self._met: set[bytes] = set()
        self._batch: list[Article] = []
        self._looked_at = 0.0

    def run(self, inputs: Sequence[str]) -> Tally:
        """Read `inputs` (addresses of sitemaps, and paths) to their end. Blocks.

        Raises OSError when a file cannot be opened, Busy, LogError."""
        kinds = {path: kind_of(Path(path)) for path in inputs if "://" not in path}
        return asyncio.run(self._main(inputs, kinds))

    async def _main(self, inputs: Sequence[str], kinds: dict[str, Kind]) -> Tally:
        options = self._options
        ledger = Ledger(self._log.stage(STAGE), gather_s=options.gather_s)
        self._ledger = ledger
        self._pool = self._make_pool(options.processes)
        fetcher = Fetcher(
            guard=AddressGuard(options.allow_networks),
            user_agent=user_agent(options.contact),
            clock=self._clock,
            connections=options.pages_at_once,
        )
        self._visits = Visits(
            fetcher, delay_s=options.site_delay_s, timeout_s=options.request_timeout_s
        )
        for name in self._shared:
            self._visits.share(name, 2.0)
        self._slots = asyncio.Semaphore(options.pages_at_once)
        in_hand = asyncio.Semaphore(_IN_HAND)
        try:
            if not await ledger.acquire(SEAT_S):
                raise Busy("another backfill is at it; one at a time", reason="locked")
            self._met = await asyncio.to_thread(met, self._log)
            now = self._clock()
            for url, wait_s in (await asyncio.to_thread(resting, self._log, now)).items():
                self._visits.site(url).pause(wait_s)
            async with (
                fetcher,
                aclosing(self._items(inputs, kinds)) as items,
                asyncio.TaskGroup() as tasks,
            ):
                async for item in items:
                    await self._room()
                    work = await self._take(item)
                    if work is not None:
                        await in_hand.acquire()
                        task = tasks.create_task(work)
                        task.add_done_callback(lambda _: in_hand.release())
                await self._write_batch()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            ledger.close()
            self._pool.close()
        return self.tally

    # --- what there is ------------------------------------------------------------------------

    async def _items(
        self, inputs: Sequence[str], kinds: dict[str, Kind]
    ) -> AsyncGenerator[Item, None]:
        for name in inputs:
            kind = kinds.get(name, "sitemap")
            if kind == "sitemap":
                async for item in self._sitemaps(name, is_file=name in kinds):
                    yield item
                continue
            for item in read_file(Path(name), kind, now=self._clock()):
                yield item
                await asyncio.sleep(0)

    async def _sitemaps(self, first: str, *, is_file: bool) -> AsyncGenerator[Item, None]:
        """The pages of a sitemap, and of those that an index lists, one after the other."""
        waiting = deque([(first, 1)])
        listed = {first}
        while waiting:
            url, depth = waiting.popleft()
            try:
                found = await self._sitemap(url, is_file=is_file and url == first)
            except (FetchError, ExtractError) as error:
                yield Bad(url, str(error))
                continue
            if found.torn:
                yield Bad(url, f"ends in the middle; its whole entries are used: {found.torn}")
            if found.unusable:
                yield Bad(url, f"{found.unusable} entries without an address")
            for place in found.places:
                dated = place.changed or place.published
                if self._since is not None and dated is not None and dated < self._since:
                    if not found.is_index:
                        self._count("older", read=1)
                elif not found.is_index:
                    yield Listed(place.url, url, place.title, place.published)
                elif depth >= _DEPTH:
                    yield Bad(place.url, f"an index within {depth} others; not followed")
                elif place.url not in listed:
                    listed.add(place.url)
                    waiting.append((place.url, depth + 1))

    async def _sitemap(self, url: str, *, is_file: bool) -> Sitemap:
        if is_file:
            body, content_type = await asyncio.to_thread(Path(url).read_bytes), ""
        else:
            answer = await self._visits.fetch(url, accept="*/*", max_bytes=WHOLE_BYTES)
            body, content_type, url = answer.body, answer.content_type, answer.url
        found: Sitemap = await self._pool.run(
            read_sitemap, body, url=url, content_type=content_type, now=self._clock(),
            timeout_s=_SITEMAP_S,
        )  # fmt: skip
        return found

    # --- what becomes of it -------------------------------------------------------------------

    async def _take(self, item: Item) -> Coroutine[Any, Any, None] | None:
        """Count a record, and begin with it; what is left to do for it, if it takes time."""
        if isinstance(item, Bad):
            self._tell(f"{item.where}: {item.error}")
            self._count("bad", read=1)
            return None
        if not self._is_new(article_id(canonical_url(item.url))):
            self._count("met", read=1)
            return None
        self._count("", read=1)
        if isinstance(item, Listed):
            return self._fetch(item)
        if isinstance(item, Captured):
            return self._extract(item)
        self._batch.append(self._given(item))
        if len(self._batch) >= _BATCH:
            await self._write_batch()
        return None

    async def _fetch(self, item: Listed) -> None:
        options = self._options
        attempts = 0
        while True:
            came = await self._turn(item)
            if isinstance(came, Found):
                await self._found(item, came)
                return
            attempts += 1
            due = None
            now = self._clock()
            if came.retryable or came.reason == "crashed":
                due = retry_page(
                    attempts, tries=options.page_tries, first_s=options.page_retry_s,
                    retry_after_s=getattr(came, "retry_after_s", None), now=now,
                )  # fmt: skip
            if due is None:
                self._failed(item, came)
                return
            await asyncio.sleep((due - now).total_seconds())

    async def _turn(self, item: Listed) -> Found | FetchError | ExtractError:
        """Wait in the lane of the site, then look at the page."""
        site = self._visits.site(item.url)
        came: asyncio.Future[Found | FetchError | ExtractError] = asyncio.Future()

        async def look(release: Callable[[], None]) -> None:
            try:
                found: Found | FetchError | ExtractError = await fetch_page(
                    item.url, self._visits, self._pool, holding=site, now=self._clock(),
                    extract_timeout_s=self._options.extract_timeout_s,
                )  # fmt: skip
            except (FetchError, ExtractError) as error:
                found = error
            except Exception as error:  # nobody foresaw it: it ends the run
                came.set_exception(error)
                return
            if not came.done():
                came.set_result(found)

        site.add_page(look, self._slots, is_live=False)
        return await came

    async def _extract(self, item: Captured) -> None:
        try:
            page: Extracted = await self._pool.run(
                extract_page, item.body, url=item.url, content_type=item.content_type,
                now=self._clock(), timeout_s=self._options.extract_timeout_s,
            )  # fmt: skip
        except ExtractError as error:
            self._failed(item, error)
            return
        await self._found(item, Found(page, item.url))

    async def _found(self, item: Listed | Captured, came: Found) -> None:
        """A page was read: write its article, unless that came by another address."""
        now = self._clock()
        linked = article_id(canonical_url(item.url))
        its = item if isinstance(item, Listed) else Listed(item.url, item.where)
        site = site_of(item.url)
        entry = Entry(
            article_id=linked, source="", feed="", site=site, url=item.url, title=its.title,
            published=its.published, seen=now, updated=now,
        )  # fmt: skip
        source = self._sources.of(item.url, its.source)
        settled = settle(
            f"{site}/{linked}", entry, came, source, now=now, tries=Tries(1, 0.0),
            look=lambda _: None,
        )  # fmt: skip
        assert settled.article is not None, "a page found, and nothing to hold it against"
        article = msgspec.structs.replace(settled.article, alerts=self._alerts)
        if self._is_old(article.published):
            self._count("older")
        elif article.id != linked and not self._is_new(article.id):
            self._count("met")
        else:
            await self._write([article])

    def _given(self, item: Given) -> Article:
        now = self._clock()
        source = self._sources.of(item.url, item.source)
        return Article(
            id=article_id(canonical_url(item.url)),
            url=item.url,
            linked_url=item.url,
            source=source.id,
            source_name=source.name,
            feed="",
            title=item.title,
            text=item.text,
            language=language_of(item.text, item.language, source.language),
            country=source.country,
            authors=item.authors,
            published=item.published,
            seen=now,
            fetched=now,
            text_hash=text_hash(item.title, item.text),
            alerts=self._alerts,
        )

    async def _write_batch(self) -> None:
        batch, self._batch = self._batch, []
        await self._write([article for article in batch if not self._is_old(article.published)])
        self._count("older", sum(self._is_old(article.published) for article in batch))

    async def _write(self, articles: Sequence[Article]) -> None:
        def append(view: View) -> None:
            for article in articles:
                view.tx.append(BACKFILL, article.id, encode(article))

        if articles:
            await self._ledger.decide(append)
            self._count("written", len(articles))

    async def _room(self) -> None:
        """Return once the stages have little to read. Where none has ever worked on this log,
        nothing is waited for."""
        while (now := time.monotonic()) - self._looked_at > _LOOK_S:
            lag = await asyncio.to_thread(self._log.lag)
            self.tally.waits = any(sum(lag.get(stage, {}).values()) > AHEAD for stage in _FED)
            self._show(self.tally)
            if not self.tally.waits:
                self._looked_at = now
                return
            await asyncio.sleep(_LOOK_S)

    def _is_new(self, identity: str) -> bool:
        """Whether it is met for the first time; from now on it has been."""
        key = bytes.fromhex(identity)
        is_new = key not in self._met
        self._met.add(key)
        return is_new

    def _is_old(self, published: datetime | None) -> bool:
        return self._since is not None and published is not None and published < self._since

    def _failed(self, item: Listed | Captured, error: FetchError | ExtractError) -> None:
        self._tell(f"{item.where}: {error}")
        self._count("failed")

    def _count(self, what: str, by: int = 1, *, read: int = 0) -> None:
        if what:
            setattr(self.tally, what, getattr(self.tally, what) + by)
        self.tally.read += read
        self._show(self.tally)


class _Sources:
    """Publishers, by id and by the sites of their front pages and feeds."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._by_id: dict[str, Source] = {}
        self._by_site: dict[str, Source] = {}
        for source in sources:
            self._by_id.setdefault(source.id, source)
            for url in (source.homepage, *(feed.url for feed in source.feeds)):
                if url:
                    self._by_site.setdefault(site_of(url), source)

    def of(self, url: str, named: str) -> Source:
        """Who published an article: as its record says, else whose site it is."""
        site = site_of(url)
        found = self._by_id.get(named) or (None if named else self._by_site.get(site))
        return found or Source(id=site, name=named or site)


def met(log: Log) -> set[bytes]:
    """The articles that are in the lane, by the addresses they were linked and named by, and
    the entries that the collectors have read or are about to.

    Raises LogError."""
    found: set[bytes] = set()
    for message in _all(lambda: log.read(BACKFILL)):
        found.add(_id(message.key))
        with suppress(msgspec.DecodeError, FetchError):
            linked = _linked.decode(message.value).linked_url
            found.add(_id(article_id(canonical_url(linked))))
    for row in _all(lambda: log.rows(ENTRIES)):
        with suppress(msgspec.DecodeError):
            entry = _fate.decode(row.value)
            if entry.revision > 0 or entry.status == "waiting":
                found.add(_id(row.key.rpartition("/")[2]))
    return found


def resting(log: Log, now: datetime) -> dict[str, float]:
    """Feeds whose sites have asked the collectors to be left alone, by address, and for how many
    seconds more. Raises LogError."""
    found = {}
    for row in _all(lambda: log.rows(FEEDS)):
        with suppress(Malformed):
            wait_s = rests_s(decode(FeedState, row.value), row.due, now)
            if wait_s > 0:
                found[row.key.partition("/")[2]] = wait_s
    return found


class _Linked(msgspec.Struct):
    linked_url: str


class _Fate(msgspec.Struct):
    status: str
    revision: int


_linked: Final = msgspec.json.Decoder(_Linked)
_fate: Final = msgspec.json.Decoder(_Fate)


def _all(read: Callable[[], Iterator[T]]) -> Iterator[T]:
    with suppress(KeyError):  # nothing of the kind was written yet
        yield from read()


def _id(key: str) -> bytes:
    """16 bytes for 32 digits. A key that is none is met by no address."""
    try:
        return bytes.fromhex(key)
    except ValueError:
        return key.encode()
