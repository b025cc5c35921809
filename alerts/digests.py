"""Messages that were not sent when they were due, as one: pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from alerts.ids import made_id
from alerts.sanitize import clean
from alerts.voices import copies, outlets
from streams.records import Alert, Delivery, Line, Story

ROWS: Final = 200  # messages held that one digest takes; what is more waits for the one after it
TITLE: Final = 240


def is_void(told: Sequence[Delivery], stories: Mapping[str, Story]) -> bool:
    """Whether there is nothing left to tell of these messages held: all they are on was taken back
    before their receiver heard of it."""
    ids, receiver = {each.alert.id for each in told}, told[0].alert.receiver
    parts = {part.story_id for each in told for part in each.alert.stories}
    return bool(parts) and all(_taken_back(stories.get(part), receiver, ids) for part in parts)


def _taken_back(story: Story | None, receiver: str, untold: Collection[str]) -> bool:
    if story is None or story.states:
        return False
    first = story.threads.get(receiver)
    return first is None or first.alert_id in untold


def by_story(held: Iterable[Delivery]) -> list[list[Delivery]]:
    """Messages held, those on one story together."""
    found: dict[str, list[Delivery]] = {}
    for each in held:
        found.setdefault(each.alert.story_id or each.alert.id, []).append(each)
    return list(found.values())


def digest(
    receiver: str, held: Sequence[Delivery], stories: Mapping[str, Story], now: datetime
) -> Alert:
    """One message of a line a story, the oldest first; `held` are ROWS at most, `stories` as they
    stand now."""
    lines = tuple(_line(told, stories) for told in by_story(held))
    ids = (alert_id for line in lines for alert_id in (line.alert_id, *line.also))
    last = held[-1].alert
    return Alert(
        id=made_id("digest", receiver, *ids),
        receiver=receiver,
        kind="digest",
        story_id="",
        article_id="",
        url="",
        title="",
        source="rasid",
        source_name="Rasid",
        language="ar",
        seen=last.seen,
        created=now,
        flags=(),
        lines=lines,
    )


def _line(told: Sequence[Delivery], stories: Mapping[str, Story]) -> Line:
    held = told[-1]
    alert = held.alert
    story = stories.get(alert.story_id)
    states = alert.stories[0].states if alert.stories else ()
    flags = alert.flags if story is None else story.flags
    return Line(
        alert_id=alert.id,
        story_id=alert.story_id,
        title=clean(alert.title, TITLE),
        url=alert.url,
        source_name=alert.source_name,
        published=alert.published,
        states=states if story is None else story.states,
        why=held.reason if held.status == "held" and held.reason else held.status,
        also=tuple(each.alert.id for each in told[:-1]),
        outlets=len(outlets(story.articles)) + story.more if story else 0,
        independent=story.independent if story else 0,
        copies=copies(story.articles) if story else 0,
        countries=tuple(dict.fromkeys(code for flag in flags for code in flag.countries)),
    )
