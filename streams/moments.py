"""Moments as both carriers store them: whole microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


@lru_cache(maxsize=256)  # the records of a commit share their time
def from_us(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
