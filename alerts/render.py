"""An alert as one neutral message, from which each channel writes its own.

Everything that comes from outside is cleaned here and cut to what the narrowest channel
takes, so that a channel only has to escape for its own syntax and isolate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from alerts.labels import (
    country_label,
    development_label,
    status_label,
    theme_label,
    unit_label,
)
from alerts.sanitize import clean, isolate, safe_href
from streams.records import Alert, Flag, Quantity

# Characters. `&` is five in Slack and HTML: 5 × QUOTE stays under Slack's 3,000 a text.
HEADLINE: Final = 240
QUOTE: Final = 480
NAME: Final = 60
ADDRESS: Final = 200
ITEMS: Final = 6  # developments told in full; the rest is counted
LISTED: Final = 5  # places, quantities, countries of one development


@dataclass(frozen=True, slots=True)
class Item:
    """One development, with its evidence. `place_*` name places first, then countries."""

    theme: str
    development: str
    what_ar: str  # منشآت النفط: هجوم
    what_en: str  # Oil installation: attacked
    where_ar: str
    where_en: str
    quote: str
    speaker: str
    places: str
    quantities: str
    score: int  # per cent


@dataclass(frozen=True, slots=True)
class Message:
    """Clean text throughout: no line break, no markup, no control character."""

    id: str  # short, to ask `rasid why` with
    headline: str
    summary_ar: str
    summary_en: str
    items: tuple[Item, ...]
    more: int  # developments beyond `items`
    source: str
    published: str  # with its zone, or empty when nobody said
    seen: str
    score: int
    href: str | None  # a plain http(s) address, percent-encoded
    address: str  # the same to read, or what stands in its place

    @property
    def summary(self) -> str:
        """Both languages in one line."""
        if self.summary_ar == self.summary_en:
            return isolate(self.summary_ar)
        return f"{isolate(self.summary_ar)} · {isolate(self.summary_en)}"


def message(alert: Alert) -> Message:
    """What `alert` says. Never fails on what comes from outside."""
    flags = sorted(alert.flags, key=lambda flag: -flag.score)
    items = tuple(_item(flag) for flag in flags[:ITEMS])
    return Message(
        id=clean(alert.id[:8], 8),
        headline=clean(alert.title, HEADLINE) or "—",
        summary_ar=_summary([(item.what_ar, item.where_ar) for item in items], "، "),
        summary_en=_summary([(item.what_en, item.where_en) for item in items], ", "),
        items=items,
        more=len(flags) - len(items),
        source=clean(alert.source_name, NAME) or clean(alert.source, NAME),
        published=_time(alert.published) if alert.published else "",
        seen=_time(alert.seen),
        score=_percent(max((flag.score for flag in flags), default=0.0)),
        href=safe_href(alert.url),
        address=clean(alert.url, ADDRESS),
    )


def _item(flag: Flag) -> Item:
    theme_ar, theme_en = theme_label(flag.theme)
    development_ar, development_en = development_label(flag.theme, flag.development)
    status = status_label(flag.theme, flag.development, flag.status)
    countries = [country_label(code) for code in flag.countries[:LISTED]]
    return Item(
        theme=clean(flag.theme, NAME),
        development=clean(flag.development, NAME),
        what_ar=f"{theme_ar}: {development_ar}" + (f" ({status[0]})" if status else ""),
        what_en=f"{theme_en}: {development_en}" + (f" ({status[1]})" if status else ""),
        where_ar="، ".join(arabic for arabic, _ in countries),
        where_en=", ".join(english for _, english in countries),
        quote=clean(flag.quote, QUOTE),
        speaker=clean(flag.speaker or "", NAME),
        places=_joined(flag.places),
        quantities=_joined([_quantity(quantity) for quantity in flag.quantities[:LISTED]]),
        score=_percent(flag.score),
    )


def _summary(parts: Sequence[tuple[str, str]], comma: str) -> str:
    """Each development once: a place told once for all that happens there, and there a theme
    once for all its developments."""
    places: dict[str, dict[str, list[str]]] = {}
    for what, where in parts:
        theme, _, development = what.partition(": ")
        developments = places.setdefault(where, {}).setdefault(theme, [])
        if development not in developments:
            developments.append(development)
    told = [
        " + ".join(f"{theme}: {comma.join(each)}" for theme, each in themes.items())
        + (f" — {where}" if where else "")
        for where, themes in places.items()
    ]
    return clean("; ".join(told), HEADLINE)


def _quantity(quantity: Quantity) -> str:
    """As it was written, if that is known."""
    if quantity.text:
        return clean(quantity.text, NAME)
    arabic, english = unit_label(quantity.unit)
    value = quantity.value
    number = f"{value:,.3f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:g}"
    return f"{number} {arabic}" + (f" / {english}" if english != arabic else "")


def _joined(names: Sequence[str]) -> str:
    cleaned = [clean(name, NAME) for name in names[:LISTED]]
    return " · ".join(isolate(name) for name in dict.fromkeys(cleaned) if name)


def _percent(score: float) -> int:
    return round(100 * min(max(score, 0.0), 1.0)) if score == score else 0


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
