"""When it happened, where the sentence of a flag says so: pure.

A day, or a part of one (اليوم، أمس، مساء الثلاثاء، فجر الجمعة 12 كانون الثاني/يناير; on Tuesday
evening, yesterday), reckoned from the article's publication on the clock of its source. Nothing is
told when in doubt: not what is to come, or only said then («قال، الثلاثاء، إن»), or since when or
until when something lasts, or stands in another clause than what happened; and no day that the
sentence contradicts.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from babel.core import get_global

from processors.arabic import fold
from processors.text import QUOTES, places, words
from streams.records import Flag, Happened, PartOfDay

REACH: Final = 14  # words between what happened and when
SAID_REACH: Final = 4  # words between a verb of saying and when it was said
BACK: Final = 30  # days before publication up to which a date tells of news
NIGHT_ENDS: Final = 4  # o'clock; until then «اليوم» may still be the day before

_ONLY: Final = ("asserted", "reported")  # what is denied, asked for or to come has no time
_WEEKDAYS: Final = {
    fold(name): number
    for number, names in enumerate(
        (
            "الاثنين monday", "الثلاثاء tuesday", "الأربعاء wednesday", "الخميس thursday",
            "الجمعة friday", "السبت saturday", "الأحد sunday",
        )
    )
    for name in names.split()
}  # fmt: skip
_PARTS: Final[dict[str, PartOfDay]] = {
    "فجر": "dawn", "فجرا": "dawn", "صباح": "morning", "صباحا": "morning", "ظهر": "noon",
    "ظهرا": "noon", "عصر": "afternoon", "عصرا": "afternoon", "مساء": "evening",
    "ليل": "night", "ليلا": "night", "dawn": "dawn", "morning": "morning", "noon": "noon",
    "afternoon": "afternoon", "evening": "evening", "night": "night",
}  # fmt: skip
# The hour from which a part of a day can have been.
_FROM: Final[dict[PartOfDay, int]] = {
    "": 0, "dawn": 0, "morning": 5, "noon": 11, "afternoon": 13, "evening": 16, "night": 18,
}  # fmt: skip
_MONTHS: Final = {
    fold(name): number
    for number, names in enumerate(
        (
            "يناير جانفي january jan", "فبراير شباط فيفري february feb", "مارس آذار march mar",
            "أبريل إبريل نيسان أفريل april apr", "مايو أيار ماي may",
            "يونيو يونيه حزيران جوان june jun", "يوليو يوليه تموز جويلية july jul",
            "أغسطس آب أوت august aug", "سبتمبر أيلول september sept sep", "أكتوبر october oct",
            "نوفمبر november nov", "ديسمبر december dec",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_TWO_WORD_MONTHS: Final = {
    ("كانون", "الثاني"): 1, ("تشرين", "الاول"): 10, ("تشرين", "الثاني"): 11, ("كانون", "الاول"): 12,
}  # fmt: skip


def _set(table: str) -> frozenset[str]:
    return frozenset(map(fold, table.split()))


# Before a time, it is not when something happened, but from when, until when, or what else.
_BOUND: Final = _set("""
    منذ حتى إلى لغاية ابتداء بدءا اعتبارا قبل بعد قبيل عقب عشية بحلول سوق صلاة خلال كل نهاية
    بداية منتصف until till since from starting by before after next every each during through
    ahead of as
""")
_EARLY: Final = _set("مبكرة متأخرة متأخر مبكر ساعة ساعات وقت أول أوائل early late")
# اليوم التالي، اليوم الثاني من الهدنة
_NOT_TODAY: Final = _set("""
    التالي السابق نفسه ذاته الماضي المقبل القادم الأول الثاني الثالث الرابع الخامس السادس
    الواحد الأخير الموالي الوطني العالمي
