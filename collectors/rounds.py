"""Looking after the feeds: notes what their pages give, and tells the operators of a change.

feeds polled ─▶ health changed? ─▶ what was told, into their rows, and one notice of all of
                                   them into rasid.alerts: one transaction
"""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Final

import structlog
from msgspec.structs import replace

from collectors.articles import Found, Lost, Settlement
from collectors.fetch import Clock
from collectors.health import Change, changed, notice, tally
from collectors.ledger import Ledger, View
from collectors.poller import Polled
from collectors.rows import put_feed, state_key
from streams.records import ALERTS, FEEDS, encode

log = structlog.get_logger(__name__)

# The first change is told at once. When a network fails, feed follows feed: they are told together.
BETWEEN: Final = timedelta(hours=1)
_AT_ONCE: Final = 500  # feeds looked at before others may use the loop


class HealthRound:
    """`operators` names the receiver; without one, changes are only logged and remembered."""

    def __init__(self, operators: str, *, ledger: Ledger, clock: Clock) -> None:
        self._operators = operators
        self._ledger = ledger
        self._clock = clock
        self._told: datetime | None = None

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
        if self._told is not None and timedelta() <= now - self._told < BETWEEN:
            return
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
        self._told = now
        for polled, change in changes:
            reasons = [each.reason for each in change.ailments]
            told = {"feed": polled.feed.url, "source": polled.source.id}
            if reasons:
                log.warning("feed_unwell", reasons=reasons, why=change.ailments[0].why, **told)
            else:
                log.info("feed_well_again", **told)

    def _write(self, view: View, changes: list[tuple[Polled, Change]], now: datetime) -> None:
        for _, change in changes:
            row = view.get(FEEDS, state_key(change.state))
            put_feed(view, change.state, row.due if row else None)
        if self._operators:
            named = [(polled.source.name, change) for polled, change in changes]
            alert = notice(self._operators, named, now)
            view.tx.append(ALERTS, alert.receiver, encode(alert))
