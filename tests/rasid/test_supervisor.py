"""What systemd hears of the daemon, on a real datagram socket."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rasid.supervisor import STUCK_S, Supervisor, stuck_stages
from tests.fakes.daemon import Daemon, write


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(60)
        yield heard


def until(systemd: socket.socket, state: str) -> list[str]:
    """All states told up to this one."""
    heard: list[str] = []
    while state not in heard:
        heard += systemd.recv(4096).decode().splitlines()
    return heard


def test_a_daemon_tells_its_start_its_life_its_reload_and_its_end(
    tmp_path: Path, systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    with Daemon("--config", str(write(tmp_path)), cwd=tmp_path) as daemon:
        assert "STATUS=at work: collect, process, alert" in until(systemd, "READY=1")
        until(systemd, "WATCHDOG=1")
        daemon.reload()
        heard = until(systemd, "RELOADING=1")
        assert {h.partition("=")[0] for h in heard} <= {"WATCHDOG", "RELOADING", "MONOTONIC_USEC"}
        until(systemd, "READY=1")
        assert daemon.end() == 0
        until(systemd, "STOPPING=1")


def test_a_stuck_stage_is_no_longer_vouched_for(tmp_path: Path, systemd: socket.socket) -> None:
    notify = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000"}
    beats = iter([{"collect": float("inf")}, {"collect": float("-inf")}])
    Supervisor(notify).watch(lambda: next(beats), threading.Event())  # returns by itself
    assert systemd.recv(4096) == b"WATCHDOG=1"
    systemd.settimeout(0.05)
    with pytest.raises(TimeoutError):
        systemd.recv(4096)


def test_stuck_is_who_has_not_come_round_for_long() -> None:
    assert stuck_stages({"a": 0.0, "b": 1.0}, STUCK_S + 0.5) == ["a"]


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}, {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}],
)
def test_without_a_supervisor_nothing_is_told(environment: dict[str, str]) -> None:
    supervisor = Supervisor(environment)
    supervisor.tell("READY=1")
    supervisor.watch(dict, threading.Event())  # returns at once
    assert supervisor.watchdog_s is None
