"""What the contract suite knows of a carrier: how to get a log of it, fresh and again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from streams.carriers import open_log
from streams.log import Clock, Log
from streams.sqlite import SqliteLog


class Carrier(Protocol):
    """Storage for one log. `url` is what another process hands to `open_log`."""

    url: str

    def open(self, clock: Clock) -> Log:
        """The log, as another instance would see it: nothing shared with earlier ones."""

    def check(self) -> None:
        """Assert that the storage is sound (after something was killed)."""


@dataclass
class SqliteCarrier:
    path: Path

    @property
    def url(self) -> str:
        return f"sqlite://{self.path}"

    def open(self, clock: Clock) -> Log:
        return SqliteLog(self.path, clock=clock, poll_interval_s=0.002)

    def check(self) -> None:
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(self.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@dataclass
class KafkaCarrier:
    """Topics under names of their own on a broker that tests share."""

    url: str

    def open(self, clock: Clock) -> Log:
        return open_log(self.url, clock=clock)

    def check(self) -> None:
        """The broker checks each batch it takes, and each reader what it gets."""


CarrierMaker = Callable[[], Carrier]
