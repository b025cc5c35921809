"""What headers say about time."""

from datetime import UTC, datetime

import pytest

from collectors.headers import fresh_s, kept, retry_after_s

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sun, 01 Mar 2026 12:05:00 GMT", 300.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("99999999999999", 7 * 86400.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_a_number_or_a_date_and_a_week_at_most(
    value: str | None, seconds: float | None
) -> None:
    assert retry_after_s(value, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Cache-Control": "public, max-age=300"}, 300.0),
        ({"Cache-Control": 'max-age="60"'}, 60.0),
        ({"Cache-Control": "no-cache, max-age=300"}, None),
        ({"Cache-Control": "max-age=soon"}, None),
        ({"Expires": "Sun, 01 Mar 2026 12:10:00 GMT"}, 600.0),
        (
            {
                "Expires": "Sun, 01 Mar 2026 12:10:00 GMT",
                "Date": "Sun, 01 Mar 2026 12:09:00 GMT",
            },
            60.0,
        ),
        ({"Expires": "0"}, None),
        ({"Expires": "Sun, 01 Mar 1980 12:10:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_freshness_is_by_cache_control_or_else_expires(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert fresh_s(headers, NOW) == seconds


def test_a_header_that_could_not_be_a_record_is_not_kept() -> None:
    assert kept('"abc"') == '"abc"'
    assert kept("caf\udce9") is None
    assert kept("x" * 2000) is None
    assert kept(None) is None
