"""A clock that stands still until told otherwise."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """Called like any clock; `advance` moves it, backwards too."""

    def __init__(self, now: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now
