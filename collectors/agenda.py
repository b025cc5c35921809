"""What is due when, in memory; the tables know it durably."""

import heapq
import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta

_SET_BACK = timedelta(seconds=5)


class Agenda:
    """Keys by due time. A key is on it once; taking it off is cheap, and so is moving it."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, str]] = []
        self._entries: dict[str, int] = {}
        self._numbers = itertools.count()
        self._latest: datetime | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: str, due: datetime) -> None:
        """Note a key, or move it."""
        number = self._entries[key] = next(self._numbers)
        heapq.heappush(self._heap, (due, number, key))

    def drop(self, key: str) -> None:
        self._entries.pop(key, None)

    def take(self, now: datetime) -> Iterator[str]:
        """Keys due by `now`, the earliest first; each is taken off."""
        self._mind_clock(now)
        while self._heap and self._heap[0][0] <= now:
            _, number, key = heapq.heappop(self._heap)
            if self._entries.get(key) == number:
                del self._entries[key]
                yield key

    def next_due(self) -> datetime | None:
        while self._heap and self._entries.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _mind_clock(self, now: datetime) -> None:
        """A clock set back by an hour must not stop everything for an hour."""
        if self._latest is not None and now < self._latest - _SET_BACK:
            back = self._latest - now
            self._heap = [(due - back, number, key) for due, number, key in self._heap]
        self._latest = now
