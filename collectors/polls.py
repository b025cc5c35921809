"""What a poll means: from what was known and what came to what is written. Pure.

    what came ─┬─ NotModified, Unchanged ─▶ state
               ├─ Read ───────────────────▶ state, and a row for each entry that is new or
               │                            changed, waiting for its page
               └─ Failed ─────────────────▶ state, with a later due time

State and rows are for one transaction: were the validators ahead of the entries they cover,
a crash between the two would lose those entries for good.
"""

import hashlib
import html
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import msgspec

from collectors.clean import (
    NAME_CHARS,
    SUMMARY_CHARS,
    TITLE_CHARS,
    clean_line,
    clean_text,
)
from collectors.errors import FetchError
from collectors.feeds import ParsedEntry, ParsedFeed
from collectors.health import is_odd, learn_hours, tally
from collectors.schedule import Bounds, add_gap, after_failure, after_success, learn
from collectors.urls import article_id, canonical_url, site_of, without_credentials
from streams.records import Entry, FeedState

# A row is written again after so long while its entry is still in the feed, so that rows
# which go by age are those of entries that are gone.
TOUCH_AFTER: Final = timedelta(days=7)

TAUGHT_BY: Final = timedelta(days=28)  # younger entries tell at which hours a feed is busy

_TAG = re.compile(r"<[^<>]*>")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said beside the body."""

    etag: str | None = None
    last_modified: str | None = None
    fresh_s: float | None = None
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class NotModified:
    answer: Answer


@dataclass(frozen=True, slots=True)
class Unchanged:
    """200, with the body of last time."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Read:
    answer: Answer
    body_hash: str
    entries: tuple[tuple[str, Entry], ...]  # by key, as they would be written if new
    ttl_s: float | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    error: FetchError


Came = NotModified | Unchanged | Read | Failed


@dataclass(frozen=True, slots=True)
class Known:
    """A row as it stands."""

    entry: Entry
    due: datetime | None
    written: datetime | None


@dataclass(frozen=True, slots=True)
class Write:
    key: str
    entry: Entry
    due: datetime | None
    is_new: bool = False  # never seen before


@dataclass(frozen=True, slots=True)
class PollDecision:
    state: FeedState
    due: datetime
    outcome: str  # entries, no_entries, unchanged, not_modified, or the failure's reason
    writes: list[Write] = field(default_factory=list)
    new: int = 0
    changed: int = 0
    skipped: int = 0


def decide_poll(
    state: FeedState,
    came: Came,
    bounds: Bounds,
    *,
    now: datetime,
    look: Callable[[str], Known | None],
    configured: Container[str],
    relook_s: float = 0.0,
) -> PollDecision:
    """`look` gives an entry's row by its key; `configured` are the addresses of the feeds that
    are polled; `relook_s` is the least time between two looks at one page."""
    if isinstance(came, Failed):
        return _failed(state, came.error, bounds, now)
    changes: dict[str, object] = {
        "last_polled": now,
        "last_success": now,
        "first_polled": state.first_polled or now,
        "failures": 0,
        "failing_since": None,
        "well": True,
        "last_error": None,
        "moved_to": came.answer.moved_to,
    }
    answer, ttl_s = came.answer, None
    if isinstance(came, NotModified):
        changes["last_status"] = "not_modified"
        changes["etag"] = answer.etag or state.etag
        changes["last_modified"] = answer.last_modified or state.last_modified
        decision = PollDecision(state, now, "not_modified")
    elif isinstance(came, Unchanged):
        changes["last_status"] = "unchanged"
        changes["etag"], changes["last_modified"] = answer.etag, answer.last_modified
        decision = PollDecision(state, now, "unchanged")
    else:
        ttl_s = came.ttl_s
        decision = _entries(state, came, now, look, configured, relook_s)
        changes |= _news(state, came, decision, now)
        changes["last_status"] = "ok"
        if came.truncated:  # its end may come yet: next time all of it is wanted again
            changes["last_error"] = "the feed ends in the middle; its whole entries were used"
            changes["etag"] = changes["last_modified"] = changes["body_hash"] = None
        else:
            changes["etag"], changes["last_modified"] = answer.etag, answer.last_modified
            changes["body_hash"] = came.body_hash
    after = msgspec.structs.replace(state, **changes)
    interval_s, due = after_success(after, bounds, now=now, fresh_s=answer.fresh_s, ttl_s=ttl_s)
    after = msgspec.structs.replace(after, interval_s=interval_s)
    return PollDecision(
        after, due, decision.outcome, decision.writes, decision.new, decision.changed,
        decision.skipped,
    )  # fmt: skip


