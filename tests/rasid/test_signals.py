"""Signals: heard at every moment of the daemon's life."""

import signal
import sys
from pathlib import Path

from tests.fakes.collecting import XML, rss
from tests.fakes.daemon import Daemon, write
from tests.fakes.scripted_server import ScriptedServer


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


def interrupted(folder: Path, name: str) -> Daemon:
    """A daemon that gets a signal while it imports what it is made of."""
    program = _INTERRUPTED.format(signal=name)
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


def test_signals_that_come_together_are_all_heard(tmp_path: Path) -> None:
    """The system hands the second one to another thread than the first."""
    for _ in range(5):
        with Daemon("--config", str(write(tmp_path)), cwd=tmp_path) as daemon:
            daemon.event("started")
            daemon.send(signal.SIGHUP)
            daemon.send(signal.SIGTERM)
            assert daemon.wait() == 0


def test_a_second_stop_ends_it_at_once_and_without_a_word(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        server.answers |= {"/feed": (200, XML, rss((f"{server.base}/a", "عنوان", "x")))}
        server.answers["/a"] = server.held  # so that the first stop waits for it
        (tmp_path / "rasid.yaml").write_text(
            f"log: sqlite://{tmp_path}/rasid.db\nserve: none\n"
            "collect: {allow_networks: [127.0.0.0/8], site_delay: 0s}\n"
            f"sources: [{{id: a, feeds: ['{server.base}/feed']}}]\n"
        )
        with Daemon(cwd=tmp_path) as daemon:
            daemon.event("poll_brought")
            told = len(daemon.seen)
            daemon.send(signal.SIGTERM)
            daemon.send(signal.SIGINT)
            assert daemon.wait() == 130
            assert [line for line in daemon.seen[told:] if "resource_tracker" in line] == []
