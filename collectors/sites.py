"""Pacing: when a site may be asked next.

A site with a delay is asked one thing at a time, and again only after the delay; without
one, eight things at a time. After a 429 it is left alone. Jobs of a site wait in order of
urgency, polls first, and the most urgent is taken when the site is free, not before.

    site.add(urgency, job)          a lane opens, and closes when no job is left
    async with site.turn(): …       a request outside of the lane (a redirect from elsewhere)
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

WIDTH: Final = 8  # requests at once to a site without delay
LONGEST_CRAWL_DELAY_S: Final = 30.0
PAUSE_S: Final = 30.0  # after a 429 that does not say how long
_LONGEST_PAUSE_S = 600.0  # longer, and articles would wait for it

# A job is called with the site's turn taken, and gives it back by `site.end()`.
Job = Callable[[], Awaitable[None]]


class Site:
    """Pace and waiting jobs of one site. Lives in one event loop."""

    def __init__(self, name: str, delay_s: float) -> None:
        self.name = name
        self._delay_s = delay_s
        self._crawl_delay_s = 0.0
        self._next_at = 0.0  # on the monotonic clock
        self._running = 0
        self._changed = asyncio.Event()
        self._jobs: list[tuple[tuple[float, ...], int, asyncio.Semaphore, Job]] = []
        self._order = itertools.count()
        self._lane: asyncio.Task[None] | None = None
        self._started: set[asyncio.Task[None]] = set()

    @property
    def delay_s(self) -> float:
        return max(self._delay_s, self._crawl_delay_s)

    @property
    def idle(self) -> bool:
        """Nothing runs, waits, or has to be remembered."""
        return not (self._jobs or self._running or self._lane or self._started) and (
            time.monotonic() > self._next_at + self.delay_s
        )

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

    def add(self, urgency: tuple[float, ...], job: Job, slots: asyncio.Semaphore) -> None:
        """Queue a job; the lower `urgency`, the sooner. It runs holding one of `slots`."""
        heapq.heappush(self._jobs, (urgency, next(self._order), slots, job))
        if self._lane is None:
            self._lane = asyncio.create_task(self._drive())

    async def opening(self) -> None:
        """Return when the site may be asked; call `begin` before anything is awaited."""
        while True:
            if self._open:
                return
            wait_s = self._next_at - time.monotonic()
            self._changed.clear()
            if wait_s > 0:
                await asyncio.sleep(min(wait_s, 1.0))
            else:
                await self._changed.wait()

    @property
    def _open(self) -> bool:
        width = 1 if self.delay_s > 0 else WIDTH
        return self._running < width and self._next_at <= time.monotonic()

    def begin(self) -> None:
        self._running += 1
        self._next_at = max(self._next_at, time.monotonic() + self.delay_s)

    def end(self) -> None:
        """A request is over. The delay counts from here."""
        self._running -= 1
        self._next_at = max(self._next_at, time.monotonic() + self.delay_s)
        self._changed.set()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        await self.opening()
        self.begin()
        try:
            yield
        finally:
            self.end()

    async def close(self) -> None:
        """Start nothing more; jobs that have not begun are forgotten (their rows are not)."""
        self._jobs.clear()
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

    async def _drive(self) -> None:
        """The lane: take the most urgent job whenever the site is free."""
        try:
            while self._jobs:
                await self.opening()
                slots = self._jobs[0][2]
                await slots.acquire()
                if not self._open or self._jobs[0][2] is not slots:
                    slots.release()  # overtaken meanwhile: by a redirect, or a poll
                    continue
                _, _, slots, job = heapq.heappop(self._jobs)
                self.begin()
                task = asyncio.create_task(self._run(job, slots))
                self._started.add(task)
                task.add_done_callback(self._started.discard)
        finally:
            self._lane = None

    async def _run(self, job: Job, slots: asyncio.Semaphore) -> None:
        try:
            await job()
        finally:
            slots.release()
