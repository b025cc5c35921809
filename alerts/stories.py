"""What a Report means for the stories kept: pure decisions on values.

    known article ─▶ its stories revised: flags updated, what is no longer told struck
    known text ────▶ joins the stories of the text it repeats
    else, by event ▶ joins the story of its theme, country and place, or opens one

A Report is worth a message when it opens a story, changes how one stands, confirms it from a
second independent source, or takes back what was told. Old news and backfill (unless alerts
were asked for) are recorded, with the reason, and mute nothing: the first fresh report of what
nobody was told is told.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from alerts.changes import OUTCOMES, Change, Decision, Outcome
from alerts.events import Event, events, told
from alerts.ids import made_id
from alerts.index import Copy, StoryIndex
from alerts.joining import Joined, choose, telling
from alerts.standing import changed, is_confirmed, is_late, merged, standing, states
from alerts.voices import independent
from streams.records import Flag, Report, State, Story, StoryArticle

_RANK: Final = {outcome: rank for rank, outcome in enumerate(OUTCOMES)}

# Of one story, the articles listed by name; the rest is counted in `more`. An agency's text
# has some dozens of copies; a row must not grow without end. It is rewritten for each report, and a
# record on Kafka takes 1 MB: of 276 flagged articles of a corpus, one takes 4 KB of it, and 12 at
# most.
LISTED_LIMIT: Final = 64
# A copy that adds nothing to the text it repeats needs no sketch of its own to be found by,
# and changes nothing.
SAME: Final = 0.9
# Below this share of old text, an article is a report of its own.
MOSTLY: Final = 0.5


def decide(stories: StoryIndex, report: Report, *, max_age_s: float) -> Decision:
    """What `report` changes. Changes nothing itself: `put` the stories of its changes."""
    held = stories.holding(report.article_id)
    if held:
        return _revise(stories, held, report, max_age_s)
    return _decision(_place(stories, report, events(report.flags), max_age_s), report)


def story_id(article_id: str, nth: int = 0) -> str:
    """Of the `nth` story that an article opens; deterministic, so a replay opens no second
    one."""
    return made_id("story", article_id, *((str(nth),) if nth else ()))


def _place(
    stories: StoryIndex, report: Report, told_events: Sequence[Event], max_age_s: float
) -> list[Change]:
    """Into which stories an article comes that is in none, or events that are new in it."""
    if not told_events:
        return []
    age = _age(report, max_age_s)
    held = len(stories.holding(report.article_id))
    copy = stories.repeated(report)
    if copy is not None and copy.repeated >= MOSTLY:
        return [_copied(story, report, told_events, copy, age) for story in copy.stories]
    changes: list[Change] = []
    for event in told_events:
        aside = event is not told_events[0]
        if aside:  # the lead is about the first
            report = msgspec.structs.replace(report, countries=())
        found = _match(stories, report, event, copy, aside=aside)
        if found is not None:
            if all(change.story.id != found.story.id for change in changes):
                changes.append(_join(found.story, report, event, None, age, found.why))
        elif event.leads and (not aside or event.strong):
            nth = held + sum(change.before is None for change in changes)
            changes.append(_open(report, event, age, nth))
    return changes


def _match(
    stories: StoryIndex, report: Report, event: Event, copy: Copy | None, *, aside: bool
) -> Joined | None:
    """The open story that an event belongs to."""
    if copy is not None:
        for story in copy.stories:
            if event.scope.themes & {flag.theme for flag in story.flags}:
                return Joined(story, f"takes in the text of {copy.article.url}")
    mine = telling(report, event.scope)
    published = report.published or report.seen
    found = stories.about(mine, published)
    return choose(mine, event.scope.actors, found, aside=aside)


def _open(report: Report, event: Event, age: Outcome | None, nth: int) -> Change:
    outcome = age or "opened"
    why = "opens it: no open story of " + _where(event)
    article = _placed(_article(report, event.flags, outcome, None, why), report, event)
    story = Story(
        id=story_id(report.article_id, nth),
        opened=report.seen,
        updated=report.seen,
        articles=(article,),
        flags=standing((article,)),
        alerted=age is None,
        states=states(event, report),
        independent=1,
    )
    return Change(story, outcome, event.flags, alertable=age is None)


def _copied(
    story: Story, report: Report, told_events: Sequence[Event], copy: Copy, age: Outcome | None
) -> Change:
    themes = {flag.theme for flag in story.flags}
    mine = [event for event in told_events if event.scope.themes & themes] or told_events
    why = f"repeats {round(100 * copy.containment)} % of the text of {copy.article.url}"
    flags = tuple(flag for event in mine for flag in event.flags)
    leads = tuple(flag for event in mine for flag in event.leads)
    return _join(story, report, Event(flags, leads, mine[0].scope), copy, age, why)


def _join(
    story: Story, report: Report, event: Event, copy: Copy | None, age: Outcome | None, why: str
) -> Change:
    """`report` in `story`, as a copy or as a report of its own."""
    copy_of = copy.article.article_id if copy else None
    same = copy is not None and copy.repeated >= SAME
    late = is_late(story, report)
    new = () if same or late or (age and story.alerted) else changed(story, event, report)
    article = _article(report, event.flags, "", copy_of, why)
    if copy is None:
        article = _placed(article, report, event)
    else:
        known = {told(flag) for flag in copy.article.flags}
        added = tuple(flag for flag in article.flags if told(flag) not in known)
        article = msgspec.structs.replace(
            article, flags=added, sketch=() if same else article.sketch
        )
    articles = (*story.articles, article)
    confirmed = story.confirmed or is_confirmed(articles)
    outcome: Outcome
    if age is not None:
        outcome = age
    elif not story.alerted:
        outcome = "opened"
    elif new:
        outcome = "changed"
    elif confirmed and not story.confirmed:
        outcome = "confirmed"
    elif copy is not None:
        outcome = "copy"
    else:
        outcome = "late" if late else "joined" if event.leads else "passing"
    full = len(story.articles) >= LISTED_LIMIT
    article = msgspec.structs.replace(article, decision=outcome)
    articles = story.articles if full else (*story.articles, article)
    now = msgspec.structs.replace(
        story,
        updated=max(story.updated, report.seen),
        articles=articles,
        more=story.more + 1 if full else story.more,
        flags=merged(story.flags, article.flags),
        alerted=story.alerted or age is None,
        states=(*story.states, *new),
        independent=len(independent(articles)),
        confirmed=confirmed,
    )
    return Change(now, outcome, event.flags, story, alertable=age is None)


def _revise(
    stories: StoryIndex, held: Sequence[Story], report: Report, max_age_s: float
) -> Decision:
    """A later revision of an article that is in stories: each keeps what it still tells of it;
    what is new in it finds a story as if it were an article of its own."""
    if all(report.revision <= _of(story, report).revision for story in held):
        return Decision("repeated")
    left = events(report.flags)
    changes = []
    for story in held:
        themes = {flag.theme for flag in (*story.flags, *_of(story, report).flags)}
        mine = [event for event in left if event.scope.themes & themes]
        left = [event for event in left if event not in mine]
        changes.append(_revised(story, report, mine))
    if _age(report, max_age_s) is None:
        known = {story.id for story in held}
        placed = _place(stories, report, [event for event in left if event.leads], max_age_s)
        changes += [change for change in placed if change.story.id not in known]
    return _decision(changes, report)


def _revised(story: Story, report: Report, mine: Sequence[Event]) -> Change:
    before = _of(story, report)
    flags = tuple(flag for event in mine for flag in event.flags)
    article = _article(report, flags, before.decision, before.copy_of, before.why)
    if not article.countries:
        article = msgspec.structs.replace(article, countries=before.countries)
    if before.copy_of is not None:
        origin = next((a for a in story.articles if a.article_id == before.copy_of), None)
        known = {told(flag) for flag in origin.flags} if origin else set()
        article = msgspec.structs.replace(
            article, flags=tuple(flag for flag in article.flags if told(flag) not in known)
        )
    articles = tuple(article if a is before else a for a in story.articles)
    tells = {told(flag) for each in articles for flag in each.flags}
    struck = tuple(state for state in story.states if told(state) not in tells)
    kept = tuple(state for state in story.states if told(state) in tells)
    copied = before.copy_of is not None
    leads = tuple(flag for event in mine for flag in event.leads)
    new: tuple[State, ...] = ()
    if leads and not copied:
        new = changed(story, Event(flags, leads, mine[0].scope), report)
    confirmed = is_confirmed(articles)
    outcome: Outcome = "revision"
    if story.alerted and struck:
        outcome = "corrected"
    elif story.alerted and new:
        outcome = "changed"
    elif story.alerted and confirmed and not story.confirmed:
        outcome = "confirmed"
    revised = msgspec.structs.replace(
        story,
        updated=max(story.updated, report.seen),
        articles=articles,
        flags=standing(articles),
        states=(*kept, *new),
        independent=len(independent([a for a in articles if a.flags or a.copy_of])),
        confirmed=confirmed,
    )
    return Change(revised, outcome, flags, story, struck, alertable=story.alerted)


def _decision(changes: Sequence[Change], report: Report) -> Decision:
    if not changes:
        return Decision("background" if report.flags else "no_flags")
    first = min(changes, key=lambda change: _RANK[change.outcome])
    return Decision(first.outcome, tuple(changes))


def _of(story: Story, report: Report) -> StoryArticle:
    return next(a for a in story.articles if a.article_id == report.article_id)


def _age(report: Report, max_age_s: float) -> Outcome | None:
    """Why a Report may be told to nobody; None when it may."""
    if report.backfill:
        return None if report.alerts else "backfill"
    if report.published is None:
        return "undated" if report.first_poll else None
    if report.seen - report.published > timedelta(seconds=max_age_s):
        return "too_old"
    return None


def _where(event: Event) -> str:
    its = event.scope
    parts = ("/".join(sorted(its.themes)), "/".join(sorted(its.countries)) or "no country")
    places = ", ".join(dict.fromkeys(name for flag in event.flags for name in flag.places))
    return " in ".join(parts) + (f" ({places})" if places else "")


def _article(
    report: Report, flags: Sequence[Flag], decision: str, copy_of: str | None, why: str
) -> StoryArticle:
    return StoryArticle(
        article_id=report.article_id,
        revision=report.revision,
        url=report.url,
        title=report.title,
        source=report.source,
        source_name=report.source_name,
        published=report.published,
        seen=report.seen,
        sketch=report.sketch,
        credited=report.credited,
        copy_of=copy_of,
        decision=decision,
        why=why,
        flags=tuple(msgspec.structs.replace(flag, spans=()) for flag in flags),
        language=report.language,
        words=() if copy_of else report.words,
        countries=report.countries,
        places=() if copy_of else report.places,
        passing=() if copy_of else report.passing,
    )


def _placed(article: StoryArticle, report: Report, event: Event) -> StoryArticle:
    """The article where `telling` has it, for later ones to find it there."""
    if article.countries:
        return article
    countries = tuple(sorted(telling(report, event.scope).sure))
    return msgspec.structs.replace(article, countries=countries)
