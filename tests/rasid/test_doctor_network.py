"""The doctor, and the daemon at its start, where the way out is ill: an expired certificate,
a clock a year off, a proxy."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from rasid.doctor.sites import judge_clock
from streams.records import ARTICLES
from tests.fakes.daemon import Daemon
from tests.fakes.patients import a_log, expired, feeds, found, one, patient
from tests.fakes.proxy_server import ProxyServer
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.tls_server import TlsServer

FUTURE = datetime.now(UTC) + timedelta(days=365)

pytestmark = pytest.mark.usefixtures("no_proxy")


def test_a_certificate_that_has_expired_among_sites_that_are_well(
    tmp_path: Path, authority: trustme.CA
) -> None:
    with ScriptedServer() as well, TlsServer(expired(authority)) as ill:
        address = f"https://127.0.0.1:{ill.port}"
        good, bad, clock = found(
            patient(tmp_path, feeds(well.base + "/f", address + "/f")), "network", "clock"
        )
    assert (good.status, good.said) == ("ok", "1 of 2 sites asked answer")
    assert (bad.status, bad.said) == (
        "warning",
        f"{address}/robots.txt: no secure connection: certificate has expired",
    )
    assert "this machine's clock" in bad.todo
    assert clock.status == "ok"


def test_when_no_certificate_is_good_the_clock_is_asked_for_all_the_same(
    tmp_path: Path, authority: trustme.CA
) -> None:
    with TlsServer(expired(authority)) as ill:
        more = feeds(f"https://127.0.0.1:{ill.port}/f")
        network, clock = found(patient(tmp_path, more, lambda: FUTURE), "network", "clock")
    assert network.status == "wrong"
    assert "no certificate is trusted" in network.said
    assert "look at this machine's clock" in network.todo
    assert clock.status == "wrong"
    assert "is 365 days ahead of the sites'" in clock.said
    assert "set-ntp" in clock.todo


def test_the_clock_against_sites_and_log() -> None:
    day = datetime(2026, 3, 1, tzinfo=UTC)
    second, year = timedelta(seconds=1), timedelta(days=365)
    judged = [
        judge_clock(day, ahead, newest)
        for ahead, newest in (
            ([second, -second, year], day - second),  # one site's is wrong, not ours
            ([-year, -year, second], None),
            ([90 * second], None),
            ([], day + year),
            ([], day - second),
        )
    ]
    assert [finding.status for finding in judged] == ["ok", "wrong", "warning", "wrong", "warning"]
    assert "365 days behind the sites'" in judged[1].said
    assert "2 minutes ahead" in judged[2].said
    assert "365 days before the newest article in the log was written" in judged[3].said
    assert "could not be compared" in judged[4].said


def test_a_clock_behind_its_own_log(tmp_path: Path) -> None:
    a_log(tmp_path, (ARTICLES, b"{}"))
    past = datetime.now(UTC) - timedelta(days=365)
    finding = one(patient(tmp_path, clock=lambda: past), "clock")
    assert "is 365 days before the newest article in the log" in finding.said


def test_by_a_proxy_and_by_one_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill = lambda: patient(tmp_path, feeds("http://news.example/f"))  # noqa: E731
    with ScriptedServer() as site, ProxyServer({"news.example": site.port}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        good = one(ill(), "network")
        assert good.said == f"1 of 1 sites asked by the proxy http://127.0.0.1:{proxy.port} answer"
    down = one(ill(), "network")
    assert down.status == "wrong"
    assert f"no way through the proxy http://127.0.0.1:{proxy.port}: Connection" in down.said
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    none = one(ill(), "network")
    assert none.said.startswith("the environment's HTTP_PROXY (or ALL_PROXY) is no address")


def test_the_daemon_tells_of_clock_and_certificate_and_proxy(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def of_last_year(request: Any) -> Any:
        date = format_datetime(datetime.now(UTC) - timedelta(days=365), usegmt=True)
        return web.Response(headers={"Date": date})

    with ScriptedServer() as site, TlsServer(expired(authority)) as ill:
        site.answers["/robots.txt"] = of_last_year
        more = feeds(site.base + "/f", f"https://127.0.0.1:{ill.port}/f")
        path = str(patient(tmp_path, more).path)
        told: dict[str, Any] = {}
        with Daemon("--config", path, cwd=tmp_path) as daemon:
            while not {"clock", "network"} <= told.keys():
                event = daemon.event("checkup")
                told[event["check"]] = event
    assert "certificate has expired" in told["network"]["found"]
    assert told["clock"]["level"] == "error"
    assert "is 183 days ahead" in told["clock"]["found"]  # half of it: between two sites
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    with Daemon("--config", path, cwd=tmp_path) as daemon:
        assert daemon.wait() == 1
        assert daemon.seen[0].startswith("rasid: the environment's HTTP_PROXY (or ALL_PROXY) is no")
