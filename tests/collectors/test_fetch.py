"""The HTTP edge, against a server that misbehaves."""

import asyncio
import gzip
import ipaddress
import re
import socket
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from collectors.errors import HINTS, FetchError
from collectors.fetch import Fetcher, Response, user_agent
from collectors.guard import AddressGuard
from tests.fakes.scripted_server import ScriptedServer, drip, endless, torn

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as it:
        yield it


def fetch(url: str, *, allow: bool = True, **options: object) -> Response:
    async def go() -> Response:
        guard = AddressGuard(LOOPBACK if allow else [])
        async with Fetcher(guard=guard, user_agent="Rasid/test", clock=lambda: NOW) as fetcher:
            return await fetcher.fetch(url, **options)  # type: ignore[arg-type]

    return asyncio.run(go())


def failure(url: str, **options: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(url, **options)
    return caught.value


def test_an_answer_comes_with_what_polling_needs(server: ScriptedServer) -> None:
    headers = {
        "ETag": '"v1"',
        "Last-Modified": "Sun, 01 Mar 2026 11:00:00 GMT",
        "Cache-Control": "max-age=60",
        "Content-Type": "application/rss+xml",
    }
    server.answers["/feed"] = (200, headers, b"<rss/>")
    assert fetch(server.base + "/feed") == Response(
        url=server.base + "/feed",
        status=200,
        body=b"<rss/>",
        content_type="application/rss+xml",
        etag='"v1"',
        last_modified="Sun, 01 Mar 2026 11:00:00 GMT",
        fresh_s=60.0,
    )
    asked = server.asked[0].headers
    assert asked["User-Agent"] == "Rasid/test"
    assert asked["Accept-Encoding"] == "gzip, deflate"
    assert "If-None-Match" not in asked


def test_a_304_is_an_answer_only_to_a_conditional_request(server: ScriptedServer) -> None:
    server.answers["/feed"] = (304, {}, b"")
    answer = fetch(server.base + "/feed", etag='"v1"', last_modified="then")
    assert (answer.status, answer.body) == (304, b"")
    assert server.asked[0].headers["If-None-Match"] == '"v1"'
    assert server.asked[0].headers["If-Modified-Since"] == "then"
    assert failure(server.base + "/feed").reason == "bad_status"


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        (404, "not_found", False),
        (410, "gone", False),
        (401, "forbidden", False),
        (403, "forbidden", False),
        (429, "rate_limited", True),
        (500, "server_error", True),
        (503, "server_error", True),
        (400, "bad_status", False),
    ],
)
def test_a_status_is_a_reason(
    server: ScriptedServer, status: int, reason: str, retryable: bool
) -> None:
    server.answers["/a"] = (status, {"Retry-After": "90"}, b"no")
    error = failure(server.base + "/a")
    assert (error.reason, error.retryable, error.status) == (reason, retryable, status)
    assert error.retry_after_s == 90.0
    assert error.url == server.base + "/a"


def test_redirects_are_followed_and_the_permanent_ones_reported(server: ScriptedServer) -> None:
    server.answers["/old"] = (301, {"Location": "/new"}, b"")
    server.answers["/new"] = (302, {"Location": "/today"}, b"")
    server.answers["/today"] = (200, {}, b"here")
    answer = fetch(server.base + "/old")
    assert answer.body == b"here"
    assert answer.url == server.base + "/today"
    assert answer.moved_to == server.base + "/new"


def test_a_redirect_to_raw_arabic_is_understood(server: ScriptedServer) -> None:
    async def away(request: object) -> object:
        from aiohttp import web

        return web.Response(status=302, headers={"Location": "/خبر"})

    server.answers["/a"] = away
    server.answers["/خبر"] = (200, {}, b"here")
    server.answers["/%D8%AE%D8%A8%D8%B1"] = (200, {}, b"here")
    assert fetch(server.base + "/a").body == b"here"


def test_each_redirect_is_announced_before_it_is_followed(server: ScriptedServer) -> None:
    server.answers["/a"] = (302, {"Location": "/private"}, b"")

    async def refuse(url: str) -> None:
        raise FetchError("no", reason="robots", url=url)

    error = failure(server.base + "/a", before_hop=refuse)
    assert (error.reason, error.url) == ("robots", server.base + "/private")
    assert server.counts() == {"/a": 1}


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://10.0.0.1/",
        "http://[::1]:80/",
    ],
)
def test_a_redirect_to_an_address_inside_is_refused(server: ScriptedServer, target: str) -> None:
    server.answers["/a"] = (302, {"Location": target}, b"")
    assert failure(server.base + "/a").reason == "address"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.com/", "javascript:x"])
def test_a_redirect_to_another_scheme_is_refused(server: ScriptedServer, target: str) -> None:
    server.answers["/a"] = (302, {"Location": target}, b"")
    assert failure(server.base + "/a").reason == "bad_url"


def test_a_loopback_address_is_refused_unless_allowed(server: ScriptedServer) -> None:
    assert failure(server.base + "/a", allow=False).reason == "address"
    assert server.asked == []


