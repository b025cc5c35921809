"""Runs tests/fakes/streams_child.py, to read its progress and to kill it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = Path(__file__).with_name("streams_child.py")


class Child:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def line(self) -> str:
        """The next line it prints; blocks. Empty once it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def lines(self) -> list[str]:
        """All it still prints, until it ends."""
        assert self._process.stdout is not None
        return self._process.stdout.read().split()

    def kill(self) -> None:
        self._process.kill()  # SIGKILL
        self._process.wait(timeout=30)

    def code(self) -> int:
        return self._process.wait(timeout=30)


@contextmanager
def child(url: str, *arguments: object, **environment: str) -> Iterator[Child]:
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), url, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROGRAM.parents[2],
        env={**os.environ, **environment},
    )
    try:
        yield Child(process)
    finally:
        process.kill()
        process.communicate()