""")
_NEXT: Final = _set("المقبل القادم المقبلة القادمة الآتي next")
_LAST: Final = _set("الماضي الفائت المنصرم last")
# Where another clause begins.
_CLAUSE: Final = _set("""
    أن إن بأن أنه أنها أنهم أنهما إنه إنها إنهم بأنه بأنها الذي التي الذين اللذين اللتين بعد
    بعدما قبل منذ وسط حيث فيما بينما عقب إثر قبيل رغم لكن غير إذ كما حين عندما لدى الموقع
    الموقعة المبرم المبرمة المعلن المعلنة المتفق المتوقف المتوقفة : ؛ ; . ( ) that which who
    after before while as despite amid but when where since although following it they he she
    we you i reached signed declared brokered
""")
_SAID: Final = _set("""
    قال قالت قالوا وقال وقالت أعلن أعلنت وأعلن وأعلنت أكد أكدت وأكد وأكدت ذكر ذكرت وذكر وذكرت
    أفاد أفادت وأفاد وأفادت كشف كشفت وكشف وكشفت أوضح أوضحت أضاف أضافت وأضاف وأضافت صرح صرحت
    نقل نقلت بحسب حسب وفق وفقا بيان تصريح تصريحات اتهم اتهمت أدان أدانت said says saying
    announced told reported confirmed statement according accused condemned added
""")
_TO_COME: Final = _set("""
    يبدأ تبدأ ستبدأ سيبدأ يسري تسري يدخل تدخل يستمر تستمر ينتهي تنتهي تنطلق ينطلق مقرر المقرر
    المقررة متوقع يتوقع سيكون ستكون will would expected due scheduled begins begin start
    starts starting effective
""")
# «شابين اعتقلتهما أمس»: what was done to a noun, told with no word between.
_DONE_TO: Final = re.compile("(?!.*اته).{3,}ت(?:ه|ها|هم|هما|هن)")
_COMMAS: Final = frozenset("،,-–—")
_BARRED: Final = _CLAUSE | _COMMAS | _TO_COME | _SAID
_TOO_MANY: Final = 400  # tokens of a quote; longer ones are no sentence


@dataclass(frozen=True, slots=True)
class _Time:
    """Tokens `first` to `last` (exclusive) of a sentence tell it; `day` None: not to be told."""

    first: int
    last: int
    day: date | None
    part: PartOfDay = ""


def dated(
    flag: Flag, title: str, text: str, published: datetime | None, country: str | None
) -> Flag:
    """`flag` with when it happened, where its sentence tells. `country` is the source's."""
    happened = when(flag, title, text, published, country)
    return flag if happened is None else msgspec.structs.replace(flag, happened=happened)


def when(
    flag: Flag, title: str, text: str, published: datetime | None, country: str | None
) -> Happened | None:
    zone = _zone((country or "", *flag.countries))
    if published is None or zone is None or flag.status not in _ONLY:
        return None
    local = published.astimezone(zone)
    for field, raw in (("text", text), ("title", title)):
        start = raw.find(flag.quote)
        if start < 0 or not flag.quote:
            continue
        end = start + len(flag.quote)
        told = [
            (span.start - start, span.end - start)
            for span in flag.spans
            if span.field == field and span.role == "trigger" and start <= span.start < end
        ]
        return _told(flag.quote, told, local)
    return None


def _told(quote: str, triggers: Sequence[tuple[int, int]], local: datetime) -> Happened | None:
    """What the sentence tells of the time of one of these spans of it."""
    tokens, starts = words(quote), places(quote)
    if len(tokens) > _TOO_MANY:
        return None
    plain = [fold(token) for token in tokens]
    found = {
        (time.day, time.part): time
        for time in _times(plain, local)
        for begin, end in triggers
        if time.day is not None and _of(plain, _tokens(starts, begin, end), time)
    }
    if len(found) != 1:
        return None
    ((_, time),) = found.items()
    assert time.day is not None
    last = time.last - 1
    written = quote[starts[time.first] : starts[last] + len(tokens[last])]
    return Happened(day=time.day, part=time.part, text=written)


