"""One page: look at it (fetch, extract in the pool), then write (settle, and put the article
and the row into one transaction)."""

from datetime import datetime
from functools import partial

import structlog

from collectors.articles import Found, Lost, Settlement, Tries, settle
from collectors.catalogue import Source
from collectors.clean import TEXT_BYTES
from collectors.errors import ExtractError, FetchError
from collectors.extract import Extracted, entry_text, extract_page
from collectors.fetch import Clock
from collectors.ledger import Ledger, View
from collectors.metrics import CollectMetrics
from collectors.options import CollectOptions
from collectors.polls import words_of
from collectors.pool import Pool
from collectors.rows import Waiting, entry_at, put_entry
from collectors.sites import Site
from collectors.visits import Visits
from streams.records import ARTICLES, encode

log = structlog.get_logger(__name__)


async def fetch_page(
    url: str, visits: Visits, pool: Pool, *, holding: Site, now: datetime, extract_timeout_s: float
) -> Found:
    """Fetch and extract a page, with its site's turn taken. Raises FetchError, ExtractError."""
    response = await visits.fetch(url, holding=holding)
    page: Extracted = await pool.run(
        extract_page,
        response.body,
        url=response.url,
        content_type=response.content_type,
        now=now,
        timeout_s=extract_timeout_s,
    )
    if len(page.text.encode("utf-8", "replace")) > TEXT_BYTES:
        raise ExtractError(f"text of more than {TEXT_BYTES:,} bytes", reason="too_large", url=url)
    return Found(page, response.url)


class Pager:
    def __init__(
        self,
        options: CollectOptions,
        *,
        ledger: Ledger,
        visits: Visits,
        pool: Pool,
        clock: Clock,
        metrics: CollectMetrics,
    ) -> None:
        self._ledger = ledger
        self._visits = visits
        self._pool = pool
        self._clock = clock
        self._metrics = metrics
        self._tries = Tries(options.page_tries, options.page_retry_s)
        self._extract_timeout_s = options.extract_timeout_s

    async def write(self, item: Waiting, source: Source, came: Found | Lost) -> Settlement:
        """Settle what a page means and write it; durable on return. Raises LogError only."""
        now = self._clock()

        def decide(view: View) -> Settlement:
            entry = entry_at(view, item.key)
            if entry is None:
                return Settlement("gone")
            settled = settle(
                item.key, entry, came, source, now=now, tries=self._tries,
                look=partial(entry_at, view),
            )  # fmt: skip
            for write in settled.writes:
                put_entry(view, write)
            if settled.article is not None:
                view.tx.append(ARTICLES, settled.article.id, encode(settled.article))
            return settled

        settled = await self._ledger.decide(decide)
        failure = came.reason if isinstance(came, Lost) else None
        self._metrics.count_page(source.id, settled, failure)
        if failure is not None:
            log.info("page_failed", url=item.url, source=source.id, reason=failure,
                     outcome=settled.outcome)  # fmt: skip
        return settled

    async def look_at(self, item: Waiting, site: Site) -> Found | Lost:
        """Fetch and extract the page, with the site's turn taken. Raises LogError only."""
        with self._metrics.page_seconds():
            return await self._look_at(item, site)

    async def _look_at(self, item: Waiting, site: Site) -> Found | Lost:
        retry_after_s = None
        try:
            return await fetch_page(
                item.url, self._visits, self._pool, holding=site, now=self._clock(),
                extract_timeout_s=self._extract_timeout_s,
            )  # fmt: skip
        except (FetchError, ExtractError) as error:
            reason = error.reason
            may_pass = error.retryable or reason == "crashed"
            if isinstance(error, FetchError):
                retry_after_s = error.retry_after_s
        except Exception:
            log.exception("page_error", url=item.url)
            reason, may_pass = "error", False
        is_last = not may_pass or item.attempts + 1 >= self._tries.most
        own_text = await self._own_text(item) if is_last else ""
        return Lost(reason, may_pass, own_text, retry_after_s)

    async def _own_text(self, item: Waiting) -> str:
        """The entry's own text, as plain paragraphs."""
        entry = await self._ledger.decide(lambda view: entry_at(view, item.key))
        if entry is None or not entry.summary.strip():
            return ""
        try:
            text: str = await self._pool.run(
                entry_text, entry.summary, timeout_s=self._extract_timeout_s
            )
        except Exception as error:
            log.warning("entry_text_failed", url=item.url, error=str(error))
            return words_of(entry.summary)
        return text
