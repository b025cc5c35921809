"""What the headers of an answer say about time: pure readings of untrusted text."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONGEST_WAIT_S = 7 * 86400.0


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for: a number or a date; a week at most."""
    if not value:
        return None
    if value.strip().isdigit():
        wait = float(value.strip()[:9])
    else:
        date = _http_date(value)
        if date is None:
            return None
        wait = (date - now).total_seconds()
    return min(max(wait, 0.0), _LONGEST_WAIT_S)


def fresh_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds an answer stays fresh, by Cache-Control or else Expires; None when not said."""
    control = headers.get("Cache-Control", "").lower()
    if "no-cache" in control or "no-store" in control:
        return None
    for directive in control.split(","):
        name, _, value = directive.strip().partition("=")
        if name == "max-age":
            digits = value.strip('" ')
            return min(float(digits[:9]), _LONGEST_WAIT_S) if digits.isdigit() else None
    expires = _http_date(headers.get("Expires", ""))
    if expires is None:
        return None
    said = _http_date(headers.get("Date", "")) or now
    return min(max((expires - said).total_seconds(), 0.0), _LONGEST_WAIT_S)


def _http_date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


def kept(value: str | None) -> str | None:
    """A header worth keeping; headers are ASCII, and what is not could not be a record."""
    return value if value and value.isascii() and len(value) <= 1000 else None
