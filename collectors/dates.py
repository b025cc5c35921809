"""The date a feed or a page gives, in whatever form it was written.

Read are RFC 822 with the breakages met in the wild, ISO 8601, Unix seconds, numbers as
day/month/year, month names in English, French and Arabic (Levantine, Egyptian and Gulf,
Maghrebi, and two of them side by side), Hijri dates, and «منذ 3 ساعات».

Nothing is raised: what cannot be read, or is not believed, is None. A line is folded
(digits to ASCII, alef and hamza forms to one, marks dropped), a date is looked for in it,
then a time and a zone in what is left. Work is linear and the text is cut at 200 characters.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from collectors.folding import fold
from collectors.months import HIJRI_MONTHS, MONTHS, hijri_to_gregorian

MAX_CHARS: Final = 200
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
# A date without a zone is read as UTC though it may be Gulf time (+4), and clocks are set wrong.
FUTURE_TOLERANCE: Final = timedelta(hours=6)


def parse_date(text: str, *, now: datetime) -> datetime | None:
    """The moment `text` names, in UTC; a date alone is its midnight.

    Without a zone UTC is meant. `now` (aware) is what «منذ ساعة» counts from, the year of a
    date that names none, and the bound: later than a few hours from it, or before 1990, is
    not believed (None).
    """
    line = fold(text[:MAX_CHARS])
    if not line:
        return None
    try:
        found = _epoch(line) or _absolute(line, now) or _relative(line, now)
    except (ValueError, OverflowError):  # 30 February, year 0, a zone of 99 hours
        return None
    if found is None or found < EARLIEST or found > now + FUTURE_TOLERANCE:
        return None
    return found.astimezone(UTC)


# --- the date ------------------------------------------------------------------------------


def _any_of(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


# A name ends where no letter follows; a second name may stand beside it: «نوفمبر/تشرين الثاني».
_MONTH = rf"(?P<month>{_any_of(MONTHS)})(?!\w)\.?(?: ?[/(-]? ?(?:{_any_of(MONTHS)})(?!\w)\)?)?"
_ERA = r"(?: ?(?:ميلادي(?:ه)?|هجري(?:ه)?|م|ه)(?!\w))?"
_DAY = r"(?<!\d)(?P<day>\d{1,2})(?:st|nd|rd|th|er)?"
_YEAR = r"(?P<year>\d{4}|\d{2})(?![\d:])" + _ERA
_GAP = r" ?[-/.,]? ?(?:من|de|of)? ?(?:شهر )?"
_YEAR_GAP = r" ?[-/.,]? ?(?:من )?(?:عام|سنه|لعام|for)? ?"

_DAY_MONTH_YEAR = re.compile(_DAY + _GAP + rf"(?<!\w){_MONTH}{_YEAR_GAP}{_YEAR}")
_MONTH_DAY_YEAR = re.compile(rf"(?<!\w){_MONTH} ?{_DAY}(?!\d)(?: ?, ?| ){_YEAR}")
_YEAR_MONTH_DAY = re.compile(
    rf"(?<!\d)(?P<year>\d{{4}})[-/., ]{{1,2}}{_MONTH}[-/., ]{{1,2}}{_DAY}(?!\d)"
)
_DAY_MONTH = re.compile(_DAY + _GAP + rf"(?<!\w){_MONTH}")
_MONTH_DAY = re.compile(rf"(?<!\w){_MONTH} ?{_DAY}(?![\d:])")
_LONE_YEAR = re.compile(r"(?<![\d+:.-])(?P<year>(?:19|20)\d\d)(?![\d:])")

_HIJRI_DATE = re.compile(
    _DAY
    + _GAP
    + rf"(?<!\w)(?P<month>{_any_of(HIJRI_MONTHS)})(?!\w){_YEAR_GAP}(?P<year>1[345]\d\d){_ERA}"
)
_YMD = re.compile(
    r"(?<!\d)(?P<year>\d{4}) ?[-/.] ?(?P<month>\d{1,2}) ?[-/.] ?(?P<day>\d{1,2})(?!\d)" + _ERA
)
_DMY = re.compile(
    r"(?<![\d:])(?P<day>\d{1,2}) ?([-/.]) ?(?P<month>\d{1,2}) ?\2 ?(?P<year>\d{4}|\d{2})(?![\d:])"
    + _ERA
)
_COMPACT = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([01]\d)([0-3]\d)(?:t?([0-2]\d)([0-5]\d)([0-5]\d)?)?(?!\d)"
)

Date = tuple[int, int, int]


def _absolute(line: str, now: datetime) -> datetime | None:
    if found := _gregorian(line):
        (year, month, day), rest = found
        return _with_time(year, month, day, rest)
    if found := _hijri(line):
        (year, month, day), rest = found
        moment = _with_time(year, month, day, rest)
        # The tables run up to a day ahead of the moon: today must not become tomorrow.
        return moment - timedelta(days=1) if moment > now else moment
    for pattern in (_DAY_MONTH, _MONTH_DAY):
        match = pattern.search(line)
        if match:
            month, day = MONTHS[match["month"]], int(match["day"])
            rest = _without(line, match)
            if year_given := _LONE_YEAR.search(rest):  # "Wed Nov 27 14:05:00 +0200 2019"
                rest = _without(rest, year_given)
                return _with_time(int(year_given["year"]), month, day, rest)
            this_year = _with_time(now.year, month, day, rest)
            if this_year <= now + FUTURE_TOLERANCE:
                return this_year
            return _with_time(now.year - 1, month, day, rest)
    return None


def _gregorian(line: str) -> tuple[Date, str] | None:
    """The date as year, month, day, and the line without it."""
    for pattern in (_DAY_MONTH_YEAR, _MONTH_DAY_YEAR, _YEAR_MONTH_DAY):
        match = pattern.search(line)
        if match:
            date = (_full_year(match["year"]), MONTHS[match["month"]], int(match["day"]))
            return date, _without(line, match)
    if match := _COMPACT.search(line):
        rest = _without(line, match)
        if match[4]:
            rest = f"{match[4]}:{match[5]}:{match[6] or '00'} {rest}"
        return (int(match[1]), int(match[2]), int(match[3])), rest
    for pattern in (_YMD, _DMY):
        for match in pattern.finditer(line):
            year, month, day = _full_year(match["year"]), int(match["month"]), int(match["day"])
            if _is_hijri(year):
                continue
            if month > 12 >= day:  # the American order
                month, day = day, month
            return (year, month, day), _without(line, match)
    return None


def _hijri(line: str) -> tuple[Date, str] | None:
    if match := _HIJRI_DATE.search(line):
        month = HIJRI_MONTHS[match["month"]]
    elif (match := _YMD.search(line) or _DMY.search(line)) and _is_hijri(int(match["year"])):
        month = int(match["month"])
    else:
        return None
    date = hijri_to_gregorian(int(match["year"]), month, int(match["day"]))
    return date, _without(line, match)


def _is_hijri(year: int) -> bool:
    return 1300 <= year <= 1500


def _without(line: str, match: re.Match[str]) -> str:
    return line[: match.start()] + " | " + line[match.end() :]


def _full_year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (2000 if year < 70 else 1900)  # RFC 2822, 4.3, in spirit


# --- time and zone -------------------------------------------------------------------------

_ZONES: Final[dict[str, float]] = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "غرينتش": 0, "جرينتش": 0, "ت غ": 0, "تغ": 0, "wet": 0,
    "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
    "bst": 1, "west": 1, "cet": 1, "cest": 2, "eet": 2, "eest": 3, "msk": 3, "trt": 3,
    "ast": 3,  # Arabia's in the feeds read here, not the Atlantic's
    "مكه": 3, "مكه المكرمه": 3, "السعوديه": 3, "gst": 4,
}  # fmt: skip
_ZONE = (
    r"(?:\.\d+)? ?(?:\(?(?:بتوقيت )?"
    rf"(?P<zone>{_any_of(_ZONES)})(?!\w)\)?)?"
    r"(?: ?(?P<sign>[+-])(?P<oh>\d{1,2})(?::?(?P<om>\d{2}))?(?![\d:/]))?"
)
_HALF = r"a\.?m\.?|p\.?m\.?|صباحا|مساء|ظهرا|عصرا|فجرا|ليلا|ص|م"
_TIME = re.compile(
    rf"(?:(?<!\w)(?P<before>{_HALF}) )?(?<![\d+])(?P<h>\d{{1,2}})[:.h](?P<m>\d{{2}})"
    rf"(?:[:.](?P<s>\d{{2}}))?(?!\d)(?:\.\d+)?(?: ?(?P<after>{_HALF})(?!\w))?{_ZONE}"
)
_HOUR = re.compile(rf"(?<![\d:+.-])(?P<h>\d{{1,2}}) ?(?P<after>{_HALF})(?!\w){_ZONE}")
_AFTERNOON = frozenset({"pm", "p.m", "p.m.", "مساء", "ظهرا", "عصرا", "م"})


def _with_time(year: int, month: int, day: int, rest: str) -> datetime:
    """Raises ValueError when there is no such day."""
    date = datetime(year, month, day, tzinfo=UTC)
    match = _TIME.search(rest) or _HOUR.search(rest)
    if match is None:
        return date
    groups = match.groupdict()
    hour, minute, second = int(groups["h"]), int(groups.get("m") or 0), int(groups.get("s") or 0)
    half = groups.get("after") or groups.get("before")
    if half in _AFTERNOON and hour < 12:
        # «11 ظهراً» is before noon
        hour += 0 if half == "ظهرا" and hour > 9 else 12
    elif half and half not in _AFTERNOON and hour == 12:
        hour = 0
    if hour > 24 or minute > 59 or second > 60:
        return date  # not a time after all
    moment = date + timedelta(hours=hour, minutes=minute, seconds=min(second, 59))
    offset_h = _ZONES.get(groups["zone"] or "", 0)
    if groups["sign"]:
        offset = timedelta(hours=int(groups["oh"]), minutes=int(groups["om"] or 0))
        if offset > timedelta(hours=14):
            return moment
        return moment - (offset if groups["sign"] == "+" else -offset)
    return moment - timedelta(hours=offset_h)


def _epoch(line: str) -> datetime | None:
    if not line.isdecimal() or len(line) not in (10, 13):
        return None
    return datetime.fromtimestamp(int(line[:10]), UTC)


# --- relative ------------------------------------------------------------------------------

_UNITS: dict[str, timedelta] = {}
_DUALS: dict[str, timedelta] = {}
for _length, _names, _dual in (
    (timedelta(seconds=1), "ثانيه ثوان ثواني second seconds sec secs", "ثانيتين ثانيتان"),
    (timedelta(minutes=1), "دقيقه دقائق دقايق minute minutes min mins", "دقيقتين دقيقتان"),
    (timedelta(hours=1), "ساعه ساعات hour hours hr hrs heure heures", "ساعتين ساعتان"),
    (timedelta(days=1), "يوم يوما ايام day days jour jours", "يومين يومان"),
    (timedelta(weeks=1), "اسبوع اسبوعا اسابيع week weeks semaine semaines", "اسبوعين اسبوعان"),
    (timedelta(days=30), "شهر شهرا اشهر شهور month months mois", "شهرين شهران"),
    (timedelta(days=365), "سنه سنوات عام عاما اعوام year years", "سنتين سنتان عامين عامان"),
):
    _UNITS |= dict.fromkeys(_names.split(), _length)
    _DUALS |= dict.fromkeys(_dual.split(), 2 * _length)
_COUNTS: Final[dict[str, float]] = {
    "ثلاث": 3, "ثلاثه": 3, "اربع": 4, "اربعه": 4, "خمس": 5, "خمسه": 5, "ست": 6, "سته": 6,
    "سبع": 7, "سبعه": 7, "ثماني": 8, "ثمانيه": 8, "ثمان": 8, "تسع": 9, "تسعه": 9, "عشر": 10,
    "عشره": 10, "a": 1, "an": 1, "one": 1, "نصف": 0.5,
}  # fmt: skip
_AGO = re.compile(
    r"(?<!\w)(?:منذ|قبل|il y a|(?=.{1,40} ago\b)) ?(?:حوالي |نحو |about )?"
    rf"(?:(?P<dual>{_any_of(_DUALS)})|"
    rf"(?:(?P<count>\d{{1,4}}|{_any_of(_COUNTS)}) ?)?(?P<unit>{_any_of(_UNITS)}))(?!\w)"
)
_NOW = re.compile(r"(?<!\w)(?:الان|منذ لحظات|قبل لحظات|just now)(?!\w)")
_DAYS: Final[tuple[tuple[re.Pattern[str], int], ...]] = (
    (re.compile(r"(?<!\w)(?:اول امس|اول من امس)(?!\w)"), 2),
    (re.compile(r"(?<!\w)(?:امس|البارحه|yesterday|hier)(?!\w)"), 1),
    (re.compile(r"(?<!\w)(?:اليوم|today)(?!\w)"), 0),
)


def _relative(line: str, now: datetime) -> datetime | None:
    if match := _AGO.search(line):
        if match["dual"]:
            return now - _DUALS[match["dual"]]
        word = match["count"] or "one"
        count = float(word) if word.isdecimal() else _COUNTS[word]
        return now - count * _UNITS[match["unit"]]
    if _NOW.search(line):
        return now
    for pattern, days in _DAYS:
        if pattern.search(line):
            day = now - timedelta(days=days)
            return _with_time(day.year, day.month, day.day, line)
    return None
