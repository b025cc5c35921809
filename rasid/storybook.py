"""Stories and messages as the log has them, for people and programs to read.

Reads beside a running daemon; keys of the dictionaries are a form that programs rely on.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from alerts.voices import independent, origin, voices
from streams.errors import Malformed
from streams.log import Log
from streams.records import (
    CANARY,
    DELIVERIES,
    STORIES,
    Delivery,
    Flag,
    Record,
    State,
    Story,
    decode,
)

R = TypeVar("R", bound=Record)


def rows(log: Log, table: str, kind: type[R]) -> Iterator[R]:
    """What a topic or table holds; nothing when it was never written, unreadable rows left
    out."""
    try:
        for message in log.read(table):
            try:
                yield decode(kind, message.value)
            except Malformed:
                continue
    except KeyError:
        return


def stories(log: Log, *, since: datetime | None = None, canary: bool = False) -> list[Story]:
    """Those with news since then, the latest first; the canary's are no news."""
    found = [
        s
        for s in rows(log, STORIES, Story)
        if (since is None or s.updated >= since) and (canary or s.articles[0].source != CANARY)
    ]
    return sorted(found, key=lambda story: (story.updated, story.id), reverse=True)


def deliveries(log: Log, *, canary: bool = False) -> list[Delivery]:
    """Messages, the latest first; edits of a message are not messages, the canary's no news."""
    found = [
        d
        for d in rows(log, DELIVERIES, Delivery)
        if d.edits is None and (canary or d.alert.source != CANARY)
    ]
    return sorted(found, key=lambda d: (d.alert.created, d.alert.id), reverse=True)


def by_prefix(found: Iterable[R], wanted: str, key: Any) -> list[R]:
    """Those whose id begins with `wanted`, at least four characters of it."""
    return [each for each in found if len(wanted) >= 4 and key(each).startswith(wanted)]


def story_line(story: Story) -> dict[str, Any]:
    """A story in short."""
    return {
        "id": story.id,
        "headline": origin(story.articles).title if story.articles else "",
        "state": state_name(story.states[-1]) if story.states else None,
        "themes": sorted({flag.theme for flag in story.flags}),
        "countries": sorted({code for flag in story.flags for code in flag.countries}),
        "places": list(dict.fromkeys(place for flag in story.flags for place in flag.places)),
        "opened": story.opened,
        "updated": story.updated,
        "articles": len(story.articles) + story.more,
        "independent": story.independent,
        "confirmed": story.confirmed,
        "alerted": story.alerted,
    }


def story_whole(story: Story, sent: Iterable[Delivery] = ()) -> dict[str, Any]:
    """A story with its articles, which of them are independent, and whom it was told to."""
    names = voices(story.articles)
    own = {article.article_id for article in independent(story.articles)}
    return {
        **story_line(story),
        "states": [
            {
                "state": state_name(state),
                "theme": state.theme,
                "since": state.since,
                "article": state.article_id,
            }
            for state in story.states
        ],
        "flags": [flag_line(flag) for flag in story.flags],
        "articles": [
            {
                "id": article.article_id,
                "revision": article.revision,
                "url": article.url,
                "title": article.title,
                "source": article.source,
                "source_name": article.source_name,
                "published": article.published,
                "seen": article.seen,
                "independent": article.article_id in own,
                "voice": names[article.article_id],
                "copy_of": article.copy_of,
                "credited": article.credited,
                "decision": article.decision,
                "why": article.why,
            }
            for article in story.articles
        ],
        "more": story.more,
        "alerts": [alert_line(delivery) for delivery in sent],
    }


def flag_line(flag: Flag) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(flag)
    plain.pop("spans")
    return plain


def state_name(state: State) -> str:
    return f"not {state.development}" if state.denied else state.development


def alert_line(delivery: Delivery) -> dict[str, Any]:
    """A message and what became of it."""
    alert = delivery.alert
    return {
        "id": alert.id,
        "receiver": alert.receiver,
        "kind": alert.kind,
        "story": alert.story_id or None,
        "title": alert.title,
        "url": alert.url or None,
        "route": alert.route or None,
        "created": alert.created,
        "status": delivery.status,
        "reason": delivery.reason,
        "error": delivery.error,
        "attempts": delivery.attempts,
        "updated": delivery.updated,
        "reference": delivery.reference,
        "link": delivery.link,
        "lines": [each for line in alert.lines for each in (line.alert_id, *line.also)],
    }
