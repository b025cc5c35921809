"""How a feed is, beyond whether it answers: pure functions of what polling knows of it.

    FeedState, now ─▶ ailments ─▶ against those told of ─▶ what is to be told

A monitor that has gone blind looks like a quiet day. What is unwell is told once, and once when
it is well again; a reason is told once until then, however often it comes and goes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean
from typing import Final, Literal

from msgspec.structs import replace

from collectors.clean import clean_line
from collectors.errors import HINTS
from streams.records import FeedState

Reason = Literal["failing", "html", "moved", "quiet", "dates", "pages"]

FAILING: Final = timedelta(days=1)
FAILURES: Final = 3
HTML: Final = timedelta(hours=1)  # a web page in its place; a glitch passes sooner
WEEK_H: Final = 168
LEARNT: Final = timedelta(days=21)  # until the hours of the week are known
LEARNT_ENTRIES: Final = 100
_PRIOR: Final = 0.25  # entries that each hour is taken to have had, so that few tell little
_MOST_AN_HOUR: Final = 60  # entries counted, before all is halved and the old fades
QUIET: Final = timedelta(hours=6)  # of the week's average hours
QUIET_UNLEARNT: Final = timedelta(hours=48)  # a night, and a day off
QUIET_UNKNOWN: Final = timedelta(days=7)  # nothing has ever come
_LONGEST: Final = 3.0  # so many times its longest usual gap,
_AVERAGE: Final = 10.0  # and its average one: by chance so long a silence comes once in 22,000
_ODD_GAPS: Final = 10  # of so many the longest does not count: a pinned entry makes it
LATE: Final = timedelta(days=1)  # dated so long before it could first be seen
ODD: Final = 6  # in a row, or more bad than good by so many, is a fault; none left is well


@dataclass(frozen=True, slots=True)
class Ailment:
    """`why` is what is seen, `do` what a person can do."""

    reason: Reason
    why: str
    do: str


@dataclass(frozen=True, slots=True)
class Change:
    """A feed whose health has changed. Without ailments it is well again."""

    state: FeedState  # as it is now, with what has been told
    ailments: tuple[Ailment, ...]


def ailments(state: FeedState, now: datetime) -> tuple[Ailment, ...]:
    """All that is wrong with a feed, the gravest first."""
    found = (_failing(state, now), _quiet(state), _dates(state), _pages(state), _moved(state))
    return tuple(each for each in found if each is not None)


def changed(state: FeedState, now: datetime) -> Change | None:
    """What is to be told of a feed; None when it was told, or there is nothing."""
    current = ailments(state, now)
    known = set(state.unwell)
    fresh = tuple(each for each in current if each.reason not in known)
    if current and not fresh:
        return None
    if not current and not known:
        return None
    unwell = (*state.unwell, *(each.reason for each in fresh)) if current else ()
    since = (state.unwell_since or now) if current else None
    return Change(replace(state, unwell=unwell, unwell_since=since), fresh)


# --- what is wrong --------------------------------------------------------------------------


def _failing(state: FeedState, now: datetime) -> Ailment | None:
    if state.well or state.failing_since is None or state.failures < FAILURES:
        return None
    lasting = now - state.failing_since
    do = HINTS.get(state.last_status, "")
    if state.last_status in ("html_instead", "challenge") and lasting >= HTML:
        return Ailment("html", f"a web page comes in its place for {span(lasting)}", do)
    if lasting >= FAILING:
        return Ailment("failing", f"fails for {span(lasting)}: {state.last_error}", do)
    return None


def _quiet(state: FeedState) -> Ailment | None:
    """Measured up to the last good poll: Rasid's own absence is nobody's silence."""
    since = state.last_new or state.first_polled
    if not state.well or since is None or state.last_success is None:
        return None
    silence = state.last_success - since
    if silence <= QUIET:
        return None
    usual = usual_silence(state)
    if worn(state.hours, since, state.last_success) <= usual:
        return None
    return Ailment(
        "quiet",
        f"nothing new for {span(silence)}, when {span(usual)} would be long for it",
        "open it in a browser: it may have been given up, or have a successor",
    )


def _dates(state: FeedState) -> Ailment | None:
    if not _stands(state.odd_dates, "dates", state):
        return None
    return Ailment(
        "dates",
        "its new entries have no date that can be believed, or an old one; news that is dated"
        " old is not alerted",
        "look at the dates in the feed, and tell its webmaster",
    )


def _pages(state: FeedState) -> Ailment | None:
    if not _stands(state.lost_pages, "pages", state):
        return None
    return Ailment(
        "pages",
        f"its pages give no article (the last: {state.page_error}); the feed's own text stands in",
        HINTS.get(state.page_error or "", "open one of its latest pages in a browser"),
    )


def _moved(state: FeedState) -> Ailment | None:
    if not state.well or state.moved_to is None:
        return None
    return Ailment(
        "moved",
        f"has moved for good to {state.moved_to}, and is read there",
        "write that address into the configuration",
    )


def _stands(count: int, reason: Reason, state: FeedState) -> bool:
    return count > 0 if reason in state.unwell else count >= ODD


# --- what is learnt -------------------------------------------------------------------------


def tally(count: int, outcomes: Iterable[bool]) -> int:
    """A count of bad outcomes (True), less the good ones; within 0 and `ODD`, so that some
    good ones in a row make up for any past."""
    for is_bad in outcomes:
        count = min(count + 1, ODD) if is_bad else max(count - 1, 0)
    return count


def is_odd(published: datetime | None, last_success: datetime) -> bool:
    """Whether a new entry's date speaks against it: a good poll long after it had not shown it."""
    return published is None or published < last_success - LATE


