"""What a decision means for receivers: one message each, or an edit of one. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from alerts.changes import Change, Decision
from alerts.holding import Held
from alerts.ids import made_id
from alerts.routing import Route, Subject, Target, targets
from alerts.voices import copies, origin, outlets
from streams.records import Alert, Flag, Report, Story, StoryPart, Thread

OUTLETS: Final = 12  # named in a message
_RANK: Final = {"opened": 0, "changed": 1, "confirmed": 2, "corrected": 3}


Judge = Callable[[Alert, Target], Held | None]


def freely(alert: Alert, target: Target) -> Held | None:
    """Nothing is held."""
    return None


@dataclass(frozen=True, slots=True)
class Due:
    """A message to one receiver, and the route that says so."""

    alert: Alert
    target: Target


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`held` are messages that something keeps back; `edits` take the place of messages that
    receivers have, or will have; `stories` are the rows to write, with their threads."""

    due: tuple[Due, ...]
    held: tuple[tuple[Alert, Held], ...]
    edits: tuple[Alert, ...]
    stories: tuple[Story, ...]


def outgoing(
    decision: Decision, report: Report, route: Route, *, created: datetime, judge: Judge = freely
) -> Outgoing:
    """All that `report` brings about: one message a receiver, whatever stories it is on."""
    parts: dict[str, list[tuple[Change, Target]]] = {}
    edits: list[Alert] = []
    placed = [flag for change in decision.changes for flag in change.flags]
    rest = tuple(flag for flag in report.flags if flag not in placed)
    for change in decision.changes:
        # What an article mentions besides is routed with the first story it opens.
        more = rest if change.kind == "opened" and change is decision.changes[0] else ()
        for target in _told(change, more, report, route):
            thread = change.story.threads.get(target.receiver)
            if thread is None or not thread.until or thread.until <= created:
                parts.setdefault(target.receiver, []).append((change, target))
        for receiver, thread in change.story.threads.items():
            if not thread.held:
                edits.append(_edit(change, report, receiver, created))
    due, held = [], []
    stories = {change.story.id: change.story for change in decision.changes}
    for receiver, told in parts.items():
        told.sort(key=lambda each: _RANK[each[0].kind or "confirmed"])
        alert = _alert(report, receiver, told, created)
        target = told[0][1]
        verdict = judge(alert, target)
        if verdict is None:
            due.append(Due(alert, target))
        else:
            held.append((alert, verdict))
            if verdict.due is None:
                continue
        for change, _ in told:
            story = stories[change.story.id]
            known = story.threads.get(receiver)
            if known is None or (known.held and verdict is None):
                thread = Thread(alert_id=alert.id, until=alert.not_before, held=verdict is not None)
                stories[story.id] = msgspec.structs.replace(
                    story, threads={**story.threads, receiver: thread}
                )
    return Outgoing(tuple(due), tuple(held), tuple(edits), tuple(stories.values()))


def alert_id(receiver: str, article_id: str, revision: int) -> str:
    """The same message to the same receiver always has the same id."""
    return made_id("alert", receiver, article_id, str(revision))


def edit_id(alert: str) -> str:
    """Of the row that edits a message; one at a time, the latest."""
    return f"{alert}.edit"


def _told(change: Change, more: tuple[Flag, ...], report: Report, route: Route) -> Sequence[Target]:
    """Who is told of a change: whom the routes choose; of a correction, who heard of it. Where
    nothing changed but the number of sources, those whom the routes choose only now."""
    if not change.alertable:
        return ()
    if change.kind == "corrected":
        return [Target(receiver, "told before", ()) for receiver in change.story.threads]
    subject = Subject(
        (*change.flags, *more), report.source, report.language, change.story.independent
    )
    now = targets(route, subject)
    if change.kind is not None:
        return now
    if change.before is None or change.before.independent == change.story.independent:
        return ()
    before = targets(route, replace(subject, sources=change.before.independent))
    known = {target.receiver for target in before} | change.story.threads.keys()
    return [target for target in now if target.receiver not in known]


def _alert(
    report: Report,
    receiver: str,
    told: Sequence[tuple[Change, Target]],
    created: datetime,
) -> Alert:
    first, target = told[0]
    threads = (change.story.threads.get(receiver) for change, _ in told)
    thread = next((each for each in threads if each is not None and not each.held), None)
    wait_s = 0.0 if thread else max(each.wait_s for _, each in told)
    flags = [flag for change, _ in told for flag in change.flags]
    flags += [flag for flag in report.flags if flag not in flags]
    return Alert(
        id=alert_id(receiver, report.article_id, report.revision),
        receiver=receiver,
        kind=first.kind or "confirmed",
        story_id=first.story.id,
        article_id=report.article_id,
        revision=report.revision,
        url=report.url,
        title=report.title,
        source=report.source,
        source_name=report.source_name,
        language=report.language,
        published=report.published,
        seen=report.seen,
        created=created,
        flags=tuple(flags),
        stories=tuple(_part(change) for change, _ in told),
        thread=thread.alert_id if thread else None,
        route=target.path,
        not_before=created + timedelta(seconds=wait_s) if wait_s else None,
    )


def _part(change: Change) -> StoryPart:
    story = change.story
    return StoryPart(
        story_id=story.id,
        kind=change.kind or "confirmed",
        headline=origin(story.articles).title,
        states=story.states,
        struck=change.struck,
        outlets=tuple(outlets(story.articles)[:OUTLETS]),
        independent=story.independent,
        copies=copies(story.articles),
    )


def _edit(change: Change, report: Report, receiver: str, created: datetime) -> Alert:
    """The first message on a story, as it would be written now: what stands, as its first
    article tells it, with all outlets."""
    story = change.story
    first = origin(story.articles)
    return Alert(
        id=edit_id(story.threads[receiver].alert_id),
        receiver=receiver,
        kind="opened",
        story_id=story.id,
        article_id=first.article_id,
        revision=first.revision,
        url=first.url,
        title=first.title,
        source=first.source,
        source_name=first.source_name,
        language=report.language,
        published=first.published,
        seen=first.seen,
        created=created,
        flags=story.flags,
        stories=(msgspec.structs.replace(_part(change), kind="opened"),),
        thread=story.threads[receiver].alert_id,
        not_before=story.threads[receiver].until,
    )
