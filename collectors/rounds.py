"""Looking after the feeds: notes what their pages give, and tells the operators of a change.

feeds polled ─▶ health changed? ─▶ what was told, into their rows, and a notice of each
                                   into rasid.alerts: one transaction
"""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Final

import structlog
from msgspec.structs import replace

from collectors.articles import Found, Lost, Settlement
from collectors.fetch import Clock
from collectors.health import Change, changed, tally, told
from collectors.ledger import Ledger, View
from collectors.poller import Polled
from collectors.rows import put_feed, state_key
from streams.notices import notice
from streams.records import FEEDS

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 500  # feeds looked at before others may use the loop


class HealthRound:
    def __init__(self, *, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def note_page(self, polled: Polled, came: Found | Lost, settled: Settlement) -> None:
        """Count what became of a page. Written with the feed's next poll."""
        if settled.outcome in ("retry", "gone"):
            return
        is_bad = isinstance(came, Lost)
        async with polled.lock:
            count = tally(polled.state.lost_pages, (is_bad,))
            error = came.reason if isinstance(came, Lost) else polled.state.page_error
            if (count, error) != (polled.state.lost_pages, polled.state.page_error):
                polled.state = replace(polled.state, lost_pages=count, page_error=error)

    async def walk(self, feeds: Collection[Polled]) -> None:
        """Look at all feeds; durable on return. Raises LogError."""
        now = self._clock()
        found: list[Polled] = []
        for number, polled in enumerate(tuple(feeds)):
            if changed(polled.state, now) is not None:
                found.append(polled)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        if not found:
            return
        async with AsyncExitStack() as stack:
            for polled in found:
                await stack.enter_async_context(polled.lock)
            changes = [(p, it) for p in found if (it := changed(p.state, now)) is not None]
            if not changes:
                return
            await self._ledger.decide(lambda view: self._write(view, changes, now))
            for polled, change in changes:
                polled.state = change.state
        for polled, change in changes:
            reasons = [each.reason for each in change.ailments]
            where = {"feed": polled.feed.url, "source": polled.source.id}
            if reasons:
                log.warning("feed_unwell", reasons=reasons, why=change.ailments[0].why, **where)
            else:
                log.info("feed_well_again", **where)

    @staticmethod
    def _write(view: View, changes: list[tuple[Polled, Change]], now: datetime) -> None:
        for polled, change in changes:
            row = view.get(FEEDS, state_key(change.state))
            put_feed(view, change.state, row.due if row else None)
            is_over = not change.ailments
            notice(
                view.tx,
                f"feed/{change.state.url}",
                told(polled.source.name, change),
                since=(polled.state.unwell_since or now) if is_over else now,
                over=is_over,
            )
