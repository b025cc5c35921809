"""Pacing: how often a site is asked, and what comes first."""

import asyncio
import time
from collections.abc import Callable

import pytest

from collectors import visits
from collectors.sites import Job, Site


class Jobs:
    """Jobs that note when they began, and end at once or when told."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.began: list[str] = []
        self.times: list[float] = []
        self.running = 0
        self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.slots = asyncio.Semaphore(100)

    def job(self, name: str) -> Job:
        async def run(release: Callable[[], None]) -> None:
            self.began.append(name)
            self.times.append(time.monotonic())
            self.running += 1
            self.most = max(self.most, self.running)
            await self.gate.wait()
            self.running -= 1
            self.site.end()

        return run

    def poll(self, name: str) -> None:
        self.site.add_poll(self.job(name), self.slots)

    def page(self, name: str, *, is_live: bool = True) -> None:
        self.site.add_page(self.job(name), self.slots, is_live=is_live)

    async def began_all(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.began) < count:
                await asyncio.sleep(0)


def test_live_pages_go_before_old_ones_and_polls_before_both_but_not_twice() -> None:
    async def go() -> list[str]:
        jobs = Jobs(Site("example.com", delay_s=0.001))
        jobs.page("old 1", is_live=False)
        jobs.page("old 2", is_live=False)
        jobs.page("live 1")
        jobs.page("live 2")
        jobs.poll("poll 1")
        jobs.poll("poll 2")
        await jobs.began_all(6)
        return jobs.began

    assert asyncio.run(go()) == ["poll 1", "live 1", "poll 2", "live 2", "old 1", "old 2"]


def test_a_site_with_a_delay_is_asked_one_thing_at_a_time_with_the_delay_between() -> None:
    async def go() -> tuple[int, list[float]]:
        jobs = Jobs(Site("example.com", delay_s=0.05))
        for name in "abc":
            jobs.page(name)
        await jobs.began_all(3)
        return jobs.most, jobs.times

    most, times = asyncio.run(go())
    assert most == 1
    assert min(times[1] - times[0], times[2] - times[1]) >= 0.049


def test_a_site_without_a_delay_is_asked_eight_things_at_once() -> None:
    async def go() -> tuple[int, int]:
        jobs = Jobs(Site("example.com", delay_s=0.0))
        jobs.gate.clear()
        for number in range(20):
            jobs.page(str(number))
        await jobs.began_all(8)
        for _ in range(50):
            await asyncio.sleep(0)
        held = len(jobs.began)
        jobs.gate.set()
        await jobs.began_all(20)
        return held, jobs.most

    assert asyncio.run(go()) == (8, 8)


def test_a_crawl_delay_raises_the_delay_within_reason() -> None:
    async def go() -> list[float]:
        site = Site("example.com", delay_s=5.0)
        delays = []
        for asked in (0.0, 10.0, 86400.0):
            site.slow_down(asked)
            delays.append(site.delay_s)
        return delays

    assert asyncio.run(go()) == [5.0, 10.0, 30.0]


async def opens_within(site: Site, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await site.opening()
    except TimeoutError:
        return False
    return True


def test_after_a_429_the_site_is_left_alone_for_what_it_asks_or_half_a_minute() -> None:
    async def go(asked: float | None, seconds: float) -> bool:
        site = Site("example.com", delay_s=0.0)
        site.pause(asked)
        return await opens_within(site, seconds)

    assert asyncio.run(go(0.08, 0.05)) is False
    assert asyncio.run(go(0.08, 2.0)) is True
    assert asyncio.run(go(None, 0.2)) is False


def test_closing_forgets_what_has_not_begun() -> None:
    async def go() -> list[str]:
        jobs = Jobs(Site("example.com", delay_s=0.0))
        jobs.slots = asyncio.Semaphore(1)
        jobs.gate.clear()
        jobs.page("begun")
        jobs.page("not begun")
        await jobs.began_all(1)
        await jobs.site.close()
        jobs.gate.set()
        await asyncio.wait(jobs.site.started)
        jobs.site.reset()
        return jobs.began

    assert asyncio.run(go()) == ["begun"]


def test_sites_at_rest_are_forgotten_those_with_a_pace_to_keep_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(visits, "_FORGET_ABOVE", 10)
    known = visits.Visits(None, delay_s=0.0)  # type: ignore[arg-type]
    known.site("https://rests.org/").pause(60)
    for number in range(100):
        known.site(f"https://s{number}.org/")
    assert len(known.sites()) < 30
    assert not known.site("https://rests.org/").idle
    for number in range(100):
        known.site(f"https://busy{number}.org/").pause(60)
    assert sum(not site.idle for site in known.sites()) == 101
