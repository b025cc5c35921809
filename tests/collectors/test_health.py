"""When a feed is unwell, by what polling knows of it, and what is told of that."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from collectors.errors import FetchError
from collectors.health import (
    ODD,
    WEEK_H,
    Change,
    ailments,
    changed,
    learn_hours,
    span,
    tally,
    told,
    usual_silence,
    worn,
)
from collectors.polls import Answer, Failed, NotModified, Read, decide_poll
from collectors.schedule import Bounds, learn
from streams.records import Entry, FeedState

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BUSY = (600.0,) * 20  # an entry every ten minutes


def state(**changes: Any) -> FeedState:
    """A feed that is well, busy, and known for a month."""
    fields: dict[str, Any] = {
        "source": "desk", "url": "https://example.org/feed", "site": "example.org",
        "first_polled": NOW - 30 * DAY, "last_polled": NOW, "last_success": NOW,
        "last_new": NOW - HOUR, "last_status": "ok", "gaps_s": BUSY, "newest_entry": NOW - HOUR,
        "hours": (2,) * WEEK_H,
    }  # fmt: skip
    return FeedState(**fields | changes)


def reasons(it: FeedState, now: datetime = NOW) -> list[str]:
    return [each.reason for each in ailments(it, now)]


def daytime(weeks: int = 5) -> tuple[int, ...]:
    """Entries every ten minutes from 6 to 21 h, none at night, none on Fridays."""
    return tuple(
        0 if day == 4 or not 6 <= hour < 21 else 6 * weeks for day in range(7) for hour in range(24)
    )


# --- quiet ----------------------------------------------------------------------------------


def test_a_feed_in_its_rhythm_is_well() -> None:
    assert reasons(state()) == []
    assert reasons(state(last_new=NOW - 5 * HOUR)) == []


def test_a_busy_feed_is_quiet_after_some_hours_of_its_day() -> None:
    (ailment,) = ailments(state(last_new=NOW - 7 * HOUR), NOW)
    assert ailment.reason == "quiet"
    assert ailment.why == "nothing new for 7 hours, when 6 hours would be long for it"
    assert ailment.do


@pytest.mark.parametrize(
    ("last_new", "polled", "is_quiet"),
    [
        # Wednesday 20:50 → Thursday 7:00: a night
        (NOW.replace(hour=20, minute=50), NOW.replace(hour=7) + DAY, False),
        # Thursday evening → Saturday morning: a night, a day off, a night
        (NOW.replace(hour=20) + DAY, NOW.replace(hour=7) + 3 * DAY, False),
        # Wednesday morning → afternoon
        (NOW.replace(hour=8), NOW.replace(hour=15), True),
        # Thursday evening → Saturday afternoon
        (NOW.replace(hour=20) + DAY, NOW.replace(hour=13) + 3 * DAY, True),
    ],
)
def test_silence_counts_by_the_hours_in_which_news_usually_comes(
    last_new: datetime, polled: datetime, is_quiet: bool
) -> None:
    it = state(hours=daytime(), last_new=last_new, last_success=polled)
    assert ("quiet" in reasons(it)) == is_quiet


def test_a_feed_known_for_a_short_time_may_have_a_day_off() -> None:
    young = state(first_polled=NOW - 3 * DAY, hours=())
    assert reasons(replace(young, last_new=NOW - 40 * HOUR)) == []
    assert reasons(replace(young, last_new=NOW - 50 * HOUR)) == ["quiet"]


@pytest.mark.parametrize(
    ("gaps_d", "usual_d"), [((0.1, 0.1, 0.1, 0.1, 5.0), 15), ((2.0, 3.0, 4.0), 30)]
)
def test_a_slow_feed_is_given_three_times_its_longest_gap_and_ten_its_average(
    gaps_d: tuple[float, ...], usual_d: int
) -> None:
    slow = state(gaps_s=tuple(86400 * gap for gap in gaps_d), hours=())
    assert usual_silence(slow) == usual_d * DAY
    assert reasons(replace(slow, last_new=NOW - (usual_d - 1) * DAY)) == []
    assert reasons(replace(slow, last_new=NOW - (usual_d + 1) * DAY)) == ["quiet"]


def test_a_pinned_entry_of_last_year_makes_no_feed_patient() -> None:
    pinned = state(gaps_s=(300 * DAY.total_seconds(), *BUSY[1:]))
    assert reasons(replace(pinned, last_new=NOW - 8 * HOUR)) == ["quiet"]


def test_nothing_ever_is_quiet_after_a_week() -> None:
    empty = state(last_new=None, gaps_s=(), hours=())
    assert reasons(replace(empty, first_polled=NOW - 6 * DAY)) == []
    assert reasons(replace(empty, first_polled=NOW - 8 * DAY)) == ["quiet"]


def test_rasids_own_absence_is_nobodys_silence() -> None:
    stopped = state(last_new=NOW - 10 * DAY, last_success=NOW - 10 * DAY + HOUR)
    assert reasons(stopped) == []


def test_a_week_in_average_hours_is_a_week_and_the_parts_add_up() -> None:
    hours = daytime()
    since = NOW.replace(minute=17)
    assert abs(worn(hours, since, since + 7 * DAY) - 7 * DAY) < timedelta(seconds=1)
    rng = random.Random(5)
    for _ in range(50):
        length = timedelta(minutes=rng.randrange(1, 30_000))
        cut = since + length * rng.random()
        whole = worn(hours, since, since + length)
        parts = worn(hours, since, cut) + worn(hours, cut, since + length)
        assert abs(whole - parts) < timedelta(seconds=1)


def weeks(rate: float, seed: int, ends: datetime | None = None) -> Iterator[tuple[bool, datetime]]:
    """Eight weeks of a feed of `rate` entries a day, few at night and on Fridays, polled by the
    hour: whether it is taken for quiet, and when. From `ends` on nothing comes."""
    rng = random.Random(seed)
    at = start = NOW - timedelta(days=NOW.weekday())
    hours: tuple[int, ...] = ()
    times: list[datetime] = []
    while at < start + 56 * DAY:
        busy = (1.5 if 6 <= at.hour < 21 else 0.1) * (0.15 if at.weekday() == 4 else 1.1)
        if ends is None or at < ends:
            tries = (rng.random() < rate / 24 * busy / 20 for _ in range(20))
            new = sorted(at + HOUR * rng.random() for came in tries if came)
            times = (times + new)[-21:]
            hours = learn_hours(hours, new)
        at += HOUR
        it = state(
            first_polled=start, last_success=at, last_new=times[-1] if times else None,
            gaps_s=learn((), times), hours=hours,
        )  # fmt: skip
        yield "quiet" in reasons(it, at), at


@pytest.mark.parametrize(("rate", "false_alarms"), [(3, 3), (30, 1), (100, 0)])
def test_in_eight_weeks_of_nights_and_fridays_hardly_one_is_taken_for_an_end(
    rate: float, false_alarms: int
) -> None:
    alarms = 0
    for seed in range(5):
        told = [is_quiet for is_quiet, _ in weeks(rate, seed)]
        alarms += sum(now and not before for before, now in pairwise(told))
    assert alarms <= false_alarms


@pytest.mark.parametrize(("rate", "within_h"), [(3, 150), (30, 12), (100, 7)])
def test_an_end_is_found_as_soon_as_the_rhythm_allows(rate: float, within_h: float) -> None:
    for seed in range(3):
        ends = NOW - timedelta(days=NOW.weekday()) + timedelta(days=44, hours=-2)
        found = next(at for is_quiet, at in weeks(rate, seed, ends) if is_quiet and at > ends)
        assert found - ends <= within_h * HOUR


def test_old_habits_fade() -> None:
    hours = learn_hours((), [NOW] * 500)
    assert max(hours) <= 60
    hours = learn_hours(hours, [NOW + 5 * HOUR] * 500)
    assert hours[2 * 24 + 12] == 0
    assert hours[2 * 24 + 17] > 25


# --- failing, HTML, moved, dates, pages ------------------------------------------------------


def failing(status: str, since: timedelta, failures: int = 5) -> FeedState:
    return state(
        well=False, failures=failures, failing_since=NOW - since, last_status=status,
        last_error="https://example.org/feed answered 500",
    )  # fmt: skip


def test_a_day_of_failures_is_told_with_why_and_what_to_do() -> None:
    assert reasons(failing("server_error", 23 * HOUR)) == []
    (ailment,) = ailments(failing("server_error", 25 * HOUR), NOW)
    assert ailment.reason == "failing"
    assert ailment.why == "fails for 25 hours: https://example.org/feed answered 500"
    assert "trouble of its own" in ailment.do


def test_one_failure_after_rasids_own_long_absence_is_none() -> None:
    assert reasons(failing("refused", timedelta(0), 1)) == []
    assert reasons(failing("refused", 30 * HOUR, 2)) == []


def test_a_web_page_in_its_place_is_told_within_the_hour() -> None:
    assert reasons(failing("html_instead", 50 * timedelta(minutes=1))) == []
    assert reasons(failing("html_instead", 2 * HOUR)) == ["html"]
    assert reasons(failing("challenge", 2 * HOUR)) == ["html"]


def test_a_failing_feed_is_not_called_quiet_too() -> None:
    assert reasons(replace(failing("timeout", 40 * HOUR), last_new=NOW - 40 * HOUR)) == ["failing"]


def test_a_move_for_good_is_told_while_the_feed_is_read() -> None:
    (ailment,) = ailments(state(moved_to="https://new.example.org/feed"), NOW)
    assert (ailment.reason, "https://new.example.org/feed" in ailment.why) == ("moved", True)


def test_good_ones_make_up_for_bad_ones_and_the_past_is_bounded() -> None:
    assert tally(0, [True] * 50) == ODD
    assert tally(ODD, [False] * 2) == ODD - 2
    assert tally(1, [False] * 9) == 0


@pytest.mark.parametrize("field", ["lost_pages", "odd_dates"])
def test_a_fault_that_was_told_stands_until_nothing_of_it_is_left(field: str) -> None:
    reason = {"lost_pages": "pages", "odd_dates": "dates"}[field]
    assert reasons(state(**{field: ODD - 1})) == []
    assert reasons(state(**{field: ODD})) == [reason]
    assert reasons(state(**{field: 1}, unwell=(reason,))) == [reason]
    assert reasons(state(**{field: 0}, unwell=(reason,))) == []


# --- what a poll teaches ----------------------------------------------------------------------


def poll(it: FeedState, *dates: datetime | None, now: datetime = NOW) -> FeedState:
    """The state after a poll that brought new entries so dated, the newest first."""
    entries = tuple(
        (
            f"example.org/{now.timestamp()}-{n}",
            Entry(
                article_id=str(n), source="desk", feed=it.url, site=it.site,
                url=f"https://example.org/{n}", published=date, seen=now, updated=now,
            ),
        )
        for n, date in enumerate(dates)
    )  # fmt: skip
    came = Read(Answer(), "hash", entries) if dates else NotModified(Answer())
    return decide_poll(
        it, came, Bounds(60, 3600), now=now, look=lambda _: None, configured={it.url}
    ).state


def fail(it: FeedState, now: datetime) -> FeedState:
    error = FetchError("https://example.org/feed answered 500", reason="server_error")
    return decide_poll(
        it, Failed(error), Bounds(60, 3600), now=now, look=lambda _: None, configured={it.url}
    ).state


def test_dates_gone_wrong_are_seen_in_what_is_new() -> None:
    it = poll(state(), NOW - HOUR, NOW - 2 * HOUR)
    assert it.odd_dates == 0
    it = poll(it, *[NOW - 400 * DAY] * 3, *[None] * 3)
    assert reasons(it) == ["dates"]
    assert poll(it, NOW - HOUR).odd_dates == ODD - 1


def test_what_was_published_while_rasid_was_down_is_dated_well() -> None:
    it = state(last_success=NOW - 5 * DAY)
    assert poll(it, *[NOW - 4 * DAY] * 10).odd_dates == 0


def test_a_feed_that_never_had_dates_has_none_gone_wrong() -> None:
    it = state(newest_entry=None)
    assert poll(it, *[None] * 10).odd_dates == 0


def test_the_hours_at_which_it_publishes_are_learnt_from_what_is_new() -> None:
    it = poll(state(hours=()), NOW - HOUR, NOW - 2 * HOUR, NOW - 300 * DAY)
    assert (sum(it.hours), it.hours[2 * 24 + 11], it.hours[2 * 24 + 10]) == (2, 1, 1)


def test_failing_begins_with_the_first_failure_and_ends_with_a_success() -> None:
    it = fail(state(), NOW)
    it = fail(it, NOW + DAY)
    assert it.failing_since == NOW
    assert poll(it).failing_since is None


# --- what is told -----------------------------------------------------------------------------


def test_each_reason_is_told_once_and_well_again_once() -> None:
    it = state(lost_pages=ODD)
    first = changed(it, NOW)
    assert first is not None
    assert [each.reason for each in first.ailments] == ["pages"]
    it = first.state
    assert (it.unwell, it.unwell_since) == (("pages",), NOW)
    assert changed(it, NOW + HOUR) is None
    it = replace(it, odd_dates=ODD)
    second = changed(it, NOW + HOUR)
    assert second is not None
    assert [each.reason for each in second.ailments] == ["dates"]
    it = second.state
    assert it.unwell_since == NOW
    it = replace(it, odd_dates=0)
    assert changed(it, NOW) is None
    assert changed(replace(it, odd_dates=ODD), NOW) is None  # told in this illness
    it = replace(it, lost_pages=0)
    well = changed(it, NOW)
    assert well is not None
    assert (well.ailments, well.state.unwell, well.state.unwell_since) == ((), (), None)
    assert changed(well.state, NOW) is None


def test_what_is_told_names_source_reason_remedy_and_address() -> None:
    it = changed(state(lost_pages=ODD), NOW)
    assert it is not None
    line = told("صحيفة", it)
    assert line.startswith("صحيفة: its pages give no article")
    assert line.endswith("(https://example.org/feed)")
    assert told("صحيفة", Change(state(), ())) == "صحيفة: well again (https://example.org/feed)"


def test_spans_are_rounded_for_people() -> None:
    spans = [span(timedelta(minutes=m)) for m in (5, 70, 47 * 60, 48 * 60, 24 * 60 * 9)]
    assert spans == ["1 hour", "1 hour", "47 hours", "2 days", "9 days"]
