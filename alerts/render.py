"""An alert as one neutral message, from which each channel writes its own.

Everything that comes from outside is cleaned here and cut to what the narrowest channel
takes, so that a channel only has to escape for its own syntax and isolate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from alerts.labels import (
    country_label,
    day_label,
    development_label,
    held_label,
    part_label,
    status_label,
    theme_label,
    unit_label,
)
from alerts.sanitize import clean, isolate, safe_href
from streams.records import Alert, Flag, Happened, Line, Quantity, State, StoryPart

# Characters. `&` is five in Slack and HTML: 5 × QUOTE stays under Slack's 3,000 a text.
HEADLINE: Final = 240
QUOTE: Final = 480
NAME: Final = 60
ADDRESS: Final = 200
ITEMS: Final = 6  # developments told in full; the rest is counted
ENTRIES: Final = 20  # stories of a digest, those with most sources; the rest is counted
WITHDRAWN: Final = ("سُحب الخبر", "Withdrawn")
Language = Literal["ar", "en"]
_MARKS: Final = (("،", "؛"), (",", ";"))  # comma and semicolon, Arabic and English
LISTED: Final = 5  # places, quantities, countries of one development


@dataclass(frozen=True, slots=True)
class Manner:
    """How a receiver wants to be written to: in which languages, at what time of day it is."""

    languages: tuple[Language, ...] = ("ar", "en")
    timezone: str = "UTC"

    def pick(self, arabic: str, english: str) -> tuple[str, ...]:
        """Our own words in each of the receiver's languages, those that are alike once."""
        said = {"ar": arabic, "en": english}
        return tuple(dict.fromkeys(said[language] for language in self.languages))

    def say(self, arabic: str, english: str) -> str:
        """The same in one line."""
        return " · ".join(self.pick(arabic, english))


PLAIN: Final = Manner()


@dataclass(frozen=True, slots=True)
class Item:
    """What one sentence tells, with its evidence."""

    what: str  # its developments, in the receiver's languages
    quote: str
    speaker: str
    places: str
    quantities: str
    when: str  # it happened, if the article tells, and as it tells


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a digest."""

    id: str
    headline: str
    summary: str
    source: str
    tellers: str  # how many tell it, where several do
    why: str  # it was not sent when it was due
    href: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """Clean text throughout: no line break, no markup, no control character."""

    id: str  # short, to ask `rasid why` with
    headline: str
    summary_ar: str
    summary_en: str
    items: tuple[Item, ...]
    more: int  # developments beyond `items`, or stories beyond `entries`
    source: str
    published: str  # with its zone, or empty when nobody said
    seen: str
    score: int
    href: str | None  # a plain http(s) address, percent-encoded
    address: str  # the same to read, or what stands in its place
    news: tuple[str, ...]  # what came about, in lines; nothing where stories open
    outlets: str  # who publishes it besides, and how many of them are independent
    entries: tuple[Entry, ...]  # of a digest, which has nothing else
    manner: Manner

    @property
    def summaries(self) -> tuple[str, ...]:
        """What happened, in each of the receiver's languages."""
        return self.manner.pick(self.summary_ar, self.summary_en)

    @property
    def dated(self) -> str:
        """When it was published; of an article, also that nobody says."""
        return self.published or (self.say("غير مؤرخ", "undated") if self.items else "")

    @property
    def summary(self) -> str:
        """All languages in one line."""
        return " · ".join(isolate(each) for each in self.summaries)

    @property
    def rtl(self) -> bool:
        """Whether our own words run from right to left."""
        return self.manner.languages[0] == "ar"

    def say(self, arabic: str, english: str) -> str:
        return self.manner.say(arabic, english)


def message(alert: Alert, manner: Manner = PLAIN) -> Message:
    """What `alert` says. Never fails on what comes from outside."""
    own = _own_words(alert)
    flags = sorted(alert.flags, key=lambda flag: -flag.score)
    told = flags[:ITEMS]
    most_told = sorted(alert.lines, key=lambda line: -line.independent)[:ENTRIES]
    lines = [line for line in alert.lines if line in most_told]
    return Message(
        id=clean(alert.id[:8], 8),
        headline=clean(alert.title or (manner.say(*own) if own else ""), HEADLINE) or "—",
        summary_ar=own[0]
        if own
        else _summary([(_what(f)[0], _where(f)[0]) for f in told], *_MARKS[0]),
        summary_en=own[1]
        if own
        else _summary([(_what(f)[1], _where(f)[1]) for f in told], *_MARKS[1]),
        items=tuple(_item(group, manner) for group in _by_sentence(told)),
        more=len(flags) - len(told) + len(alert.lines) - len(lines),
        source=clean(alert.source_name, NAME) or clean(alert.source, NAME),
        published=_time(alert.published, manner) if alert.published else "",
        seen=_time(alert.seen, manner),
        score=_percent(max((flag.score for flag in flags), default=0.0)),
        href=safe_href(alert.url),
        address=clean(alert.url, ADDRESS),
        news=tuple(line for part in alert.stories[:LISTED] for line in _news(part, manner)),
        outlets=_outlets(alert, manner),
        entries=tuple(_entry(line, manner) for line in lines),
        manner=manner,
    )


