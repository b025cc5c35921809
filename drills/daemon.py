"""`rasid run` under a clock and a disk that a drill holds in its hand.

    python -m drills.daemon CONFIG HAND

HAND is a file that `Hand` writes: how many seconds the clock is ahead, and how many pages the
SQLite file may have. It is looked at whenever the time is asked and whenever something is written.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rasid import logs
from rasid.app import App
from rasid.configfile import load
from streams import sqlite_stage

ROOM: Final = 1_000_000  # pages: more than any drill fills


@dataclass
class Hand:
    """The drill's end and the daemon's end of it."""

    path: Path
    ahead_s: float = 0.0
    pages: int = ROOM

    def write(self, *, ahead_s: float | None = None, pages: int | None = None) -> None:
        self.ahead_s = self.ahead_s if ahead_s is None else ahead_s
        self.pages = self.pages if pages is None else pages
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"ahead_s": self.ahead_s, "pages": self.pages}))
        fresh.replace(self.path)

    def read(self) -> "Hand":
        told = json.loads(self.path.read_text())
        self.ahead_s, self.pages = told["ahead_s"], told["pages"]
        return self

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)


def main(config: str, hand: str) -> int:
    held = Hand(Path(hand))
    write = sqlite_stage.write_transaction

    @contextmanager
    def bounded(connection: Any, *arguments: Any) -> Iterator[None]:
        # A page count below what the file has means: no page more.
        connection.execute(f"PRAGMA max_page_count={held.read().pages}")
        with write(connection, *arguments):
            yield

    sqlite_stage.write_transaction = bounded  # type: ignore[assignment]
    path = Path(config)
    logs.set_up("info")
    return App(load(path), config_path=path, clock=lambda: held.read().now()).run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
