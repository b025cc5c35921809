"""When a feed is due: pure, so every case is a line."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import FetchError
from collectors.schedule import (
    Bounds,
    add_gap,
    after_failure,
    after_success,
    condition,
    jitter,
    learn,
    retry_page,
    rhythm_s,
    weigh,
)
from streams.records import FeedState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOUNDS = Bounds(min_s=120, max_s=3600)
STATE = FeedState(source="s", url="https://example.com/feed", site="example.com", last_new=NOW)


def having(**fields: object) -> FeedState:
    return msgspec.structs.replace(STATE, **fields)


def wait_s(due: datetime) -> float:
    return (due - NOW).total_seconds()


def test_a_feed_is_polled_four_times_as_often_as_it_publishes() -> None:
    assert rhythm_s(having(gaps_s=(1200.0, 2400.0, 4800.0)), BOUNDS, NOW) == 600.0


@pytest.mark.parametrize(("gap", "interval"), [(10.0, 120.0), (86400.0, 3600.0)])
def test_the_rhythm_stays_within_bounds(gap: float, interval: float) -> None:
    assert rhythm_s(having(gaps_s=(gap,)), BOUNDS, NOW) == interval


def test_an_unknown_feed_is_polled_often_and_a_silent_one_ever_less() -> None:
    assert rhythm_s(having(last_new=None), BOUNDS, NOW) == 120.0
    quiet = [having(last_new=NOW - timedelta(hours=h), gaps_s=(600.0,)) for h in (1, 4, 100)]
    assert [rhythm_s(state, BOUNDS, NOW) for state in quiet] == [225.0, 900.0, 3600.0]


def test_rhythm_is_learnt_from_the_dates_of_entries() -> None:
    times = [NOW - timedelta(minutes=m) for m in (30, 0, 10, 60, 10)]
    assert learn((1.0,), times) == (1800.0, 1200.0, 600.0)
    assert learn((1.0,), times[:2]) == (1.0,), "too few to tell"


def test_without_dates_rhythm_is_learnt_from_when_entries_appear() -> None:
    assert add_gap((5.0,), NOW - timedelta(seconds=60), NOW) == (5.0, 60.0)
    assert add_gap((5.0,), None, NOW) == (5.0,)
    assert len(add_gap((1.0,) * 50, NOW - timedelta(seconds=60), NOW)) == 20


def test_jitter_is_a_tenth_and_the_same_every_time() -> None:
    factors = {jitter(f"https://example.com/{i}") for i in range(200)}
    assert len(factors) == 200
    assert all(0.9 <= factor <= 1.1 for factor in factors)
    assert jitter(STATE.url) == jitter(STATE.url)


def test_what_the_server_says_is_a_floor_but_not_beyond_the_longest_interval() -> None:
    def due(fresh_s: float | None, ttl_s: float | None = None) -> float:
        return wait_s(after_success(STATE, BOUNDS, now=NOW, fresh_s=fresh_s, ttl_s=ttl_s)[1])

    assert due(None) == pytest.approx(120 * jitter(STATE.url))
    assert due(900) == 900.0
    assert due(None, 1800) == 1800.0
    assert due(10**6) == 3600.0


def test_a_feed_that_says_hourly_and_publishes_every_ten_minutes_is_not_believed() -> None:
    state = having(gaps_s=(600.0,) * 5)
    _, due = after_success(state, BOUNDS, now=NOW, fresh_s=None, ttl_s=3600)
    assert wait_s(due) == 300.0


def test_a_configured_interval_wins_over_rhythm_bounds_and_freshness() -> None:
    bounds = Bounds(120, 3600, override_s=1.0)
    interval_s, due = after_success(
        having(gaps_s=(9000.0,)), bounds, now=NOW, fresh_s=600, ttl_s=600
    )
    assert (interval_s, wait_s(due)) == (1.0, 1.0)


def failed(
    reason: str, failures: int, retry_after_s: float | None = None, override_s: float | None = None
) -> float:
    due = after_failure(
        having(failures=failures, well=False), Bounds(120, 3600, override_s), now=NOW,
        reason=reason, retry_after_s=retry_after_s,
    )  # fmt: skip
    return wait_s(due)


def test_failures_are_weighed_apart() -> None:
    assert (weigh("timeout"), weigh("dns"), weigh("gone")) == ("temporary", "soft", "hard")
    first = 120 * jitter(STATE.url)
    assert failed("timeout", 1) == failed("gone", 1) == pytest.approx(first, abs=1e-5)
    assert failed("timeout", 3) == pytest.approx(first * 2.25, abs=1e-5)
    assert failed("html_instead", 3) == pytest.approx(first * 4, abs=1e-5)
    assert failed("gone", 3) == pytest.approx(first * 16, abs=1e-5)


def test_a_dead_feed_is_still_tried_once_a_day() -> None:
    factor = jitter(STATE.url)
    assert failed("gone", 10_000) == pytest.approx(86400 * factor, abs=1e-5)
    assert failed("dns", 10_000) == pytest.approx(6 * 3600 * factor, abs=1e-5)
    assert failed("timeout", 10_000) == pytest.approx(3600 * factor, abs=1e-5)


def test_retry_after_is_obeyed_even_with_a_configured_interval() -> None:
    assert failed("rate_limited", 1, retry_after_s=1800, override_s=1.0) == 1800.0
    assert failed("server_error", 1, retry_after_s=10**7) == 6 * 3600.0


@given(st.sampled_from(sorted(FetchError.reasons)), st.integers(1, 10**6))
def test_every_reason_has_a_wait_within_a_day(reason: str, failures: int) -> None:
    assert 0 < failed(reason, failures) <= 86400 * 1.1


def test_how_a_feed_is_in_a_word() -> None:
    polled = {"last_polled": NOW, "well": False}
    long_ago = NOW - timedelta(days=4)
    assert condition(STATE, NOW) == "waiting"
    assert condition(having(last_polled=NOW), NOW) == "well"
    assert condition(having(**polled, failures=3), NOW) == "failing"
    assert condition(having(**polled, failures=50, last_success=NOW), NOW) == "failing"
    assert condition(having(**polled, failures=50, last_success=long_ago), NOW) == "dead"
    assert condition(having(**polled, failures=50), NOW) == "dead"


def test_a_page_is_tried_three_times_within_minutes() -> None:
    def due(attempts: int, retry_after_s: float | None = None) -> float | None:
        at = retry_page(attempts, tries=3, first_s=20, retry_after_s=retry_after_s, now=NOW)
        return None if at is None else wait_s(at)

    assert [due(1), due(2), due(3)] == [20.0, 60.0, None]
    assert due(1, 90) == 90.0
    assert due(1, 10**6) == 300.0
