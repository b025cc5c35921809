"""A daemon that cannot work with its log says so and ends; it does not sit there idle."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rasid.app import now
from streams.log import Transaction
from streams.records import FEEDS, FeedState, encode
from streams.sqlite import SqliteLog
from tests.fakes.daemon import Daemon, write


def text_file(path: Path) -> None:
    path.write_text("hello " * 1000)


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")


@pytest.mark.parametrize("make", [text_file, foreign])
def test_a_file_that_is_no_log_is_told_once_at_the_start(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "rasid.db")
    with Daemon("--config", str(write(tmp_path)), cwd=tmp_path) as daemon:
        assert daemon.wait() == 1
        (told,) = filter(None, daemon.seen)
        assert told.startswith(f"rasid: {tmp_path}/rasid.db: ")
        assert "Give `log:` another path" in told


def test_when_the_last_stage_has_stopped_the_daemon_ends(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "rasid.db", clock=now)) as log:
        stage = log.stage("collect")
        assert stage.acquire(1.0)
        state = FeedState(source="a", url="http://a.example/f", site="a.example")
        tx = Transaction()
        tx.put(FEEDS, "a.example/x", encode(msgspec.structs.replace(state, v=99)))
        stage.commit(tx)
        stage.close()
    command = (sys.executable, "-m", "rasid", "collect", "--config", str(write(tmp_path)))
    with Daemon(command=command, cwd=tmp_path) as daemon:
        assert daemon.event("stage_stopped")["reason"] == "newer_schema"
        assert daemon.event("ended")["clean"] is True
        assert daemon.wait() == 1
