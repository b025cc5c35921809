"""Pacing: when a site may be asked next.

A site with a delay is asked one thing at a time, and again only after the delay; without
one, eight things at a time. After a 429 it is left alone. A site's jobs wait in its lane,
which chooses when the site is free, not before: polls first, but never two while pages wait
(a feed polled every second must not starve them); of the pages those of live news first.
"""

import asyncio
import heapq
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 8  # requests at once to a site without delay
LONGEST_CRAWL_DELAY_S: Final = 30.0
PAUSE_S: Final = 30.0  # after a 429 that does not say how long
_LONGEST_PAUSE_S = 600.0  # longer, and articles would wait for it

# A job is called with the site's turn taken, and gives it back by `site.end()`. It holds a
# slot, which it may give back before it ends by calling what it is called with.
Job = Callable[[Callable[[], None]], Awaitable[None]]


class Site:
    """Pace and waiting jobs of one site. Lives in one event loop."""

    def __init__(self, name: str, delay_s: float) -> None:
        self.name = name
        self._delay_s = delay_s
        self._crawl_delay_s = 0.0
        self._next_at = 0.0  # on the monotonic clock
        self._running = 0
        self._changed = asyncio.Event()
        self._polls: deque[_Queued] = deque()
        self._pages: list[tuple[int, int, _Queued]] = []
        self._order = itertools.count()
        self._polled_last = False
        self._lane: asyncio.Task[None] | None = None
        self._started: set[asyncio.Task[None]] = set()

    @property
    def delay_s(self) -> float:
        return max(self._delay_s, self._crawl_delay_s)

    @property
    def idle(self) -> bool:
        """Nothing runs, waits, or has to be remembered."""
        return not (
            self._polls or self._pages or self._running or self._lane or self._started
        ) and (time.monotonic() > self._next_at + self.delay_s)

    def set_delay(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._changed.set()

    def slow_down(self, crawl_delay_s: float) -> None:
        """What robots.txt asks for, within reason; it only ever raises the delay."""
        self._crawl_delay_s = min(crawl_delay_s, LONGEST_CRAWL_DELAY_S)

    def pause(self, wait_s: float | None) -> None:
        """After a 429: leave the site alone for what it asks, or 30 s."""
        wait_s = PAUSE_S if wait_s is None else min(wait_s, _LONGEST_PAUSE_S)
        self._next_at = max(self._next_at, time.monotonic() + wait_s)

    def add_poll(self, job: Job, slots: asyncio.Semaphore) -> None:
        """Queue a poll. It runs holding one of `slots`."""
        self._polls.append(_Queued(job, slots))
        self._open_lane()

    def add_page(self, job: Job, slots: asyncio.Semaphore, *, is_live: bool) -> None:
        """Queue a page. It runs holding one of `slots`."""
        urgency = 0 if is_live else 1
        heapq.heappush(self._pages, (urgency, next(self._order), _Queued(job, slots)))
        self._open_lane()

    async def opening(self) -> None:
        """Return when the site may be asked; call `begin` before anything is awaited."""
        while not self._open:
            if self._is_full:
                self._changed.clear()
                await self._changed.wait()
            else:
                await asyncio.sleep(min(max(self._next_at - time.monotonic(), 0.0), 1.0))

    @property
    def _is_full(self) -> bool:
        return self._running >= (1 if self.delay_s > 0 else WIDTH)

    @property
    def _open(self) -> bool:
        return not self._is_full and self._next_at <= time.monotonic()

    def begin(self) -> None:
        self._running += 1
        self._next_at = max(self._next_at, time.monotonic() + self.delay_s)

    def end(self) -> None:
        """A request is over. The delay counts from here."""
        self._running -= 1
        self._next_at = max(self._next_at, time.monotonic() + self.delay_s)
        self._changed.set()

    async def close(self) -> None:
        """Start nothing more; jobs that have not begun are forgotten (their rows are not)."""
        self._polls.clear()
        self._pages.clear()
        if self._lane is not None:
            self._lane.cancel()
            await asyncio.wait([self._lane])

    def reset(self) -> None:
        """After `close`, once nothing is under way: begin afresh, the pace kept."""
        self._running = len(self._started)

    @property
    def started(self) -> set[asyncio.Task[None]]:
        """Jobs under way."""
        return self._started

    def _open_lane(self) -> None:
        if self._lane is None:
            self._lane = asyncio.create_task(self._drive())

    async def _drive(self) -> None:
        """The lane: begin the next job whenever the site is free."""
        try:
            while (queued := self._next()) is not None:
                await self.opening()
                await queued.slots.acquire()
                if not self._open or self._next() is not queued:
                    queued.slots.release()  # overtaken meanwhile: by a redirect, or a poll
                    continue
                self._polled_last = bool(self._polls) and self._polls[0] is queued
                if self._polled_last:
                    self._polls.popleft()
                else:
                    heapq.heappop(self._pages)
                self.begin()
                task = asyncio.create_task(self._run(queued))
                self._started.add(task)
                task.add_done_callback(self._started.discard)
        finally:
            self._lane = None

    def _next(self) -> "_Queued | None":
        if self._polls and not (self._polled_last and self._pages):
            return self._polls[0]
        return self._pages[0][2] if self._pages else None

    async def _run(self, queued: "_Queued") -> None:
        held = [queued.slots]

        def release() -> None:
            if held:
                held.pop().release()

        try:
            await queued.job(release)
        finally:
            release()


@dataclass(frozen=True, slots=True, eq=False)
class _Queued:
    job: Job
    slots: asyncio.Semaphore