def may_ask_conditionally(state: FeedState) -> bool:
    """After a failure the feed has to come whole: a 304 would prove nothing."""
    return state.well and state.first_polled is not None


def entries_of(
    parsed: ParsedFeed, *, source: str, feed: str, now: datetime, first_poll: bool
) -> tuple[tuple[str, Entry], ...]:
    """The rows a feed's entries would have, by key, each key once (the first stands).

    An entry that cannot be fetched is `skipped`, with the reason."""
    site = site_of(feed)
    found: dict[str, Entry] = {}
    for item in parsed.entries:
        key, entry = _row(item, site, source=source, feed=feed, now=now, first_poll=first_poll)
        found.setdefault(key, entry)
    for reason, detail in parsed.dropped:
        if reason == "no_link":
            key, entry = _skipped(reason, detail, site, source, feed, now, first_poll)
            found.setdefault(key, entry)
    return tuple(found.items())


def entry_key(url: str) -> str:
    """The key of an address's row in the table of entries, from the address alone.

    Raises FetchError(bad_url)."""
    return f"{site_of(url)}/{article_id(canonical_url(url))}"


def _row(
    item: ParsedEntry, site: str, *, source: str, feed: str, now: datetime, first_poll: bool
) -> tuple[str, Entry]:
    url = without_credentials(clean_line(item.url or item.guid, 4000))
    title = clean_line(item.title, TITLE_CHARS)
    try:
        key = entry_key(url)
    except FetchError:
        reason = "bad_link" if url else "no_link"
        return _skipped(reason, title or url, site, source, feed, now, first_poll)
    summary = clean_text(item.summary, SUMMARY_CHARS)
    return key, Entry(
        article_id=key.rpartition("/")[2],
        source=source,
        feed=feed,
        site=site,
        url=url,
        title=title,
        summary=summary,
        authors=tuple(clean_line(name, NAME_CHARS) for name in item.authors[:20]),
        published=item.published,
        seen=now,
        first_poll=first_poll,
        entry_hash=_entry_hash(title, summary),
        updated=now,
    )


def _skipped(
    reason: str, detail: str, site: str, source: str, feed: str, now: datetime, first_poll: bool
) -> tuple[str, Entry]:
    title = clean_line(detail, TITLE_CHARS)
    identity = "skipped-" + _digest(title)
    return f"{site}/{identity}", Entry(
        article_id=identity,
        source=source,
        feed=feed,
        site=site,
        url="",
        title=title,
        seen=now,
        first_poll=first_poll,
        entry_hash=_digest(title),
        status="skipped",
        reason=reason,
        updated=now,
    )


def words_of(summary: str) -> str:
    """The words of a piece of HTML, for counting and comparing only."""
    return _SPACE.sub(" ", html.unescape(_TAG.sub(" ", summary))).strip()


