"""The collector's two tables: rows to records and back."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from collectors.ledger import View
from collectors.polls import Known, Write
from streams.errors import Malformed
from streams.log import Row, Stage
from streams.records import ENTRIES, FEEDS, Entry, FeedState, decode, encode

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Of a waiting entry what has to be in memory; its text stays in the table."""

    key: str
    url: str
    feed: str
    site: str  # the feed's
    due: datetime
    first_poll: bool
    attempts: int
    reason: str | None = None  # why the last try failed

    @classmethod
    def of(cls, key: str, entry: Entry, due: datetime) -> "Waiting":
        return cls(
            key, entry.url, entry.feed, entry.site, due, entry.first_poll, entry.attempts,
            entry.reason,
        )  # fmt: skip


def state_key(state: FeedState) -> str:
    return f"{state.site}/{state.url}"


def put_feed(view: View, state: FeedState, due: datetime | None) -> None:
    view.tx.put(FEEDS, state_key(state), encode(state), due=due, partition_key=state.site)


def put_entry(view: View, write: Write) -> None:
    view.tx.put(
        ENTRIES, write.key, encode(write.entry), due=write.due, partition_key=write.entry.site
    )


def entry_at(view: View, key: str) -> Entry | None:
    """The entry's row; None when there is none, or none that can be read."""
    row = view.get(ENTRIES, key)
    return None if row is None else _entry(row)


def known_at(view: View, key: str) -> Known | None:
    """The same with its times. A row that cannot be read counts as skipped: to take it for
    unknown would announce its article twice."""
    row = view.get(ENTRIES, key)
    if row is None:
        return None
    entry = _entry(row)
    if entry is None:
        moment = row.time or datetime.min.replace(tzinfo=UTC)
        entry = Entry(
            article_id=key.rpartition("/")[2],
            source="",
            feed="",
            site="",
            url="",
            seen=moment,
            status="skipped",
            reason="unreadable",
            updated=moment,
        )
    return Known(entry, row.due, row.time)


def load_feeds(
    stage: Stage, configured: Container[str]
) -> tuple[dict[str, tuple[FeedState, datetime | None]], list[FeedState]]:
    """States by address with their due times, and those that are due but no longer
    configured: they are kept, for the day they come back, but not polled."""
    known: dict[str, tuple[FeedState, datetime | None]] = {}
    retired: list[FeedState] = []
    for row in stage.scan(FEEDS):
        try:
            state = decode(FeedState, row.value)
        except Malformed as error:
            log.error("row_unreadable", table=FEEDS, key=row.key, error=str(error))
            continue
        if state.url in configured:
            known[state.url] = (state, row.due)
        elif row.due is not None:
            retired.append(state)
    return known, retired


def load_waiting(
    stage: Stage, until: datetime, most: int, wanted: Callable[[Waiting], bool]
) -> tuple[list[Waiting], bool]:
    """Entries that wait and are wanted, the earliest due first, at most so many; and whether
    there may be more. However many that are not wanted stand before them, they are found."""
    limit = most
    while True:
        rows = stage.due(ENTRIES, until, limit)
        waiting = [item for row in rows if (item := _waiting(row)) is not None and wanted(item)]
        is_all = len(rows) < limit
        if is_all or 2 * len(waiting) >= most:
            return waiting[:most], not is_all or len(waiting) > most
        limit *= 2


def _waiting(row: Row) -> Waiting | None:
    entry = _entry(row)
    return None if entry is None or row.due is None else Waiting.of(row.key, entry, row.due)


def _entry(row: Row) -> Entry | None:
    try:
        return decode(Entry, row.value)
    except Malformed as error:
        log.error("row_unreadable", table=ENTRIES, key=row.key, error=str(error))
        return None
