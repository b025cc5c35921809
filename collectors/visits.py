"""Fetching politely: robots.txt and the site's pace in front of every request.

A visit holds the turn of one site at a time. Where a redirect leads to another site, it
gives the first site's turn back before it waits for the other's, so that two visits can
never wait for each other.
"""

from typing import Final

from collectors.errors import FetchError
from collectors.fetch import ACCEPT_PAGE, PAGE_BYTES, Fetcher, Response
from collectors.robots import ROBOTS_BYTES, Robots
from collectors.sites import Site
from collectors.urls import clean_url, site_of

_ROBOTS_TIMEOUT_S: Final = 10.0
_FORGET_ABOVE: Final = 2000  # sites; idle ones go, or when twice those that stayed are known


class Visits:
    """The sites known, their robots.txt, and the one way to fetch from them."""

    def __init__(self, fetcher: Fetcher, *, delay_s: float, timeout_s: float = 30.0) -> None:
        self._sites: dict[str, Site] = {}
        self._slower: dict[str, float] = {}
        self._forget_above = _FORGET_ABOVE
        self.use(fetcher, delay_s=delay_s, timeout_s=timeout_s)
        self._robots = Robots(self._robots_text)

    def use(self, fetcher: Fetcher, *, delay_s: float, timeout_s: float) -> None:
        """Fetch by another session from now on; what is known of the sites stays, but for who
        else asks them."""
        self._slower.clear()
        self._fetcher = fetcher
        self._delay_s = delay_s
        self._timeout_s = timeout_s
        for site in self._sites.values():
            site.set_delay(delay_s)

    def site(self, url: str) -> Site:
        """Raises FetchError(bad_url)."""
        name = site_of(url)
        site = self._sites.get(name)
        if site is None:
            if len(self._sites) >= self._forget_above:
                self._sites = {n: s for n, s in self._sites.items() if not s.idle}
                self._forget_above = max(_FORGET_ABOVE, 2 * len(self._sites))
            site = self._sites[name] = Site(name, self._delay_s * self._slower.get(name, 1.0))
        return site

    def share(self, name: str, factor: float) -> None:
        """Ask a site so many times more slowly, because others ask it too."""
        self._slower[name] = factor
        if name in self._sites:
            self._sites[name].set_delay(self._delay_s * factor)

    def sites(self) -> list[Site]:
        return list(self._sites.values())

    async def fetch(
        self,
        url: str,
        *,
        holding: Site | None = None,
        accept: str = ACCEPT_PAGE,
        etag: str | None = None,
        last_modified: str | None = None,
        max_bytes: int = PAGE_BYTES,
    ) -> Response:
        """Fetch when the site's turn comes. With `holding`, the turn has been taken already;
        it is given back in any case.

        Raises FetchError."""
        visit = _Visit(self, holding)
        try:
            target = clean_url(url)
            await visit.hop(target)
            return await self._fetcher.fetch(
                target,
                accept=accept,
                etag=etag,
                last_modified=last_modified,
                max_bytes=max_bytes,
                timeout_s=self._timeout_s,
                before_hop=visit.hop,
            )
        except FetchError as error:
            if visit.site is not None and (
                error.reason == "rate_limited"
                or (error.status == 503 and error.retry_after_s is not None)
            ):
                visit.site.pause(error.retry_after_s)
            raise
        finally:
            visit.leave()

    async def _robots_text(self, url: str) -> bytes:
        answer = await self._fetcher.fetch(
            url, accept="text/plain, */*;q=0.5", max_bytes=ROBOTS_BYTES, timeout_s=_ROBOTS_TIMEOUT_S
        )
        return answer.body

    async def allow(self, url: str, site: Site) -> None:
        """Raises FetchError when robots.txt does not want it, or cannot be read."""
        site.slow_down(await self._robots.check(url))


class _Visit:
    def __init__(self, visits: Visits, holding: Site | None) -> None:
        self._visits = visits
        self.site = holding

    async def hop(self, url: str) -> None:
        """Be allowed to ask `url` and hold the turn of its site."""
        site = self._visits.site(url)
        if site is not self.site:
            self.leave()
            await site.opening()
            site.begin()
            self.site = site
        await self._visits.allow(url, site)

    def leave(self) -> None:
        if self.site is not None:
            self.site.end()
            self.site = None
