"""Signals: heard at every moment of the daemon's life."""

from pathlib import Path

from tests.fakes.daemon import Daemon, write


def test_a_signal_that_comes_as_the_last_one_is_done_with_is_heard(tmp_path: Path) -> None:
    with Daemon("--config", str(write(tmp_path)), cwd=tmp_path) as daemon:
        daemon.event("started")
        assert [daemon.reload()["event"] for _ in range(20)] == ["reloaded"] * 20
        assert daemon.end() == 0