def _tokens(starts: Sequence[int], begin: int, end: int) -> tuple[int, int]:
    """The tokens of a span of characters."""
    inside = [at for at, start in enumerate(starts) if begin <= start < end]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def _of(plain: Sequence[str], trigger: tuple[int, int], time: _Time) -> bool:
    """Whether a time is that of what happened, not of what else the sentence tells."""
    begin, end = trigger
    if begin == end or (begin < time.last and time.first < end):
        return False
    before, after = (end, time.first) if end <= time.first else (time.last, begin)
    between = [word for word in plain[before:after] if word not in QUOTES]
    # A time stands between commas of its own: «قصفت طائرة، فجر الثلاثاء، الحقل».
    if between and time.first == after and between[-1] in _COMMAS:
        between.pop()
    if between and time.last == before and between[0] in _COMMAS:
        between.pop(0)
    if len(between) > REACH or any(word in _BARRED or _DONE_TO.fullmatch(word) for word in between):
        return False
    # «أعلنت الشركة، الثلاثاء، استئناف الضخ»: when it was said, and nothing of when it was. What is
    # said is told before its time, without a comma: «أعلنت الشركة استئناف الضخ مساء الثلاثاء».
    clause = next((at + 1 for at in range(time.first - 1, -1, -1) if plain[at] in _CLAUSE), 0)
    aside = time.first < begin or _word(plain, time.first - 1) in _COMMAS
    told_by = plain[clause if aside else max(clause, time.first - SAID_REACH) : time.first]
    return _SAID.isdisjoint(told_by) and _TO_COME.isdisjoint(plain[time.last : time.last + 1])


def _times(plain: Sequence[str], local: datetime) -> Iterator[_Time]:
    """The times a sentence tells, also those not to be told."""
    at = 0
    while at < len(plain):
        time = _time(plain, at, local)
        if time is None:
            at += 1
            continue
        yield time if not _bounded(plain, time) else _Time(time.first, time.last, None)
        at = time.last


def _bounded(plain: Sequence[str], time: _Time) -> bool:
    """Whether words before it make it a bound: من صباح الجمعة، منذ الثلاثاء."""
    before = [word for word in plain[max(0, time.first - 3) : time.first] if word != "يوم"]
    if not before:
        return False
    if before[-1] == "من":  # «في ساعة مبكرة من صباح الجمعة»
        return len(before) < 2 or before[-2] not in _EARLY
    return bool(_BOUND.intersection(before[-2:] if before[-1] in ("on", "the") else before[-1:]))


