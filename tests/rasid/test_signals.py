"""Signals: heard at every moment of the daemon's life."""

import sys
from pathlib import Path

from tests.fakes.daemon import Daemon, write


def test_a_signal_that_comes_as_the_last_one_is_done_with_is_heard(tmp_path: Path) -> None:
    with Daemon("--config", str(write(tmp_path)), cwd=tmp_path) as daemon:
        daemon.event("started")
        assert [daemon.reload()["event"] for _ in range(20)] == ["reloaded"] * 20
        assert daemon.end() == 0


_INTERRUPTED = """
import signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "rasid.app":
            signal.raise_signal(signal.{signal})
sys.meta_path.insert(0, Interrupt())
sys.argv[0] = "rasid"
from rasid.cli import main
main()
"""


def interrupted(folder: Path, signal: str) -> Daemon:
    """A daemon that gets a signal while it imports what it is made of."""
    program = _INTERRUPTED.format(signal=signal)
    command = (sys.executable, "-c", program, "run", "--config", str(write(folder)))
    return Daemon(command=command, cwd=folder)


def test_a_stop_that_comes_before_all_is_loaded_is_a_clean_one(tmp_path: Path) -> None:
    with interrupted(tmp_path, "SIGTERM") as daemon:
        assert daemon.event("ended")["clean"] is True
        assert daemon.wait() == 0


def test_a_reload_that_comes_before_all_is_loaded_is_done_after(tmp_path: Path) -> None:
    with interrupted(tmp_path, "SIGHUP") as daemon:
        daemon.event("started")
        daemon.event("reloaded")
        assert daemon.end() == 0
