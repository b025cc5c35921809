"""`rasid run` as a process whose events are read as they are logged."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

DEADLINE_S = 60.0
GOOD = """\
log: sqlite://{folder}/rasid.db
sources: [{{id: mine, feeds: ['http://127.0.0.1:1/feed']}}]
serve: 127.0.0.1:0
"""


def write(folder: Path, more: str = "") -> Path:
    """A configuration that is good, and more."""
    path = folder / "rasid.yaml"
    path.write_text(GOOD.format(folder=folder) + more)
    return path


class Daemon:
    """Runs while the block is open. Reading its events is how a test waits for it; one that
    says nothing for too long is killed, and the test fails at what it waited for."""

    def __init__(
        self, *args: str, cwd: Path, command: Sequence[str] = (sys.executable, "-m", "rasid", "run")
    ) -> None:
        self.seen: list[str] = []
        self._process = subprocess.Popen(
            [*command, *args],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._watchdog = threading.Timer(DEADLINE_S, self._process.kill)
        self._watchdog.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._watchdog.cancel()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def line(self) -> str:
        """The next line of standard error; empty once it has ended."""
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        self.seen.append(line)
        return line

    def event(self, *names: str) -> dict[str, Any]:
        """The next event of one of these names."""
        while line := self.line():
            if line.startswith("{"):
                event: dict[str, Any] = json.loads(line)
                if event["event"] in names:
                    return event
        raise AssertionError(f"ended without {' or '.join(names)}:\n{''.join(self.seen)}")

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def reload(self) -> dict[str, Any]:
        """SIGHUP, and what came of it."""
        self.send(signal.SIGHUP)
        return self.event("reloaded", "reload_refused")

    def end(self) -> int:
        """SIGTERM, and the exit code."""
        self.send(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """The exit code, once it has ended by itself."""
        while self.line():
            pass
        return self._process.wait()