def _own_words(alert: Alert) -> tuple[str, str] | None:
    """What a message is that no article brought about."""
    if alert.kind == "digest":
        count = len(alert.lines)
        return f"موجز، عدد الأخبار: {count}", f"Digest: {count} report{'s' * (count != 1)}"
    if alert.kind == "operator":
        if alert.thread is not None:
            return "للمشغّل: زال الخلل", "For the operator: well again"
        return "للمشغّل", "For the operator"
    if not alert.flags:
        return WITHDRAWN
    return None


def _entry(line: Line, manner: Manner) -> Entry:
    if line.story_id and not line.states:
        told = WITHDRAWN
    else:
        told = (_standing(line, 0, " ← ", "، "), _standing(line, 1, " → ", ", "))
    return Entry(
        id=clean(line.alert_id[:8], 8),
        headline=clean(line.title, HEADLINE) or "—",
        summary=" · ".join(isolate(clean(each, 2 * NAME)) for each in manner.pick(*told) if each),
        source=clean(line.source_name, NAME),
        tellers=_tellers(line, manner),
        why=manner.say(*held_label(line.why)),
        href=safe_href(line.url),
    )


def _standing(line: Line, language: int, then: str, comma: str) -> str:
    """How a story stands, and where, in Arabic (0) or English (1); nothing where none is told."""
    if not line.states:
        return ""
    states = then.join(_state(state)[language] for state in line.states[-2:])
    where = comma.join(country_label(code)[language] for code in line.countries[:LISTED])
    return f"{theme_label(line.states[-1].theme)[language]}: {states}" + (
        f" — {where}" if where else ""
    )


def _tellers(line: Line, manner: Manner) -> str:
    if line.outlets < 2:
        return ""
    arabic = f"عدد الناشرين: {line.outlets}، نسخ: {line.copies}، مصادر مستقلة: {line.independent}"
    english = f"{line.outlets} outlets, copies: {line.copies}, independent: {line.independent}"
    return manner.say(isolate(arabic), isolate(english))


def _news(part: StoryPart, manner: Manner) -> list[str]:
    """What came about in a story, beside what the article says; nothing when it opens."""
    match part.kind:
        case "changed":
            states = [_state(state) for state in part.states[-3:]]
            arabic = f"تغيّر: {' ← '.join(ar for ar, _ in states)}"
            english = f"Changed: {' → '.join(en for _, en in states)}"
        case "confirmed":
            arabic = f"أكّده مصدر مستقل آخر؛ عدد المصادر المستقلة: {part.independent}"
            english = f"Confirmed by another independent source: {part.independent} now"
        case "corrected":
            states = [_state(state) for state in part.struck[:LISTED]]
            arabic = f"تصحيح: لم يعد أحد يقول: {'، '.join(ar for ar, _ in states)}"
            english = f"Corrected: nobody says any more: {', '.join(en for _, en in states)}"
            if not part.states:
                arabic, english = f"{arabic}؛ سُحب الخبر", f"{english}; the story is withdrawn"
        case _:
            return []
    return [clean(line, HEADLINE) for line in manner.pick(arabic, english)]


def _state(state: State) -> tuple[str, str]:
    arabic, english = development_label(state.theme, state.development)
    if state.denied and state.development != "denied":
        return f"نفي: {arabic}", f"denied: {english}"
    return arabic, english


def _outlets(alert: Alert, manner: Manner) -> str:
    """Of the first story, which the message is about; nothing where only its source tells it."""
    part = alert.stories[0] if alert.stories else None
    if part is None or part.outlets in ((), (alert.source_name,)):
        return ""
    names = "، " if manner.languages == ("ar",) else ", "
    told = names.join(isolate(clean(name, NAME)) for name in part.outlets[:LISTED])
    more = len(part.outlets) - LISTED
    if more > 0:
        told += f" +{more}"
    if part.independent > 1:
        count = part.independent
        arabic, english = f"{count} مصادر مستقلة", f"{count} independent sources"
        told += f" — {manner.say(isolate(arabic), isolate(english))}"
    if part.copies:
        told += (
            f" — {manner.say(isolate(f'نسخ: {part.copies}'), isolate(f'copies: {part.copies}'))}"
        )
    return told


