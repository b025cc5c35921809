"""robots.txt: what it allows, and what its absence means."""

import asyncio

import pytest

from collectors.errors import FetchError
from collectors.robots import Robots


class World:
    """A robots.txt that a test rewrites, and a clock that it moves."""

    def __init__(self, text: bytes | FetchError) -> None:
        self.text = text
        self.now = 1000.0
        self.asked: list[str] = []
        self.robots = Robots(self._fetch, monotonic=lambda: self.now)

    async def _fetch(self, url: str) -> bytes:
        self.asked.append(url)
        await asyncio.sleep(0)
        if isinstance(self.text, FetchError):
            raise self.text
        return self.text

    def check(self, url: str) -> float:
        return asyncio.run(self.robots.check(url))

    def refusal(self, url: str) -> FetchError:
        with pytest.raises(FetchError) as caught:
            self.check(url)
        return caught.value


def answered(status: int) -> FetchError:
    reason = "server_error" if status >= 500 else "not_found"
    return FetchError("no", reason=reason, status=status)


def test_its_rules_for_rasid_stand_above_those_for_all() -> None:
    world = World(
        b"User-agent: *\nDisallow: /\n\nUser-agent: rasid\nDisallow: /admin\nCrawl-delay: 7\n"
    )
    assert world.check("https://example.com/news/1") == 7.0
    assert world.refusal("https://example.com/admin/x").reason == "robots"
    assert world.asked == ["https://example.com/robots.txt"]


def test_each_origin_has_its_own() -> None:
    world = World(b"User-agent: *\nAllow: /")
    for url in ("http://a.example/", "https://a.example/", "https://a.example:8443/"):
        world.check(url)
    assert world.asked == [
        "http://a.example/robots.txt",
        "https://a.example/robots.txt",
        "https://a.example:8443/robots.txt",
    ]


@pytest.mark.parametrize("text", [b"", answered(404), answered(403), answered(410)])
def test_none_allows_everything(text: bytes | FetchError) -> None:
    assert World(text).check("https://example.com/a") == 0.0


def test_binary_nonsense_allows_everything() -> None:
    assert World(bytes(range(256)) * 50).check("https://example.com/a") == 0.0


@pytest.mark.parametrize(
    "error",
    [
        answered(500),
        answered(503),
        FetchError("busy", reason="rate_limited", status=429, retry_after_s=120.0),
    ],
)
def test_a_server_that_fails_forbids_for_now(error: FetchError) -> None:
    world = World(error)
    refusal = world.refusal("https://example.com/a")
    assert (refusal.reason, refusal.retryable) == ("robots_unreachable", True)
    world.refusal("https://example.com/b")
    assert len(world.asked) == 1, "not asked again at once"
    world.now += 121
    world.text = b"User-agent: *\nDisallow: /b"
    assert world.check("https://example.com/a") == 0.0
    assert world.refusal("https://example.com/b").reason == "robots"


@pytest.mark.parametrize(("reason", "retryable"), [("dns", True), ("address", False)])
def test_a_host_that_cannot_be_reached_is_told_as_that(reason: str, retryable: bool) -> None:
    error = FetchError("no way", reason=reason, retryable=retryable)
    refusal = World(error).refusal("https://example.com/a")
    assert (refusal.reason, refusal.retryable) == (reason, retryable)


def test_it_is_read_again_after_a_day_and_the_old_one_serves_while_it_cannot_be() -> None:
    world = World(b"User-agent: *\nDisallow: /b")
    world.check("https://example.com/a")
    world.now += 86401
    world.text = answered(500)
    assert world.check("https://example.com/a") == 0.0
    assert world.refusal("https://example.com/b").reason == "robots"
    assert len(world.asked) == 2
    world.now += 8 * 86400
    assert world.refusal("https://example.com/a").reason == "robots_unreachable"


def test_many_who_wait_for_it_ask_once() -> None:
    world = World(b"")

    async def many() -> None:
        await asyncio.gather(*(world.robots.check(f"https://example.com/{i}") for i in range(20)))

    asyncio.run(many())
    assert len(world.asked) == 1
