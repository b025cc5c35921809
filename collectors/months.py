"""Names of months, and the Islamic calendar."""

from datetime import datetime

from collectors.folding import fold

# One line a month, names parted by commas: English, French; Egyptian and Gulf; Levantine and
# Iraqi; Maghrebi. Folded on loading, so hamza forms need not be repeated.
_MONTH_NAMES = """
january, jan, janvier, janv, يناير, كانون الثاني, كانون ثاني, جانفي
february, feb, février, fevrier, févr, fevr, فبراير, شباط, فيفري
march, mar, mars, مارس, آذار
april, apr, avril, avr, أبريل, نيسان, أفريل
may, mai, مايو, أيار, ماي
june, jun, juin, يونيو, يونيه, حزيران, جوان
july, jul, juillet, juil, يوليو, يوليه, تموز, جويلية, يوليوز
august, aug, août, aout, أغسطس, آب, أوت, غشت, أغشت
september, sept, sep, septembre, سبتمبر, أيلول, شتنبر, شتمبر
october, oct, octobre, أكتوبر, تشرين الأول, تشرين أول
november, nov, novembre, نوفمبر, تشرين الثاني, تشرين ثاني, نونبر
december, dec, décembre, decembre, déc, ديسمبر, كانون الأول, كانون أول, دجنبر, دجمبر
"""
_HIJRI_NAMES = """
محرم, المحرم
صفر
ربيع الأول, ربيع أول
ربيع الآخر, ربيع الثاني, ربيع ثاني
جمادى الأولى, جمادى الأول
جمادى الآخرة, جمادى الثانية, جمادى الآخر, جمادى الثاني
رجب
شعبان
رمضان
شوال
ذو القعدة, ذي القعدة
ذو الحجة, ذي الحجة
"""


def _months(table: str) -> dict[str, int]:
    return {
        fold(name): number
        for number, line in enumerate(table.strip().splitlines(), 1)
        for name in line.split(",")
    }


MONTHS = _months(_MONTH_NAMES)
HIJRI_MONTHS = _months(_HIJRI_NAMES)


def hijri_to_gregorian(year: int, month: int, day: int) -> tuple[int, int, int]:
    """The tabular Islamic calendar, civil epoch; within a day of what a country sights.

    Odd months have 30 days, even ones 29, and years 2, 5, 7, 10, 13, 16, 18, 21, 24, 26 and
    29 of each 30 a day more (Reingold and Dershowitz, Calendrical Calculations, ch. 7; the
    Explanatory Supplement to the Astronomical Almanac gives the same rule).
    Raises ValueError when there is no such day.
    """
    if not (1 <= month <= 12 and 1 <= day <= 30 and year >= 1):
        raise ValueError("no day of the Islamic calendar")
    epoch = 227015  # 1 Muharram 1: Friday 16 July 622 (Julian), counted from 1 January 1
    days = 354 * (year - 1) + (3 + 11 * year) // 30 + 29 * (month - 1) + month // 2 + day
    date = datetime.fromordinal(epoch - 1 + days)
    return date.year, date.month, date.day
