"""Times of day and of the week: when nothing is sent, and when a digest is due. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class MuteTime:
    """Hours of some days, by the clock of a time zone. Where `until` is earlier than `start`,
    the hours reach into the next day."""

    name: str
    weekdays: tuple[str, ...] = WEEKDAYS
    start: time = time(0)
    until: time = time(0)  # 00:00 as an end is the end of the day
    timezone: str = "UTC"

    def ends(self, now: datetime) -> datetime | None:
        """When the mute time that holds at `now` ends; None when none holds."""
        zone = ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            if WEEKDAYS[day.weekday()] not in self.weekdays:
                continue
            last = day if self.until > self.start else day + timedelta(days=1)
            if _at(day, self.start, zone) <= now < _at(last, self.until, zone):
                return _at(last, self.until, zone)
        return None


def muted_until(mutes: Sequence[MuteTime], now: datetime) -> datetime | None:
    """When all mute times that hold at `now`, or follow on one another, are over."""
    until = None
    for _ in range(4 * 7):  # a week without a break is as good as for ever
        ends = [end for mute in mutes if (end := mute.ends(until or now)) is not None]
        if not ends:
            break
        until = max(ends)
    return until


@dataclass(frozen=True, slots=True)
class Digest:
    """`only`: everything waits for it."""

    every: Literal["hour", "day"] = "day"
    at: time = time(8)
    timezone: str = "UTC"
    only: bool = False

    def next(self, now: datetime) -> datetime:
        """When the next one is due after `now`."""
        zone = ZoneInfo(self.timezone)
        local = now.astimezone(zone)
        if self.every == "hour":
            due = local.replace(minute=self.at.minute, second=0, microsecond=0).astimezone(UTC)
            return due if due > now else due + timedelta(hours=1)  # of an hour told twice, both
        due = _at(local.date(), self.at, zone)
        return due if due > now else _at(local.date() + timedelta(days=1), self.at, zone)


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)
