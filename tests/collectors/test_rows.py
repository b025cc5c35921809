"""The collector's tables: what is read from them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collectors.ledger import View
from collectors.polls import Write
from collectors.rows import load_waiting, put_entry
from streams.log import Transaction
from streams.records import Entry
from streams.sqlite import SqliteLog
from tests.fakes.collecting import Clock

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FEED, GONE = "https://a.example/feed", "https://a.example/gone"


@pytest.mark.parametrize(("most", "keys", "more"), [(4, "0 1 2", False), (2, "0 1", True)])
def test_entries_nobody_wants_do_not_crowd_out_the_others(
    tmp_path: Path, most: int, keys: str, more: bool
) -> None:
    stage = SqliteLog(tmp_path / "rasid.db", clock=Clock()).stage("collect")
    assert stage.acquire(1.0)
    view = View(stage, Transaction())
    for n in range(43):
        feed, key = (GONE, f"gone-{n}") if n < 40 else (FEED, str(n - 40))
        entry = Entry(
            article_id=key, source="s", feed=feed, site="a.example", url="", seen=NOW, updated=NOW
        )
        put_entry(view, Write(key, entry, NOW + timedelta(seconds=n)))
    stage.commit(view.tx)
    found, may_be_more = load_waiting(
        stage, NOW + timedelta(days=1), most, lambda item: item.feed == FEED
    )
    assert ([item.key for item in found], may_be_more) == (keys.split(), more)
    stage.close()
