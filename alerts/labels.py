"""What themes, developments, statuses, units and reasons are called, in Arabic and in English."""

from datetime import date
from functools import lru_cache

from babel import Locale
from babel.dates import format_date

from alerts.sanitize import clean
from streams.records import Happened

THEMES = {
    "ceasefire": ("وقف إطلاق النار", "Ceasefire"),
    "oil_field": ("منشآت النفط", "Oil installation"),
    "foreign_force": ("قوات أجنبية", "Foreign force"),
}

DEVELOPMENTS = {
    ("ceasefire", "called_for"): ("دعوة", "called for"),
    ("ceasefire", "negotiated"): ("مفاوضات", "negotiated"),
    ("ceasefire", "agreed"): ("اتفاق", "agreed"),
    ("ceasefire", "in_force"): ("سريان", "in force"),
    ("ceasefire", "rejected"): ("رفض", "rejected"),
    ("ceasefire", "violated"): ("خرق", "violated"),
    ("ceasefire", "ended"): ("انتهاء", "ended"),
    ("oil_field", "attacked"): ("هجوم", "attacked"),
    ("oil_field", "seized"): ("سيطرة", "seized"),
    ("oil_field", "halted"): ("توقف", "halted"),
    ("oil_field", "resumed"): ("استئناف", "resumed"),
    ("oil_field", "threatened"): ("تهديد", "threatened"),
    ("oil_field", "secured"): ("تأمين", "secured"),
    ("oil_field", "other"): ("مستجدات", "news"),
    ("foreign_force", "deployed"): ("انتشار", "deployed"),
    ("foreign_force", "withdrawn"): ("انسحاب", "withdrawn"),
    ("foreign_force", "strike"): ("ضربة", "strike"),
    ("foreign_force", "support"): ("دعم", "support"),
    ("foreign_force", "withdrawal_called"): ("مطالبة بالانسحاب", "withdrawal called for"),
    ("foreign_force", "threatened"): ("تهديد", "threatened"),
    ("foreign_force", "casualties"): ("خسائر", "casualties"),
    ("foreign_force", "denied"): ("نفي", "denied"),
}

# `asserted` and `reported` are what news is; only what departs from it is said.
STATUSES = {
    "denied": ("منفي", "denied"),
    "conditional": ("مشروط", "conditional"),
    "called_for": ("مطلوب", "called for"),
    "expected": ("متوقع", "expected"),
    "past": ("سابق", "past"),
}

PARTS = {
    "dawn": ("فجرا", "at dawn"),
    "morning": ("صباحا", "in the morning"),
    "noon": ("ظهرا", "at noon"),
    "afternoon": ("عصرا", "in the afternoon"),
    "evening": ("مساء", "in the evening"),
    "night": ("ليلا", "at night"),
}

# Why a message comes in a digest; nothing of what its receiver asked for.
HELD = {
    "rule_limit": ("قاعدة أكثرت من التنبيه", "its rule made too many"),
    "muted": ("وقت صامت", "a mute time"),
    "rate_limited": ("حد الرسائل", "the receiver's limit"),
    "expired": ("تأخر الإرسال", "could not be sent in time"),
}

UNITS = {
    "barrels_per_day": ("برميل يوميا", "barrels a day"),
    "barrels": ("برميل", "barrels"),
    "men": ("عنصر", "men"),
    "killed": ("قتيل", "killed"),
    "wounded": ("جريح", "wounded"),
    "days": ("يوم", "days"),
    "hours": ("ساعة", "hours"),
    "percent": ("٪", "%"),
    "usd": ("دولار", "US dollars"),
}


# What a development says of itself.
_IMPLIED = {
    "withdrawal_called": ("called_for",),
    "threatened": ("called_for", "conditional", "expected"),
}


def theme_label(theme: str) -> tuple[str, str]:
    """Arabic and English; a theme of a user's own is called by its name."""
    return THEMES.get(theme) or (_plain(theme), _plain(theme))


def development_label(theme: str, development: str) -> tuple[str, str]:
    return DEVELOPMENTS.get((theme, development)) or (_plain(development), _plain(development))


def status_label(theme: str, development: str, status: str) -> tuple[str, str] | None:
    """None when the development already says it, or there is nothing to say."""
    if status == development or status in _IMPLIED.get(development, ()):
        return None
    return STATUSES.get(status)


def part_label(part: str) -> tuple[str, str]:
    """Of a part of a day; nothing for the whole of it."""
    return PARTS.get(part, ("", ""))


def held_label(reason: str) -> tuple[str, str]:
    """Nothing where there is nothing to say."""
    return HELD.get(reason, ("", ""))


def day_label(day: date) -> tuple[str, str]:
    """The day of the week."""
    return tuple(format_date(day, "EEEE", locale) for locale in ("ar", "en"))  # type: ignore[return-value]  # two


def told_time(happened: Happened) -> str:
    """When it happened, in English, and as it was told: for operators."""
    part = part_label(happened.part)[1]
    return (
        f"{day_label(happened.day)[1]} {happened.day.isoformat()}"
        + (f" {part}" if part else "")
        + (f" «{clean(happened.text, 60)}»" if happened.text else "")
    )


def unit_label(unit: str) -> tuple[str, str]:
    return UNITS.get(unit) or (_plain(unit), _plain(unit))


@lru_cache(maxsize=512)
def country_label(code: str) -> tuple[str, str]:
    """Names of an ISO 3166-1 code; the code itself when it is none."""
    names = [
        Locale.parse(language).territories.get(code.upper()) if len(code) == 2 else None
        for language in ("ar", "en")
    ]
    plain = clean(code, 20)
    return names[0] or plain, names[1] or plain


def _plain(name: str) -> str:
    return clean(name.replace("_", " "), 40)
