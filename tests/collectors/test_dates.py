"""Dates as newsrooms write them."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.dates import parse_date
from collectors.months import hijri_to_gregorian

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # RFC 822 and what becomes of it
        ("Wed, 27 Nov 2019 14:05:00 +0200", utc(2019, 11, 27, 12, 5)),
        ("Wed, 27 Nov 2019 14:05:00 GMT", utc(2019, 11, 27, 14, 5)),
        ("Wed, 27 Nov 2019 14:05:00 -0500", utc(2019, 11, 27, 19, 5)),
        ("27 Nov 19 14:05 EST", utc(2019, 11, 27, 19, 5)),
        ("Wed 27 Nov 2019 14:05", utc(2019, 11, 27, 14, 5)),
        ("Monday, 27 Nov 2019 14:05:00 UT", utc(2019, 11, 27, 14, 5)),  # it was a Wednesday
        ("Wed, 27 Nov 2019 14:05:00 GMT+0300", utc(2019, 11, 27, 11, 5)),
        ("Wed, 27 Nov 2019 14:05:00 UTC+03:00", utc(2019, 11, 27, 11, 5)),
        ("Wed, 27 Nov 2019 14:05:00 +03", utc(2019, 11, 27, 11, 5)),
        ("Wed, 27 Nov 2019 14:05:00 +300", utc(2019, 11, 27, 11, 5)),
        ("Wed, 27 Nov 2019 24:00:00 GMT", utc(2019, 11, 28)),
        ("Wed, 27 November 2019 2:05 PM", utc(2019, 11, 27, 14, 5)),
        ("Wed Nov 27 14:05:00 +0200 2019", utc(2019, 11, 27, 12, 5)),
        ("Wed Nov 27 14:05:00 2019", utc(2019, 11, 27, 14, 5)),
        ("Sept. 5, 2020", utc(2020, 9, 5)),
        ("27-Nov-2019", utc(2019, 11, 27)),
        # ISO 8601 and numbers
        ("2019-11-27T14:05:00Z", utc(2019, 11, 27, 14, 5)),
        ("2019-11-27T14:05:00.123+02:00", utc(2019, 11, 27, 12, 5)),
        ("2019-11-27T14:05:00-0230", utc(2019, 11, 27, 16, 35)),
        ("2019-11-27 14:05:00", utc(2019, 11, 27, 14, 5)),
        ("2019-11-27", utc(2019, 11, 27)),
        ("20191127T140500Z", utc(2019, 11, 27, 14, 5)),
        ("20191127", utc(2019, 11, 27)),
        ("1574863500", utc(2019, 11, 27, 14, 5)),
        ("1574863500000", utc(2019, 11, 27, 14, 5)),
        ("27/11/2019 02:05 م", utc(2019, 11, 27, 14, 5)),
        ("5/3/2024", utc(2024, 3, 5)),  # day first, as in the Arab world
        ("11/27/2019 2:05 PM", utc(2019, 11, 27, 14, 5)),  # no month 27: American
        ("27.11.2019 14.05", utc(2019, 11, 27, 14, 5)),
        ("05:30 - 2020/05/05", utc(2020, 5, 5, 5, 30)),
        # months: Levantine, Egyptian and Gulf, Maghrebi, French
        ("2 كانون الثاني 2020", utc(2020, 1, 2)),
        ("27 شباط 2020", utc(2020, 2, 27)),
        ("5 آب 2020", utc(2020, 8, 5)),
        ("30 أيلول 2020", utc(2020, 9, 30)),
        ("27 تشرين الأول 2019", utc(2019, 10, 27)),
        ("5 مايو، 2020 10:30 ص", utc(2020, 5, 5, 10, 30)),
        ("5 أغسطس 2020", utc(2020, 8, 5)),
        ("14 جانفي 2020", utc(2020, 1, 14)),
        ("14 فيفري 2020", utc(2020, 2, 14)),
        ("5 ماي 2020", utc(2020, 5, 5)),
        ("5 جوان 2020", utc(2020, 6, 5)),
        ("27 جويلية 2019 على الساعة 14:05", utc(2019, 7, 27, 14, 5)),
        ("1 أوت 2020", utc(2020, 8, 1)),
        ("1 غشت 2020", utc(2020, 8, 1)),
        ("3 دجنبر 2020", utc(2020, 12, 3)),
        ("dimanche 5 janvier 2020 - 10h30", utc(2020, 1, 5, 10, 30)),
        # two names, weekdays, digits, halves of the day
        ("الأربعاء 27 نوفمبر/تشرين الثاني 2019 - 14:05", utc(2019, 11, 27, 14, 5)),
        ("الثلاثاء، ٠٥ أيار/مايو ٢٠٢٠، ٢٣:٤٥", utc(2020, 5, 5, 23, 45)),
        ("٢٧ نوفمبر ٢٠١٩ ٢:٠٥ مساءً", utc(2019, 11, 27, 14, 5)),
        ("۲۷ نوفمبر ۲۰۱۹", utc(2019, 11, 27)),
        ("12:30 ص 5 مايو 2020", utc(2020, 5, 5, 0, 30)),
        ("5 مايو 2020 12:30 ظهراً", utc(2020, 5, 5, 12, 30)),
        ("5 مايو 2020 الساعة 3 عصراً", utc(2020, 5, 5, 15)),
        ("السبت 23 من أيار 2020", utc(2020, 5, 23)),
        ("\u200f27 نـوفمبر \u202b2019\u202c", utc(2019, 11, 27)),
        # what stands around it
        ("نُشر في: 5 مايو 2020 | 14:05 بتوقيت غرينتش", utc(2020, 5, 5, 14, 5)),
        ("5 مايو 2020 23:45 (بتوقيت مكة المكرمة)", utc(2020, 5, 5, 20, 45)),
        ("الرياض 26 شوال 1436 هـ الموافق 11 اغسطس 2015 م واس", utc(2015, 8, 11)),
        ("26 شوال 1436 هـ الموافق 11 أغسطس 2015 م 10:30", utc(2015, 8, 11, 10, 30)),
        # a day without its year is the latest such day
        ("23 من أيار", utc(2026, 5, 23)),
        ("23 كانون الأول", utc(2025, 12, 23)),
        # counted from now
        ("منذ 3 ساعات", utc(2026, 11, 20, 9)),
        ("منذ ٤٥ دقيقة", utc(2026, 11, 20, 11, 15)),
        ("قبل يومين", utc(2026, 11, 18, 12)),
        ("منذ ساعة", utc(2026, 11, 20, 11)),
        ("منذ خمس دقائق", utc(2026, 11, 20, 11, 55)),
        ("منذ نصف ساعة", utc(2026, 11, 20, 11, 30)),
        ("منذ أسبوع", utc(2026, 11, 13, 12)),
        ("منذ لحظات", NOW),
        ("3 hours ago", utc(2026, 11, 20, 9)),
        ("an hour ago", utc(2026, 11, 20, 11)),
        ("أمس 14:30", utc(2026, 11, 19, 14, 30)),
        ("اليوم، 10:15 ص", utc(2026, 11, 20, 10, 15)),
    ],
)
def test_it_is_read(text: str, expected: datetime) -> None:
    assert parse_date(text, now=NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "حرب", "12", "لا تاريخ هنا", "30 Feb 2020", "0000-00-00 00:00:00",
        "32 مايو 2020", "99:99", "منذ زمن", "2019-13-40", "+0300",
    ],
)  # fmt: skip
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text, now=NOW) is None


@pytest.mark.parametrize(
    "text",
    ["2099-01-01", "1 يناير 2027", "Fri, 20 Nov 2026 19:00:00 GMT", "1989-12-31", "1 Jan 1970"],
)
def test_the_future_and_the_distant_past_are_not_believed(text: str) -> None:
    assert parse_date(text, now=NOW) is None


def test_a_few_hours_ahead_are_a_clock_or_a_zone_left_out() -> None:
    assert parse_date("2026-11-20 16:00", now=NOW) == utc(2026, 11, 20, 16)


@pytest.mark.parametrize(
    ("hijri", "gregorian"),
    [
        # first days of months by the Umm al-Qura calendar, as Saudi papers print them
        ((1436, 10, 26), date(2015, 8, 11)),
        ((1439, 9, 1), date(2018, 5, 16)),
        ((1441, 12, 1), date(2020, 7, 22)),
        ((1442, 4, 1), date(2020, 11, 16)),
        ((1445, 9, 1), date(2024, 3, 11)),
        ((1446, 1, 1), date(2024, 7, 7)),
        ((1446, 9, 1), date(2025, 3, 1)),
        ((1447, 1, 1), date(2025, 6, 26)),
    ],
)
def test_the_islamic_calendar_is_right_within_a_day(
    hijri: tuple[int, int, int], gregorian: date
) -> None:
    assert abs(date(*hijri_to_gregorian(*hijri)) - gregorian) <= timedelta(days=1)


@pytest.mark.parametrize(
    "text",
    ["15 صفر 1447هـ", "١٥ صفر ١٤٤٧ هـ", "15/02/1447هـ", "1447-02-15", "الأحد 15 من شهر صفر 1447"],
)
def test_hijri_dates_are_read(text: str) -> None:
    found = parse_date(text, now=NOW)
    assert found is not None
    assert abs(found - utc(2025, 8, 9)) <= timedelta(days=1)


def test_a_hijri_today_does_not_become_tomorrow() -> None:
    """The tables give 15 Safar 1447 a day later than Umm al-Qura does."""
    now = utc(2025, 8, 9, 12)
    assert parse_date("15 صفر 1447", now=now) == utc(2025, 8, 9)


@given(st.text(max_size=300))
def test_no_text_raises_and_none_is_answered_with_the_unbelievable(text: str) -> None:
    found = parse_date(text, now=NOW)
    assert found is None or utc(1990, 1, 1) <= found <= NOW + timedelta(hours=6)


@given(st.datetimes(datetime(1990, 1, 2), datetime(2026, 11, 19)))  # noqa: DTZ001
def test_what_is_written_as_iso_or_rfc_is_read_back(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC, microsecond=0)
    assert parse_date(moment.isoformat(), now=NOW) == moment
    assert parse_date(moment.strftime("%a, %d %b %Y %H:%M:%S +0000"), now=NOW) == moment
    assert parse_date(moment.strftime("%d/%m/%Y %I:%M:%S %p"), now=NOW) == moment


@pytest.mark.parametrize("piece", ["1", "1 ", "5 مايو ", "20/", "منذ ", "12:", "+", "a ago ", "٣"])
def test_long_lines_cost_no_more_than_short_ones(piece: str) -> None:
    text = piece * 100_000
    began = time.thread_time()
    parse_date(text, now=NOW)
    assert time.thread_time() - began < 1