def test_a_name_for_loopback_is_refused_by_the_resolver(server: ScriptedServer) -> None:
    assert failure(f"http://localhost:{server.port}/a", allow=False).reason == "address"
    assert server.asked == []


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.1", "0177.0.0.1"])
def test_loopback_in_old_spellings_is_refused(server: ScriptedServer, host: str) -> None:
    assert failure(f"http://{host}:{server.port}/a", allow=False).reason in (
        "address",
        "bad_url",
        "dns",
    )
    assert server.asked == []


def test_redirects_in_a_circle_or_without_end_are_refused(server: ScriptedServer) -> None:
    server.answers["/a"] = (302, {"Location": "/b"}, b"")
    server.answers["/b"] = (302, {"Location": "/a"}, b"")
    assert failure(server.base + "/a").reason == "redirects"
    for i in range(10):
        server.answers[f"/{i}"] = (302, {"Location": f"/{i + 1}"}, b"")
    error = failure(server.base + "/0")
    assert error.reason == "redirects"
    assert server.counts()["/5"] == 1
    assert server.counts()["/6"] == 0


def test_a_redirect_without_a_target_is_refused(server: ScriptedServer) -> None:
    server.answers["/a"] = (302, {}, b"")
    assert failure(server.base + "/a").reason == "redirects"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"news", mtime=0)),
        ("x-gzip", gzip.compress(b"ne", mtime=0) + gzip.compress(b"ws", mtime=0) + b"\0\0"),
        ("deflate", zlib.compress(b"news")),
        ("deflate", zlib.compress(b"news")[2:-4]),
        ("identity", b"news"),
    ],
)
def test_packed_bodies_are_unpacked(server: ScriptedServer, encoding: str, packed: bytes) -> None:
    server.answers["/a"] = (200, {"Content-Encoding": encoding}, packed)
    assert fetch(server.base + "/a").body == b"news"


def test_a_gzip_bomb_is_stopped_at_the_cap(server: ScriptedServer) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    server.answers["/a"] = (200, {"Content-Encoding": "gzip"}, bomb)
    assert failure(server.base + "/a", max_bytes=1_000_000).reason == "too_large"


def test_a_body_damaged_cut_or_packed_otherwise_is_refused(server: ScriptedServer) -> None:
    server.answers["/damaged"] = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8bnonsense....")
    server.answers["/cut"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(b"news" * 99)[:-9])
    server.answers["/br"] = (200, {"Content-Encoding": "br"}, b"news")
    assert failure(server.base + "/damaged").reason == "bad_encoding"
    assert failure(server.base + "/cut").reason == "disconnected"
    assert failure(server.base + "/br").reason == "bad_encoding"


def test_an_endless_body_is_stopped_at_the_cap(server: ScriptedServer) -> None:
    server.answers["/a"] = endless
    assert failure(server.base + "/a", max_bytes=300_000).reason == "too_large"


def test_a_slow_drip_is_stopped_at_the_deadline(server: ScriptedServer) -> None:
    server.answers["/a"] = drip
    begun = time.monotonic()
    error = failure(server.base + "/a", timeout_s=0.4)
    assert (error.reason, error.retryable) == ("timeout", True)
    assert time.monotonic() - begun < 3


def test_a_body_that_ends_in_the_middle_may_come_whole_later(server: ScriptedServer) -> None:
    server.answers["/a"] = torn
    error = failure(server.base + "/a")
    assert (error.reason, error.retryable) == ("disconnected", True)


def test_nobody_listening_and_no_such_name_may_pass() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        error = failure(f"http://127.0.0.1:{held.getsockname()[1]}/")
    assert (error.reason, error.retryable) == ("refused", True)
    error = failure("http://no-such-name.invalid/")
    assert (error.reason, error.retryable) == ("dns", True)


def test_a_server_that_speaks_no_tls_is_told_apart(server: ScriptedServer) -> None:
    error = failure(server.base.replace("http:", "https:") + "/a")
    assert error.reason == "tls"


def test_the_user_agent_names_program_and_contact() -> None:
    assert user_agent("desk@example.org").startswith("Rasid/")
    assert user_agent("desk@example.org").endswith(" (+desk@example.org)")
    assert "\n" not in user_agent("a\nX-Evil: 1")
    assert "(" not in user_agent("")


def test_every_failure_names_the_address_and_what_to_do_in_plain_words(
    server: ScriptedServer,
) -> None:
    server.answers |= {
        "/circle": (302, {"Location": "/circle"}, b""),
        "/nowhere": (302, {}, b""),
        "/gzip": (200, {"Content-Encoding": "gzip"}, b"\x1f\x8bnonsense...."),
        "/br": (200, {"Content-Encoding": "br"}, b"news"),
        "/large": (200, {}, b"x" * 2000),
        "/torn": torn,
        "/drip": drip,
        "/500": (500, {}, b""),
    }
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{held.getsockname()[1]}/"
        urls = [server.base + path for path in server.answers]
        urls += [nobody, "http://no-such-name.invalid/", server.base.replace("http:", "https:")]
        urls += ["http://169.254.169.254/"]
        failures = {url: failure(url, timeout_s=0.4, max_bytes=1000) for url in urls}
    for url, error in failures.items():
        assert str(error).startswith(url), error
        assert error.url.startswith(url)
        assert error.hint == HINTS[error.reason]
        assert not re.search(r"Error\b|Errno|\[|\(|Connect call|ssl:", str(error)), error
    assert str(failures[nobody]) == f"{nobody}: no connection: Connection refused"
