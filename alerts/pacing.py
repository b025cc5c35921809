"""When a receiver may be sent to again. Pure: time is passed in."""

from dataclasses import dataclass

import xxhash

BACKOFF_FIRST_S = 1.0
BACKOFF_LIMIT_S = 300.0


def backoff_s(failures: int, seed: str) -> float:
    """Seconds to wait after the `failures`-th failure in a row: doubling from one second to
    five minutes, each between 80 and 120 % of that, always the same for one `seed`."""
    whole = min(BACKOFF_FIRST_S * 2.0 ** (min(max(failures, 1), 30) - 1), BACKOFF_LIMIT_S)
    share: float = xxhash.xxh32_intdigest(f"{seed}/{failures}".encode()) / 0xFFFFFFFF
    return whole * (0.8 + 0.4 * share)


@dataclass(slots=True)
class Bucket:
    """A token bucket: `burst` messages at once, then one every `interval_s`. Times are those
    of one monotonic clock."""

    interval_s: float
    burst: int
    _full_at: float = float("-inf")  # when the bucket will be full again

    def ready_at(self) -> float:
        """The earliest time at which a message may go."""
        return self._full_at - (self.burst - 1) * self.interval_s

    def take(self, now: float) -> None:
        """Count a message sent at `now`."""
        self._full_at = max(self._full_at, now) + self.interval_s
