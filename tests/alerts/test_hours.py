"""When nothing is sent, and when a digest is due: by the receiver's clock."""

from datetime import UTC, datetime, time

import pytest

from alerts.hours import Digest, MuteTime, muted_until

NIGHTS = MuteTime("nights", start=time(22), until=time(7), timezone="Africa/Tripoli")
WEEKEND = MuteTime("weekend", weekdays=("fri", "sat"), timezone="Africa/Tripoli")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2026-03-02 19:59", None),  # 21:59 in Tripoli
        ("2026-03-02 20:00", "2026-03-03 05:00"),
        ("2026-03-03 04:59", "2026-03-03 05:00"),
        ("2026-03-03 05:00", None),
    ],
)
def test_a_night_reaches_into_the_next_day(now: str, ends: str | None) -> None:
    assert NIGHTS.ends(at(now)) == (at(ends) if ends else None)


def test_a_weekend_is_whole_days_and_follows_on_a_night() -> None:
    friday = at("2026-03-06 09:00")
    assert WEEKEND.ends(friday) == at("2026-03-06 22:00")
    assert muted_until([WEEKEND], friday) == at("2026-03-07 22:00")
    assert muted_until([WEEKEND, NIGHTS], friday) == at("2026-03-08 05:00")
    assert muted_until([], friday) is None


def test_a_clock_that_jumps_is_followed() -> None:
    berlin = MuteTime("nights", start=time(22), until=time(7), timezone="Europe/Berlin")
    assert berlin.ends(at("2026-03-28 23:00")) == at("2026-03-29 05:00")  # summer time begins


@pytest.mark.parametrize(
    ("digest", "due"),
    [
        (Digest("day", time(8), "Africa/Tripoli"), "2026-03-03 06:00"),
        (Digest("day", time(16), "Africa/Tripoli"), "2026-03-02 14:00"),
        (Digest("hour", time(0, 30)), "2026-03-02 12:30"),
        (Digest("hour", time(0, 0)), "2026-03-02 13:00"),
    ],
)
def test_a_digest_is_due_at_the_next_hour_or_day(digest: Digest, due: str) -> None:
    assert digest.next(at("2026-03-02 12:10")) == at(due)


def test_an_hour_told_twice_has_two_digests() -> None:
    hourly = Digest("hour", time(0, 15), "Europe/Berlin")
    due = at("2026-10-24 23:15")  # 01:15; winter time begins at 03:00
    for later in ("00:15", "01:15", "02:15"):
        due = hourly.next(due)
        assert due == at(f"2026-10-25 {later}")
