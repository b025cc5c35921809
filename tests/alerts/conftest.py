"""A stage at a real log, a mail server and Slack's stand-in, on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.sqlite import SqliteLog
from tests.fakes.alerts_bench import Bench, utc_now
from tests.fakes.slack_server import SlackServer
from tests.fakes.smtp_server import MailServer


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(SqliteLog(tmp_path / "rasid.db", clock=utc_now))
    yield bench
    bench.close()


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server