def _by_sentence(flags: Sequence[Flag]) -> list[list[Flag]]:
    """Those that quote one sentence together: it is shown once."""
    groups: dict[str, list[Flag]] = {}
    for at, flag in enumerate(flags):
        groups.setdefault(flag.quote or str(at), []).append(flag)
    return list(groups.values())


def _item(flags: Sequence[Flag], manner: Manner) -> Item:
    what = [_what(flag) for flag in flags]
    arabic = _summary([(each, "") for each, _ in what], *_MARKS[0])
    english = _summary([(each, "") for _, each in what], *_MARKS[1])
    quantities = [each for flag in flags for each in flag.quantities]
    happened = next((flag.happened for flag in flags if flag.happened), None)
    return Item(
        what=manner.say(isolate(arabic), isolate(english)),
        quote=clean(flags[0].quote, QUOTE),
        speaker=clean(next((flag.speaker for flag in flags if flag.speaker), ""), NAME),
        places=_joined([name for flag in flags for name in flag.places]),
        quantities=_joined([_quantity(each, manner) for each in quantities]),
        when=_when(happened, manner) if happened else "",
    )


def _what(flag: Flag) -> tuple[str, str]:
    """منشآت النفط: هجوم, Oil installation: attacked."""
    theme, development = theme_label(flag.theme), development_label(flag.theme, flag.development)
    status = status_label(flag.theme, flag.development, flag.status)
    arabic, english = (
        f"{theme[at]}: {development[at]}" + (f" ({status[at]})" if status else "") for at in (0, 1)
    )
    return arabic, english


def _where(flag: Flag) -> tuple[str, str]:
    countries = [country_label(code) for code in flag.countries[:LISTED]]
    return "، ".join(arabic for arabic, _ in countries), ", ".join(en for _, en in countries)


def _when(happened: Happened, manner: Manner) -> str:
    """The day by the source's calendar, which no clock of the receiver's can move; as it was told
    behind it."""
    arabic, english = day_label(happened.day)
    part = part_label(happened.part)
    date = isolate(happened.day.isoformat())  # beside Arabic, its parts would change places
    said = manner.say(
        isolate(f"{arabic} {date}" + (f"، {part[0]}" if part[0] else "")),
        isolate(f"{english} {date}" + (f", {part[1]}" if part[1] else "")),
    )
    written = clean(happened.text, NAME)
    return f"{said} {isolate(f'«{written}»')}" if written else said


def _summary(parts: Sequence[tuple[str, str]], comma: str, semicolon: str) -> str:
    """Each development once: a place told once for all that happens there, and there a theme
    once for all its developments."""
    places: dict[str, dict[str, list[str]]] = {}
    for what, where in parts:
        theme, _, development = what.partition(": ")
        developments = places.setdefault(where, {}).setdefault(theme, [])
        if development not in developments:
            developments.append(development)
    listed = f"{comma} "
    told = [
        " + ".join(f"{theme}: {listed.join(each)}" for theme, each in themes.items())
        + (f" — {where}" if where else "")
        for where, themes in places.items()
    ]
    return clean(f"{semicolon} ".join(told), HEADLINE)


def _quantity(quantity: Quantity, manner: Manner) -> str:
    """As it was written, if that is known."""
    if quantity.text:
        return clean(quantity.text, NAME)
    arabic, english = unit_label(quantity.unit)
    value = quantity.value
    number = f"{value:,.3f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:g}"
    return f"{number} {' / '.join(manner.pick(arabic, english))}"


def _joined(names: Sequence[str]) -> str:
    cleaned = dict.fromkeys(clean(name, NAME) for name in names)
    return " · ".join([isolate(name) for name in cleaned if name][:LISTED])


def _percent(score: float) -> int:
    return round(100 * min(max(score, 0.0), 1.0)) if score == score else 0


def _time(moment: datetime, manner: Manner) -> str:
    """On the receiver's clock, with its zone: a date is read the same everywhere."""
    if manner.timezone == "UTC":
        return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return moment.astimezone(zone(manner.timezone)).strftime("%Y-%m-%d %H:%M %Z")


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
