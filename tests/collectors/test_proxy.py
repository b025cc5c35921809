"""By the proxy of the environment, and not by it."""

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from collectors.errors import FetchError
from collectors.fetch import Fetcher, Response
from collectors.guard import AddressGuard
from collectors.proxy import environment_proxies, proxy_for
from streams.errors import ConfigError
from tests.fakes.proxy_server import ProxyServer
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.tls_server import TlsServer

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as it:
        it.answers["/feed"] = (200, {}, b"<rss/>")
        yield it


def fetch(url: str) -> Response:
    async def go() -> Response:
        clock = lambda: datetime(2026, 3, 1, tzinfo=UTC)  # noqa: E731
        async with Fetcher(guard=AddressGuard(), user_agent="Rasid/test", clock=clock) as fetcher:
            return await fetcher.fetch(url, timeout_s=10)

    return asyncio.run(go())


def test_a_site_is_asked_by_the_proxy_though_that_is_inside(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProxyServer({"news.example": server.port}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert fetch("http://news.example/feed").body == b"<rss/>"
        assert proxy.asked == ["GET http://news.example/feed HTTP/1.1"]


def test_https_goes_through_it_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with (
        TlsServer(authority.issue_cert("news.example")) as site,
        ProxyServer({"news.example": site.port}, login="desk:pass%word") as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://desk:pass%25word@127.0.0.1:{proxy.port}")
        assert fetch("https://news.example/feed").status == 200
        assert proxy.asked == ["CONNECT news.example:443 HTTP/1.1"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password_is_named_without_showing_one(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProxyServer({}, login="desk:right") as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://desk:wrong@127.0.0.1:{proxy.port}")
        with pytest.raises(FetchError) as caught:
            fetch(f"{scheme}://news.example/feed")
        assert caught.value.reason == "proxy"
        assert str(caught.value) == (
            f"{scheme}://news.example/feed: no way through the proxy"
            f" http://127.0.0.1:{proxy.port}: it asks for a user and a password (407)"
        )


def test_a_proxy_that_is_down_is_told_from_a_site_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(
            FetchError, match=r"no way through the proxy .*: Connection refused"
        ) as c:
            fetch("https://news.example/feed")
    assert c.value.reason == "proxy"
    assert c.value.retryable


def test_addresses_inside_stay_refused_and_here_is_never_asked_for(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProxyServer({"127.0.0.1": server.port, "localhost": server.port}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        for host in ("10.0.0.1", "127.0.0.1", "localhost", "[::1]"):
            with pytest.raises(FetchError) as caught:
                fetch(f"http://{host}:{server.port}/feed")
            assert caught.value.reason == "address"
        assert proxy.asked == []


def test_who_goes_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "intra.example,.near.example")
    proxies = environment_proxies()
    assert proxies == {"https": "http://proxy.example:3128"}
    by = {
        url: proxy_for(url, proxies)
        for url in (
            "https://a.example/", "http://a.example/", "https://intra.example/",
            "https://x.near.example/", "https://127.7.7.7/", "https://localhost/",
        )
    }  # fmt: skip
    assert [url for url, proxy in by.items() if proxy] == ["https://a.example/"]


@pytest.mark.parametrize("bad", ["socks5://user:secret@proxy:1", "http://:secret@/", "http://p:x"])
def test_what_is_no_proxy_is_refused_unseen(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", bad)
    with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
        environment_proxies()
    assert "secret" not in str(caught.value)
