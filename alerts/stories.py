"""What a Report means for the stories kept: pure decisions on values.

A story is, for now, one article with its near-identical copies. A Report

- of an article already in a story updates that story, and nobody is told again;
- whose text is near-identical to one in a story of the last three days joins it;
- with flags and neither of these opens a story, and is due one message a receiver, unless
  it is old news, or comes from a backfill: then the story's row says why it was not.

A story nobody was told about (old, undated, from a backfill) mutes no fresh copy: the copy
joins it, and its message is due.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

import msgspec
import xxhash

from alerts.index import compare
from streams.records import Alert, Report, Story, StoryArticle

# Why a Report brought a message, or none. The metric's label and the article's `decision`.
Outcome = Literal[
    "alerted",
    "revision",  # a later revision of an article already in a story
    "repeated",  # a revision already seen, or an older one
    "copy",  # near-identical to an article in a story that was alerted
    "too_old",  # published longer than max_age before it was first seen
    "undated",  # no date of publication, in the first poll of its feed
    "backfill",
    "no_flags",  # nothing flagged, and no story to update
]
OUTCOMES: Final[tuple[str, ...]] = get_args(Outcome)

# Of one story, the articles listed by name; the rest is counted in `more`. An agency's text
# has some dozens of copies; a row must not grow without end.
LISTED_LIMIT: Final = 200
# A copy that adds nothing to the text it repeats needs no sketch of its own to be found by.
SAME: Final = 0.9
# Below this share of old text, an article with a new development is news.
MOSTLY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Known:
    """The story a Report belongs to: by its article, or by its text, repeating `copy_of` with
    this share of it."""

    story: Story
    copy_of: str | None = None
    repeated: float = 1.0


@dataclass(frozen=True, slots=True)
class Decision:
    """`story` is the row to write (None: nothing changes). `alerted` as an outcome means a
    message is due to whom the routes choose."""

    outcome: Outcome
    story: Story | None = None


def decide(report: Report, known: Known | None, *, max_age_s: float) -> Decision:
    """What `report` changes, given the story it belongs to, if there is one."""
    if known is not None and known.copy_of is None:
        return _revise(report, known.story)
    if not report.flags:
        return Decision("no_flags")
    outcome = _outcome(report, max_age_s)
    if known is None or _tells_more(report, known):
        story = Story(
            id=story_id(report.article_id),
            opened=report.seen,
            updated=report.seen,
            articles=(_article(report, outcome, None),),
            flags=report.flags,
            alerted=outcome == "alerted",
        )
        return Decision(outcome, story)
    if known.story.alerted:
        outcome = "copy"
    return Decision(outcome, _join(report, known.story, outcome, known.copy_of))


def story_id(article_id: str) -> str:
    """Of the story that an article opens; deterministic, so a replay opens no second one."""
    return _digest("story", article_id)


def alert_id(receiver: str, article_id: str, revision: int) -> str:
    """The same message to the same receiver always has the same id."""
    return _digest("alert", receiver, article_id, str(revision))


def alert_for(report: Report, story: Story, receiver: str, *, created: datetime) -> Alert:
    """All that `report` tells, as one message to `receiver`."""
    return Alert(
        id=alert_id(receiver, report.article_id, report.revision),
        receiver=receiver,
        story_id=story.id,
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
        flags=report.flags,
    )


def _outcome(report: Report, max_age_s: float) -> Outcome:
    if report.backfill:
        return "backfill"
    if report.published is None:
        return "undated" if report.first_poll else "alerted"
    if report.seen - report.published > timedelta(seconds=max_age_s):
        return "too_old"
    return "alerted"


def _revise(report: Report, story: Story) -> Decision:
    ids = [article.article_id for article in story.articles]
    if report.article_id not in ids:  # beyond those listed
        return Decision("repeated")
    at = ids.index(report.article_id)
    article = story.articles[at]
    if report.revision <= article.revision:
        return Decision("repeated")
    revised = _article(report, article.decision, article.copy_of)
    return Decision(
        "revision",
        msgspec.structs.replace(
            story,
            updated=max(story.updated, report.seen),
            articles=(*story.articles[:at], revised, *story.articles[at + 1 :]),
            # What happened is told by the article that opened the story.
            flags=report.flags if at == 0 else story.flags,
        ),
    )


def _tells_more(report: Report, known: Known) -> bool:
    """A long text that takes in a short one and goes on to another development is no copy."""
    before = {(flag.theme, flag.development) for flag in known.story.flags}
    return known.repeated < MOSTLY and any(
        (flag.theme, flag.development) not in before for flag in report.flags
    )


def _join(report: Report, story: Story, outcome: Outcome, copy_of: str | None) -> Story:
    full = len(story.articles) >= LISTED_LIMIT
    article = _article(report, outcome, copy_of)
    origin = next((each for each in story.articles if each.article_id == copy_of), None)
    if origin is not None and compare(report.sketch, origin.sketch).repeated >= SAME:
        article = msgspec.structs.replace(article, sketch=())
    return msgspec.structs.replace(
        story,
        updated=max(story.updated, report.seen),
        articles=story.articles if full else (*story.articles, article),
        more=story.more + 1 if full else story.more,
        alerted=story.alerted or outcome == "alerted",
    )


def _article(report: Report, decision: str, copy_of: str | None) -> StoryArticle:
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
    )


def _digest(*parts: str) -> str:
    digest: str = xxhash.xxh3_128_hexdigest("\0".join(parts).encode("utf-8", "replace"))
    return digest
