"""When is a feed due, and when a page again: pure functions of what is known.

    learnt rhythm ─▶ bounds ─▶ what the server says stays fresh ─▶ jitter ─▶ due
    a failure     ─▶ interval × growth ^ failures, to a cap by how hopeless it is

A configured interval takes the place of rhythm, bounds and freshness; only Retry-After
stands above it. A feed that seems dead is still tried, once a day at the default bounds.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final, Literal

from streams.records import FeedState

Weight = Literal["temporary", "soft", "hard"]

KEPT_GAPS: Final = 20
DEAD_FAILURES: Final = 10  # in a row, over at least
DEAD_S: Final = 3 * 86400.0  # since the last success
_POLLS_A_GAP = 4.0  # so that a new entry waits an eighth of the usual gap on average
_QUIET_SHARE = 1 / 16  # of the time nothing came: a night's silence slows the polling down
_JITTER = 0.1

_HARD = frozenset({"not_found", "gone", "bad_url", "address", "robots", "redirects"})
_TEMPORARY = frozenset(
    {
        "timeout", "disconnected", "refused", "proxy", "server_error", "rate_limited", "crashed",
        "error",
    }
)  # fmt: skip
_GROWTH: dict[Weight, float] = {"temporary": 1.5, "soft": 2.0, "hard": 4.0}
_CAP: dict[Weight, float] = {"temporary": 1.0, "soft": 6.0, "hard": 24.0}  # × the longest


@dataclass(frozen=True, slots=True)
class Bounds:
    """`override_s` is the interval configured for the feed."""

    min_s: float
    max_s: float
    override_s: float | None = None


def weigh(reason: str) -> Weight:
    """How much hope a failure leaves: temporary ones pass by themselves; hard ones want
    somebody to act; soft is what may be either (DNS, TLS, 403, a feed that turned HTML)."""
    if reason in _HARD:
        return "hard"
    return "temporary" if reason in _TEMPORARY else "soft"


def learn(gaps_s: Sequence[float], times: Sequence[datetime]) -> tuple[float, ...]:
    """Gaps between entries, newest last, from the times of those in a feed; the old ones
    when there are too few times to tell."""
    ordered = sorted(set(times))[-(KEPT_GAPS + 1) :]
    fresh = [(later - earlier).total_seconds() for earlier, later in pairwise(ordered)]
    if len(fresh) < 3:
        return tuple(gaps_s)
    return tuple(fresh)


def add_gap(gaps_s: Sequence[float], since: datetime | None, now: datetime) -> tuple[float, ...]:
    """For feeds without dates: the time since entries last appeared is a gap."""
    if since is None or now <= since:
        return tuple(gaps_s)
    return (*gaps_s, (now - since).total_seconds())[-KEPT_GAPS:]


def rhythm_s(state: FeedState, bounds: Bounds, now: datetime) -> float:
    """The interval that a feed's own rhythm asks for, within bounds; the configured one if
    there is one. A feed not known yet is polled at the shortest interval."""
    if bounds.override_s is not None:
        return bounds.override_s
    wanted = bounds.min_s
    if state.gaps_s:
        wanted = median(state.gaps_s) / _POLLS_A_GAP
    newest = state.last_new or state.first_polled
    if newest is not None and now > newest:
        wanted = max(wanted, (now - newest).total_seconds() * _QUIET_SHARE)
    return min(max(wanted, bounds.min_s), bounds.max_s)


def after_success(
    state: FeedState, bounds: Bounds, *, now: datetime, fresh_s: float | None, ttl_s: float | None
) -> tuple[float, datetime]:
    """The interval and when the feed is due next. `fresh_s` is what Cache-Control or Expires
    say, `ttl_s` what the feed says; neither can ask for more than the longest interval. A
    feed's word counts only as far as its deeds bear it out: WordPress says "hourly" in every
    feed, whatever its newsroom does."""
    interval_s = rhythm_s(state, bounds, now)
    if bounds.override_s is not None:
        return interval_s, now + timedelta(seconds=interval_s)
    if ttl_s is not None and state.gaps_s:
        ttl_s = min(ttl_s, median(state.gaps_s) / 2)
    floor_s = min(max(fresh_s or 0.0, ttl_s or 0.0), bounds.max_s)
    wait_s = max(interval_s * jitter(state.url), floor_s)
    return interval_s, now + timedelta(seconds=wait_s)


def after_failure(
    state: FeedState, bounds: Bounds, *, now: datetime, reason: str, retry_after_s: float | None
) -> datetime:
    """When to try again; `state.failures` counts this one. Retry-After is obeyed, up to the
    cap of the failure's weight."""
    weight = weigh(reason)
    base_s = bounds.override_s if bounds.override_s is not None else bounds.min_s
    cap_s = max(bounds.max_s, base_s) * _CAP[weight]
    growth = _GROWTH[weight] ** min(max(state.failures - 1, 0), 40)
    wait_s = min(max(base_s, 0.1) * growth, cap_s) * jitter(state.url)
    wait_s = max(wait_s, min(retry_after_s or 0.0, max(cap_s, 6 * 3600.0)))
    return now + timedelta(seconds=wait_s)


def rests_s(state: FeedState, due: datetime | None, now: datetime) -> float:
    """How much longer a feed's site is to be left alone, because its last answer said so."""
    if state.last_status != "rate_limited" or due is None:
        return 0.0
    return max((due - now).total_seconds(), 0.0)


def jitter(url: str) -> float:
    """A factor of 0.9 to 1.1, the same for a feed every time, so that feeds that started
    together drift apart."""
    digest = hashlib.blake2b(url.encode("utf-8", "replace"), digest_size=4).digest()
    return 1.0 - _JITTER + 2 * _JITTER * int.from_bytes(digest) / 0xFFFFFFFF


def condition(state: FeedState, now: datetime) -> Literal["waiting", "well", "failing", "dead"]:
    """In a word how a feed is: `waiting` has not been polled yet, `dead` has failed many
    times over days."""
    if state.last_polled is None:
        return "waiting"
    if state.well:
        return "well"
    since = state.last_success
    long_ago = since is None or (now - since).total_seconds() >= DEAD_S
    return "dead" if state.failures >= DEAD_FAILURES and long_ago else "failing"


def retry_page(
    attempts: int,
    *,
    tries: int,
    first_s: float,
    retry_after_s: float | None,
    now: datetime,
) -> datetime | None:
    """When a page that failed `attempts` times, in a way that may pass, is tried again; None
    when the article has waited enough."""
    if attempts >= tries:
        return None
    wait_s = first_s * 3.0 ** (attempts - 1)
    return now + timedelta(seconds=max(wait_s, min(retry_after_s or 0.0, 300.0)))