def learn_hours(hours: Sequence[int], times: Iterable[datetime]) -> tuple[int, ...]:
    """Entries counted by the hour of the week (from Monday, UTC), with those of `times`."""
    counts = list(hours) if len(hours) == WEEK_H else [0] * WEEK_H
    for moment in times:
        counts[_hour(moment)] += 1
        if max(counts) > _MOST_AN_HOUR:
            counts = [count // 2 for count in counts]
    return tuple(counts)


def usual_silence(state: FeedState) -> timedelta:
    """How long a silence may be, in the week's average hours, before it is told."""
    if not state.gaps_s:
        return QUIET_UNKNOWN
    gaps = sorted(state.gaps_s)
    if len(gaps) >= _ODD_GAPS:
        gaps.pop()
    usual_s = max(_LONGEST * gaps[-1], _AVERAGE * fmean(gaps))
    is_learnt = (
        sum(state.hours) >= LEARNT_ENTRIES
        and state.first_polled is not None
        and state.last_success is not None
        and state.last_success - state.first_polled >= LEARNT
    )
    return max(timedelta(seconds=usual_s), QUIET if is_learnt else QUIET_UNLEARNT)


def worn(hours: Sequence[int], since: datetime, until: datetime) -> timedelta:
    """A time in the week's average hours: a night in which little ever comes counts little."""
    weeks, rest = divmod(until - since, timedelta(hours=WEEK_H))
    total_h = float(weeks * WEEK_H)
    weights = _weights(hours)
    at = until - rest
    while at < until:
        following = min((at + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0), until)
        total_h += weights[_hour(at)] * ((following - at) / timedelta(hours=1))
        at = following
    return timedelta(hours=total_h)


def _weights(hours: Sequence[int]) -> list[float]:
    """Of each hour of the week, on average 1. The fewer entries are counted, the more alike."""
    if len(hours) != WEEK_H:
        return [1.0] * WEEK_H
    smooth = [
        (before + 2 * here + after) / 4
        for (before, here), (_, after) in pairwise(
            zip((hours[-1], *hours), (*hours, hours[0]), strict=True)
        )
    ]
    mean = sum(hours) / WEEK_H
    return [(each + _PRIOR) / (mean + _PRIOR) for each in smooth]


def _hour(moment: datetime) -> int:
    return 24 * moment.weekday() + moment.hour


# --- what is told ---------------------------------------------------------------------------


def told(name: str, change: Change) -> str:
    """A sentence on the feed of a source of that name: what is wrong with it, and what to do."""
    what = "; ".join(f"{clean_line(each.why, 130)}: {each.do}" for each in change.ailments)
    return f"{name}: {what or 'well again'} ({change.state.url})"


def span(lasting: timedelta) -> str:
    """`5 hours`, `3 days`: enough to judge by."""
    hours = max(round(lasting / timedelta(hours=1)), 1)
    number, unit = (hours, "hour") if hours < 48 else (round(hours / 24), "day")
    return f"{number} {unit}{'s' * (number != 1)}"
