"""`rasid why`: the way of an article through the house, and what stopped it.

    fetched … extracted … flagged … joined … routed … sent

No trail is kept: the rows and records of the log are looked up, and routes walked again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from alerts.events import events
from alerts.holding import Gate, Held
from alerts.labels import told_time
from alerts.routing import Route, Subject, walk
from alerts.routing import Step as RouteStep
from alerts.trouble import Trouble, troubles
from collectors.errors import FetchError
from collectors.urls import article_id, canonical_url
from rasid.storybook import by_prefix, deliveries, rows, state_name, stories
from rasid.yamltree import Tree
from streams.log import Log
from streams.records import (
    ARTICLES,
    BACKFILL,
    DELIVERIES,
    ENTRIES,
    FLAGS,
    Alert,
    Article,
    Delivery,
    Entry,
    Happened,
    Report,
    Silence,
    Story,
    StoryPart,
)


@dataclass(frozen=True, slots=True)
class Step:
    """`good`: it went on from here. `what` says what happened, `why` the reason."""

    name: str
    good: bool
    what: str
    why: str = ""
    happened: Happened | None = None  # when, as the sentence of a flag tells

    def plain(self) -> dict[str, Any]:
        told = {"step": self.name, "went_on": self.good, "what": self.what, "why": self.why}
        if self.happened is not None:
            return {**told, "happened": msgspec.to_builtins(self.happened)}
        return told


def find(log: Log, wanted: str) -> list[str]:
    """Article ids that an address, or the beginning of an id of a story, alert or article,
    stands for."""
    if "://" in wanted:
        try:
            known = article_id(canonical_url(wanted))
        except FetchError:
            known = ""
        found = {e.article_id for e in rows(log, ENTRIES, Entry) if wanted in (e.url,)}
        found |= {
            a.id
            for topic in (ARTICLES, BACKFILL)
            for a in rows(log, topic, Article)
            if wanted in (a.url, a.linked_url) or a.id == known
        }
        return sorted(found)
    told = by_prefix(deliveries(log, canary=True), wanted, lambda d: d.alert.id)
    if told:
        return [told[0].alert.article_id]
    kept = by_prefix(stories(log, canary=True), wanted, lambda s: s.id)
    if kept:
        return [article.article_id for article in kept[0].articles]
    return sorted({a.id for a in rows(log, ARTICLES, Article) if a.id.startswith(wanted)})


def trail(log: Log, wanted: str, route: Route, tree: Tree | None = None) -> list[Step]:
    """What became of one article, step by step; ends with what stopped it."""
    steps = [*_fetched(log, wanted), *_flagged(log, wanted)]
    mine = [s for s in stories(log, canary=True) if any(a.article_id == wanted for a in s.articles)]
    steps += [_joined(story, wanted) for story in mine]
    report = _latest(rows(log, FLAGS, Report), wanted)
    if report is not None and report.flags and not mine:
        why = "what is only past, or told in passing, opens none"
        if any(event.leads for event in events(report.flags)):
            why = "the alert stage has not read it yet"
        steps.append(Step("joined", False, "no story", why))
    if report is None or not mine:
        return steps
    made = deliveries(log, canary=True)
    sent = [d for d in made if d.alert.article_id == wanted]
    own = next(a for a in mine[0].articles if a.article_id == wanted)
    if own.decision in ("opened", "changed", "confirmed"):
        subject = Subject(report.flags, report.source, report.language, mine[0].independent)
        told = {each.alert.receiver for each in sent}
        steps += [
            Step("routed", False, f"not to {step.receiver}", line(step.path, tree) + step.missed)
            for step in walk(route, subject)
            if step.missed and step.receiver not in told
        ]
    if sent:
        waits = troubles(rows(log, DELIVERIES, Delivery))
        return steps + [_sent(each, made, waits, tree) for each in reversed(sent)]
    if own.decision not in ("opened", "changed", "confirmed"):
        first = next((d for d in made if d.alert.story_id == mine[0].id), None)
        by = f"; its story was told by message {first.alert.id[:8]}" if first else ""
        steps.append(Step("sent", False, "no message of its own", f"decision: {own.decision}{by}"))
    return steps


@dataclass(frozen=True, slots=True)
class Told:
    """One route looked at for a story: who would be told now, or what holds it and which key of
    the configuration says so."""

    route: RouteStep
    held: Held | None = None
    key: str = ""


def who_gets(
    subject: Subject,
    story: str,
    route: Route,
    gate: Gate,
    silences: Sequence[Silence],
    sent: Sequence[Delivery],
    now: datetime,
    tree: Tree | None = None,
) -> list[Told]:
    """What each route says of a story that had news at `now`."""
    recent = gate.counted(sent, now)
    told = []
    for step in walk(route, subject):
        held = None
        if step.target is not None:
            alert = Alert(
                id="", receiver=step.receiver, story_id=story, article_id="", url="", title="",
                source=subject.source, source_name="", language=subject.language, seen=now,
                created=now, flags=subject.flags, stories=(StoryPart(story_id=story),),
            )  # fmt: skip
            held = gate.judge(alert, step.target, silences, recent, now)
        key = held_by(held.reason, step.receiver, step.path, tree) if held else step.path
        told.append(Told(step, held, key))
    return told


def held_by(reason: str | None, receiver: str, path: str, tree: Tree | None) -> str:
    """The key of the configuration that held a message: of the route that chose its receiver
    where no other did."""
    key = {"digest_only": "digest.only", "rate_limited": "rate_limit"}.get(reason or "")
    if reason == "rule_limit":
        return "alerts.rule_limit"
    if key is None:
        return path
    parts = tree.data.get("receivers", []) if tree and isinstance(tree.data, dict) else []
    for at, part in enumerate(parts):
        if isinstance(part, dict) and part.get("name") == receiver:
            return f"receivers[{at}].{key}"
    return path


def line(path: str, tree: Tree | None) -> str:
    """`rasid.yaml:12: route.routes[0]: ` for a path of routes, receivers, or of `alerts`."""
    if tree is None or not path.startswith(("route", "receivers", "alerts")):
        return f"{path}: "
    loc: list[str | int] = []
    for part in path.replace("]", "").replace("[", ".").split("."):
        loc.append(int(part) if part.isdigit() else part)
    return f"{tree.file}:{tree.line(tuple(loc))}: {path}: "


def _fetched(log: Log, wanted: str) -> list[Step]:
    steps = []
    for entry in rows(log, ENTRIES, Entry):
        if entry.article_id == wanted:
            good = entry.status in ("done", "unchanged")
            what = f"{entry.status}, seen {entry.seen:%Y-%m-%d %H:%M} UTC in {entry.feed}"
            steps.append(Step("fetched", good, what, entry.reason or ""))
    for topic in (ARTICLES, BACKFILL):
        article = _latest_article(log, topic, wanted)
        if article is not None:
            size = f"{len(article.text):,} characters from the {article.text_from}"
            what = f"revision {article.revision}, {size}: {article.title}"
            steps.append(Step("extracted", True, what, article.page_error or ""))
    return steps


def _flagged(log: Log, wanted: str) -> list[Step]:
    report = _latest(rows(log, FLAGS, Report), wanted)
    if report is None:
        return [Step("flagged", False, "nothing", "`rasid flag URL` shows what nearly did")]
    if not report.flags:
        return [Step("flagged", False, "nothing any more", f"revision {report.revision}")]
    return [
        Step(
            "flagged",
            True,
            f"{flag.theme}: {flag.development} ({flag.status}) {flag.score:.2f}"
            f" in {'/'.join(flag.countries) or 'no country'}"
            + (f" at {', '.join(flag.places)}" if flag.places else "")
            + (f", {told_time(flag.happened)}" if flag.happened else ""),
            f"rule {flag.rule}: «{flag.quote}»",
            flag.happened,
        )
        for flag in report.flags
    ]


def _joined(story: Story, wanted: str) -> Step:
    article = next(a for a in story.articles if a.article_id == wanted)
    now = state_name(story.states[-1]) if story.states else "withdrawn"
    what = f"story {story.id[:8]} ({now}, {story.independent} independent): {article.decision}"
    return Step("joined", article.decision in ("opened", "changed", "confirmed"), what, article.why)


def _sent(
    delivery: Delivery,
    made: Sequence[Delivery],
    waits: Mapping[str, Trouble],
    tree: Tree | None,
) -> Step:
    """What became of one message, of all that were `made`; `waits`: receivers in trouble."""
    alert = delivery.alert
    what = f"message {alert.id[:8]} ({alert.kind}) to {alert.receiver}: {delivery.status}"
    if delivery.attempts > 1:
        what += f" after {delivery.attempts} tries"
    told = next(
        (d for d in made for each in d.alert.lines if alert.id in (each.alert_id, *each.also)), None
    )
    if told is not None:
        what += f"; in the digest {told.alert.id[:8]} ({told.status})"
    waiting = delivery.status == "pending" and _waiting(delivery, waits.get(alert.receiver))
    why = ": ".join(part for part in (waiting, delivery.reason, delivery.error) if part)
    reason = delivery.reason if delivery.status == "held" else None
    where = line(held_by(reason, alert.receiver, alert.route, tree), tree) if alert.route else ""
    return Step("sent", delivery.status == "sent", what, (where + why).removesuffix(": "))


def _waiting(delivery: Delivery, trouble: Trouble | None) -> str | None:
    """What a message is kept from its receiver by."""
    alert = delivery.alert
    if trouble is not None and trouble.until is not None:
        return (
            f"{alert.receiver} refuses since {trouble.since:%H:%M} UTC, and is left alone until"
            f" {trouble.until:%H:%M}"
        )
    if trouble is not None:
        return f"{alert.receiver} has taken nothing since {trouble.since:%H:%M} UTC"
    if alert.not_before is not None and not delivery.attempts:
        return f"its route's wait ends at {alert.not_before:%H:%M:%S} UTC"
    return None


def _latest(found: Any, wanted: str) -> Report | None:
    reports = [report for report in found if report.article_id == wanted]
    return max(reports, key=lambda report: report.revision) if reports else None


def _latest_article(log: Log, topic: str, wanted: str) -> Article | None:
    articles = [a for a in rows(log, topic, Article) if a.id == wanted]
    return max(articles, key=lambda a: a.revision) if articles else None
