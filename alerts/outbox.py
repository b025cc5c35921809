"""What is due to whom: the sender's order of work, in memory. Pure: time is passed in.

A lane a receiver, so that one that is down or paced delays no other. A lane has one message
in flight, keeps the order in which messages were made, and holds after a failure: most
failures are the receiver's, not the message's. That one bad message cannot keep its lane
shut for good, every third failure in a row moves on to the next message; once one gets
through, the oldest is tried again, at the end of its own wait.

Only ids and times are here; the rows in the log are what counts.
"""

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from alerts.pacing import Bucket, backoff_s

TRIES: Final = 3  # failures in a row before the next message of the lane is tried
LOOKED_AT: Final = 256  # messages of a lane looked at for one that is due
SET_BACK: Final = timedelta(seconds=5)  # less than this is no clock set back


@dataclass(slots=True)
class _Waiting:
    due: datetime
    queued: datetime
    story: str


@dataclass(slots=True)
class _Lane:
    waiting: dict[str, _Waiting] = field(default_factory=dict)  # by alert, oldest first
    in_flight: str | None = None
    hold: datetime | None = None
    failures: int = 0  # in a row, of the receiver

    def head(self) -> Iterator[tuple[str, _Waiting]]:
        return islice(self.waiting.items(), LOOKED_AT)

    def _firsts(self) -> Iterator[tuple[str, _Waiting]]:
        """The oldest message on each story: what a story says next comes after it."""
        stories: set[str] = set()
        for alert, waiting in self.head():
            if waiting.story not in stories:
                yield alert, waiting
            if waiting.story:
                stories.add(waiting.story)

    def pick(self, now: datetime) -> str | None:
        if self.in_flight is not None or (self.hold is not None and now < self.hold):
            return None
        ready = (alert for alert, waiting in self._firsts() if waiting.due <= now)
        turn = self.failures // TRIES
        if turn == 0:
            return next(ready, None)
        several = list(ready)
        return several[turn % len(several)] if several else None

    def next_at(self) -> datetime | None:
        if self.in_flight is not None or not self.waiting:
            return None
        due = min(waiting.due for _, waiting in self._firsts())
        return max(due, self.hold) if self.hold else due


