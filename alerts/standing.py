"""How a story stands: what its articles tell together, and what of it is new. Pure."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from alerts.events import Event, Told, folded, told
from alerts.voices import voices
from streams.records import Flag, Report, State, Story, StoryArticle

NAMES_LIMIT: Final = 12  # places, countries and actors kept of one development
# Published so long before that which changed a story last, a report is late.
LATE: Final = timedelta(hours=3)
# What a story was before, it can be again after this time.
AGAIN: Final = timedelta(hours=12)
# What leads to what: who tells both tells how the later came about.
_COURSE: Final = (
    ("ceasefire", ("called_for", "negotiated", "agreed", "in_force")),
    ("oil_field", ("threatened", "attacked", "halted")),
    ("oil_field", ("threatened", "seized", "halted")),
    ("foreign_force", ("withdrawal_called", "withdrawn")),
)


def standing(articles: Iterable[StoryArticle]) -> tuple[Flag, ...]:
    """One flag a development told, as the first article tells it, with the names of all."""
    flags: tuple[Flag, ...] = ()
    for article in articles:
        flags = merged(flags, article.flags)
    return flags


def merged(flags: Sequence[Flag], more: Iterable[Flag]) -> tuple[Flag, ...]:
    """`standing` with one more article's flags."""
    by_told = {told(flag): flag for flag in flags}
    for flag in more:
        known = by_told.get(told(flag))
        by_told[told(flag)] = flag if known is None else _with_names(known, flag)
    return tuple(by_told.values())


def is_late(story: Story, report: Report) -> bool:
    published = report.published or report.seen
    return bool(story.states) and published < story.states[-1].since - LATE


def states(event: Event, report: Report) -> tuple[State, ...]:
    """What an event that opens a story makes of it; the strongest stands last."""
    return tuple(_state(flag, report) for flag in sorted(event.leads, key=lambda f: f.score))


def changed(story: Story, event: Event, report: Report) -> tuple[State, ...]:
    """The states that a report on `story` adds: what nobody told yet, or what was so before
    and is so again. How the present one came about is none."""
    published = report.published or report.seen
    past = {told(state) for state in story.states}
    now = told(story.states[-1]) if story.states else None
    stands = now is not None and now in [told(flag) for flag in event.leads]
    again = now is not None and not stands and published - story.states[-1].since >= AGAIN
    return tuple(
        state
        for state in states(event, report)
        if (told(state) not in past or again)
        and not (stands and now is not None and _led_to(told(state), now))
    )


def _led_to(one: Told, other: Told) -> bool:
    """Whether the one comes before the other in the course of things."""
    return not one[2] and any(
        {one[:2], other[:2]} <= {(theme, each) for each in course}
        and course.index(one[1]) < course.index(other[1])
        for theme, course in _COURSE
    )


def is_confirmed(articles: Sequence[StoryArticle]) -> bool:
    """Whether two independent sources tell the same development."""
    names = voices(articles)
    by_told: dict[Told, str] = {}
    for article in articles:
        voice = names[article.article_id]
        for flag in article.flags:
            if by_told.setdefault(told(flag), voice) != voice:
                return True
    return False


def _state(flag: Flag, report: Report) -> State:
    return State(
        theme=flag.theme,
        development=flag.development,
        denied=flag.status == "denied",
        since=report.published or report.seen,
        article_id=report.article_id,
    )


def _with_names(flag: Flag, other: Flag) -> Flag:
    if (other.countries, other.places, other.actors) == (flag.countries, flag.places, flag.actors):
        return flag
    return msgspec.structs.replace(
        flag,
        countries=_union(flag.countries, other.countries),
        places=_union(flag.places, other.places),
        actors=_union(flag.actors, other.actors),
    )


def _union(names: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    by_fold = {folded(name): name for name in reversed((*names, *more))}
    return tuple(reversed(by_fold.values()))[:NAMES_LIMIT]