def _entry_hash(title: str, summary: str) -> str:
    """Of the words only: markup around them changes with every advertisement."""
    return _digest(title + "\0" + words_of(summary))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _entries(
    state: FeedState,
    came: Read,
    now: datetime,
    look: Callable[[str], Known | None],
    configured: Container[str],
    relook_s: float,
) -> PollDecision:
    writes: list[Write] = []
    new = changed = skipped = 0
    for key, entry in came.entries:
        known = look(key)
        if known is None:
            is_waiting = entry.status == "waiting"
            writes.append(Write(key, entry, now if is_waiting else None, is_new=True))
            new += is_waiting
            skipped += not is_waiting
            continue
        write = _again(key, known, entry, now, configured, relook_s)
        if write is not None:
            writes.append(write)
            changed += write.entry.status == "waiting" and known.entry.status != "waiting"
    outcome = "entries" if new or changed else "no_entries"
    return PollDecision(state, now, outcome, writes, new, changed, skipped)


def _again(
    key: str,
    known: Known,
    fresh: Entry,
    now: datetime,
    configured: Container[str],
    relook_s: float,
) -> Write | None:
    """What is to be written about an entry that is known; None when nothing is."""
    entry = known.entry
    # Its page was met as another link's canonical one, or its feed is polled no more: the first
    # feed that lists it takes it over.
    unowned = entry.entry_hash == "" or entry.feed not in configured
    if not unowned and (entry.entry_hash == fresh.entry_hash or entry.feed != fresh.feed):
        # Only the feed that brought an entry can change it: a second feed may word it otherwise.
        if known.written is not None and now - known.written > TOUCH_AFTER:
            return Write(key, entry, known.due)
        return None
    if unowned:
        entry = msgspec.structs.replace(entry, feed=fresh.feed, source=fresh.source)
    content = {
        "title": fresh.title,
        "summary": fresh.summary,
        "authors": fresh.authors,
        "published": fresh.published,
        "entry_hash": fresh.entry_hash,
    }
    if entry.status == "waiting":
        return Write(key, msgspec.structs.replace(entry, **content), known.due)
    if unowned or entry.status == "skipped":
        adopted = msgspec.structs.replace(entry, entry_hash=fresh.entry_hash, feed=fresh.feed)
        return Write(key, adopted, known.due)
    due = max(now, entry.updated + timedelta(seconds=relook_s))
    waiting = msgspec.structs.replace(entry, **content, status="waiting", attempts=0, updated=now)
    return Write(key, waiting, due)


def _news(state: FeedState, came: Read, decision: PollDecision, now: datetime) -> dict[str, object]:
    """What the entries teach about the feed's rhythm."""
    times = [entry.published for _, entry in came.entries if entry.published is not None]
    newest = max(times, default=state.newest_entry)
    gaps_s = learn(state.gaps_s, times)
    if gaps_s == state.gaps_s and decision.new and not _enough(times):
        gaps_s = add_gap(state.gaps_s, state.last_new, now)
    fresh = [write.entry for write in decision.writes if write.is_new and write.due]
    known = [entry.published for entry in fresh if entry.published is not None]
    news: dict[str, object] = {
        "gaps_s": gaps_s,
        "newest_entry": newest,
        "hours": learn_hours(state.hours, (date for date in known if now - date <= TAUGHT_BY)),
    }
    if state.newest_entry is not None and state.last_success is not None:
        last = state.last_success
        odd = [is_odd(entry.published, last) for entry in reversed(fresh)]
        news["odd_dates"] = tally(state.odd_dates, odd)
    if decision.new:
        first = state.first_polled is None
        news["last_new"] = min(newest, now) if first and newest is not None else now
    return news


def _enough(times: Sequence[datetime]) -> bool:
    return len(set(times)) > 3


def _failed(state: FeedState, error: FetchError, bounds: Bounds, now: datetime) -> PollDecision:
    """The validators and the hash stay those of the last body that was read."""
    after = msgspec.structs.replace(
        state,
        last_polled=now,
        last_status=error.reason,
        last_error=clean_line(str(error), 500),
        failures=state.failures + 1,
        failing_since=state.failing_since or now,
        well=False,
    )
    due = after_failure(
        after, bounds, now=now, reason=error.reason, retry_after_s=error.retry_after_s
    )
    return PollDecision(after, due, error.reason)