class Outbox:
    """`add` what is pending, `take` what may go now, then `settle`, `postpone` or `release`
    it. Calls that name a receiver or an alert not known here do nothing."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._buckets: dict[Hashable, Bucket] = {}
        self._paces: dict[str, Hashable] = {}
        self._latest: datetime | None = None  # when `take` was last asked

    def pace(self, keys: Mapping[str, Hashable], *, interval_s: float, burst: int) -> None:
        """Pace these receivers, and no others; those with one key share one pace."""
        self._paces = dict(keys)
        self._buckets = {
            key: self._buckets.get(key) or Bucket(interval_s, burst) for key in keys.values()
        }

    def add(
        self, receiver: str, alert: str, *, due: datetime, queued: datetime, story: str = ""
    ) -> None:
        """Take in a pending message, behind those of its receiver already here; it never goes
        before an earlier one on its `story`."""
        self._lane(receiver).waiting.setdefault(alert, _Waiting(due, queued, story))

    def hold(self, receiver: str, until: datetime) -> None:
        """Send nothing to `receiver` before `until`."""
        lane = self._lane(receiver)
        lane.hold = max(until, lane.hold) if lane.hold else until

    def forgive(self, receiver: str, now: datetime) -> None:
        """Try it afresh: it was configured anew."""
        lane = self._lane(receiver)
        lane.hold, lane.failures = None, 0
        for waiting in lane.waiting.values():
            waiting.due = min(waiting.due, now)

    def well(self, receiver: str) -> bool:
        """Whether nothing failed since it last took a message."""
        return self._lane(receiver).failures == 0

    def take(
        self, now: datetime, monotonic: float, known: Collection[str]
    ) -> list[tuple[str, str]]:
        """(receiver, alert) of what may go at this moment, one a `known` receiver; each counts
        as in flight, and against its pace, from here on."""
        self._mind_clock(now)
        taken = []
        for receiver, lane in self._lanes.items():
            alert = lane.pick(now) if receiver in known else None
            if alert is None:
                continue
            bucket = self._bucket(receiver)
            if bucket is not None:
                if bucket.ready_at() > monotonic:
                    continue
                bucket.take(monotonic)
            lane.in_flight = alert
            taken.append((receiver, alert))
        return taken

    def hopeless(
        self, now: datetime, known: Collection[str], max_age_s: float, limit: int
    ) -> list[tuple[str, str]]:
        """What is not worth taking: queued longer than `max_age_s` ago, or for a receiver not
        `known`. `settle` it."""
        found: list[tuple[str, str]] = []
        for receiver, lane in self._lanes.items():
            for alert, waiting in lane.waiting.items():
                expired = (now - waiting.queued).total_seconds() > max_age_s
                if len(found) >= limit or (receiver in known and not expired):
                    break  # what is behind was queued later
                if alert != lane.in_flight:
                    found.append((receiver, alert))
        return found

    def settle(self, receiver: str, alert: str, *, sent: bool = False) -> None:
        """Done with. Only `sent` says that the receiver is well."""
        lane = self._lane(receiver)
        lane.waiting.pop(alert, None)
        self.release(receiver, alert)
        if sent:
            lane.failures, lane.hold = 0, None

    def postpone(
        self,
        receiver: str,
        alert: str,
        *,
        now: datetime,
        due: datetime,
        asked: bool = False,
        well: bool = False,
    ) -> None:
        """It failed, and is `due` again. The lane holds for as long as the receiver `asked`,
        else for a backoff of its own, unless the receiver is `well`."""
        lane = self._lane(receiver)
        self.release(receiver, alert)
        if alert in lane.waiting:
            lane.waiting[alert].due = due
        if well:
            lane.failures, lane.hold = 0, None
            return
        # To be asked to wait says nothing against the message: the lane keeps its order.
        lane.failures = max(lane.failures, 1) if asked else lane.failures + 1
        lane.hold = due if asked else now + timedelta(seconds=backoff_s(lane.failures, alert))

    def release(self, receiver: str, alert: str) -> None:
        """No longer in flight, and as it was."""
        lane = self._lane(receiver)
        if lane.in_flight == alert:
            lane.in_flight = None

    def wait_s(self, now: datetime, monotonic: float, limit_s: float) -> float:
        """Seconds until `take` may have something, `limit_s` at most."""
        wait = limit_s
        for receiver, lane in self._lanes.items():
            at = lane.next_at()
            if at is None:
                continue
            mine = (at - now).total_seconds()
            bucket = self._bucket(receiver)
            if bucket is not None:
                mine = max(mine, bucket.ready_at() - monotonic)
            wait = min(wait, max(mine, 0.0))
        return wait

    def in_flight(self) -> dict[str, str]:
        """receiver → alert"""
        return {name: lane.in_flight for name, lane in self._lanes.items() if lane.in_flight}

    def pending(self) -> dict[str, int]:
        """Messages not settled, by receiver; those in flight count."""
        return {name: len(lane.waiting) for name, lane in self._lanes.items()}

    def oldest(self) -> dict[str, datetime]:
        """When the oldest message not settled was queued, by receiver."""
        return {
            name: next(iter(lane.waiting.values())).queued
            for name, lane in self._lanes.items()
            if lane.waiting
        }

    def _mind_clock(self, now: datetime) -> None:
        """A clock set back by an hour must not keep back for an hour what was due just now."""
        if self._latest is not None and now < self._latest - SET_BACK:
            back = self._latest - now
            for lane in self._lanes.values():
                lane.hold = lane.hold - back if lane.hold else None
                for waiting in lane.waiting.values():
                    waiting.due -= back
        self._latest = now

    def clear(self) -> None:
        """Forget all that waits; what is in flight stays so."""
        for lane in self._lanes.values():
            lane.waiting = {k: v for k, v in lane.waiting.items() if k == lane.in_flight}

    def _lane(self, receiver: str) -> _Lane:
        return self._lanes.setdefault(receiver, _Lane())

    def _bucket(self, receiver: str) -> Bucket | None:
        key = self._paces.get(receiver)
        return None if key is None else self._buckets[key]