def _time(plain: Sequence[str], at: int, local: datetime) -> _Time | None:
    """The time whose words begin at `at`."""
    first, part = at, _PARTS.get(plain[at], "")
    today = local.date()
    if plain[at] in ("هذا", "this") and _word(plain, at + 1) in _PARTS:  # this morning
        part = _PARTS[plain[at + 1]]
        return _Time(first, at + 2, _past(today, part, local, loose=True), part)
    if part:
        at += 1
    if _word(plain, at) == "يوم":
        at += 1
    word = _word(plain, at)
    day: date | None = None
    if word in ("اليوم", "today"):
        if _word(plain, at - 1) in ("في", "ب") or _word(plain, at + 1) in _NOT_TODAY:
            return _Time(first, at + 1, None)
        day, at = today, at + 1
        named = _WEEKDAYS.get(_word(plain, at))
        if named is not None:
            day, at = (day if day.weekday() == named else None), at + 1
        elif local.hour < NIGHT_ENDS:
            day = None
    elif word in ("امس", "الامس", "بالامس", "yesterday"):
        back = (
            2
            if _word(plain, at - 1) in ("من", "اول") and "اول" in plain[max(0, at - 2) : at]
            else 1
        )
        first = at - 2 if back == 2 and plain[at - 1] == "من" else at - 1 if back == 2 else first
        day, at = today - timedelta(days=back), at + 1
        named = _WEEKDAYS.get(_word(plain, at))
        if named is not None:
            day, at = (day if day.weekday() == named else None), at + 1
        elif local.hour < NIGHT_ENDS:
            day = None
    elif word in _WEEKDAYS:
        named = _WEEKDAYS[word]
        day, at = today - timedelta(days=(today.weekday() - named) % 7), at + 1
        if _word(plain, at) in _LAST:
            day, at = (day - timedelta(days=7) if day == today else day), at + 1
        elif _word(plain, at) in _NEXT:
            return _Time(first, at + 1, None)
        elif _WEEKDAYS.get(_word(plain, at + 1)) is not None and _word(plain, at) in "-–/":
            return _Time(first, at + 2, None)  # ليل الاثنين – الثلاثاء
        begins = at + (_word(plain, at) in ("في", "الموافق", ",", "("))
        dated_as, after = _date(plain, begins, local)
        if after > begins:
            day, at = (dated_as if dated_as and dated_as.weekday() == named else None), after
    else:
        day, after = _date(plain, at, local)
        if after == at:
            return None
        at = after
    if not part and _word(plain, at) in _PARTS and not _word(plain, at).startswith("ال"):
        part = _PARTS[plain[at]]  # Tuesday evening, الثلاثاء صباحا
        at += 1
    return _Time(first, at, _past(day, part, local), part)


def _past(
    day: date | None, part: PartOfDay, local: datetime, *, loose: bool = False
) -> date | None:
    """`day`, unless that part of it has not been yet."""
    if day is None or day > local.date():
        return None
    if day == local.date() and local.hour < (_FROM[part] if not loose else 0):
        return None
    return day


def _date(plain: Sequence[str], at: int, local: datetime) -> tuple[date | None, int]:
    """The day of a date at `at`, if it is one of the last `BACK` days, and where it ends: `at` when
    there is none."""
    begin = at
    number = _number(_word(plain, at))
    if number is not None:
        month, after = _month(plain, at + 1)
    else:
        month, after = _month(plain, at)
        if month is not None:
            number, after = _number(_word(plain, after)), after + 1
    if month is None or number is None:
        return None, begin
    year = _word(plain, after)
    years = [local.year, local.year - 1]
    if re.fullmatch("20[0-9]{2}", year):
        years, after = [int(year)], after + 1
    for each in years:
        try:
            day = date(each, month, number)
        except ValueError:
            continue
        if timedelta() <= local.date() - day <= timedelta(days=BACK):
            return day, after
    return None, after


def _month(plain: Sequence[str], at: int) -> tuple[int | None, int]:
    """A month, by one name or by two: كانون الثاني/يناير."""
    found: int | None = None
    while True:
        two = _TWO_WORD_MONTHS.get((_word(plain, at), _word(plain, at + 1)))
        one = _MONTHS.get(_word(plain, at))
        month = two or one
        if month is None or found not in (None, month):
            return found, at
        found, at = month, at + (2 if two else 1)
        if _word(plain, at) == "." and _word(plain, at + 1).isdigit():  # Jan. 12
            at += 1
        if _word(plain, at) in ("/", "(") and (
            _word(plain, at + 1) in _MONTHS or _word(plain, at + 1) in ("كانون", "تشرين")
        ):
            at += 1
        else:
            return found, at


def _number(word: str) -> int | None:
    found = re.fullmatch("([0-9]{1,2})(st|nd|rd|th)?", word)
    return int(found[1]) if found else None


def _word(plain: Sequence[str], at: int) -> str:
    return plain[at] if 0 <= at < len(plain) else ""


@lru_cache(maxsize=1024)
def _zone(countries: tuple[str, ...]) -> ZoneInfo | None:
    """The clock of the first of these countries that has but one."""
    for code in countries:
        names = get_global("territory_zones").get(code, ())
        if len(names) == 1:
            return ZoneInfo(names[0])
    return None
