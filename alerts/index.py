"""The stories that are open, found by article, by text, or by theme, country and place.

In memory only, rebuilt from the stories' table. Nothing is scanned: each sampled hash of a
text points to the articles that have it, each theme in a country or place to its stories, by the
week. Past news, of which a backfill brings any number, takes no room from today's: of other weeks,
it is not looked at, and where there are too many, what was published longest ago is forgotten.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import chain, islice
from typing import Final

from alerts.events import scope
from alerts.joining import FOLLOWS, Candidate, Telling, telling
from alerts.likeness import Likeness, Vocabularies, Weighed, compare
from streams.records import Report, Story, StoryArticle

KEPT: Final = timedelta(days=7)  # how long a story is known after its latest article
LONGEST: Final = timedelta(days=14)  # from a story's first article to its last
HOLDERS_LIMIT: Final = 48  # articles remembered for one hash: what more have is boilerplate
CANDIDATES_LIMIT: Final = 32  # articles compared, those with most hashes in common first
LOOKED_AT: Final = 24  # stories of one theme and country, or place, compared, the latest first
WORTH: Final = 0.04  # how alike words must be for another place to be looked at
TOLD_BY: Final = 12  # articles of a story whose words are compared, the latest
ARTICLES_LIMIT: Final = 50_000
FORGOTTEN: Final = 0.05  # of the stories, at once, where that is passed
WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Copy:
    """A text that a Report repeats: of which article, in which stories, and which share of the
    Report's own text that makes up."""

    article: StoryArticle
    stories: tuple[Story, ...]
    containment: float
    repeated: float


@dataclass(slots=True)
class _Held:
    """A story, and what it is found by."""

    story: Story
    actors: frozenset[str]
    first: datetime  # published, of its articles
    last: datetime
    own: list[StoryArticle]  # the latest that are no copies
    told: list[tuple[Telling, float]]  # by each of them, with the norm of its words
    keys: "dict[Key, None]"


@dataclass(slots=True)
class _Text:
    article: StoryArticle
    published: datetime  # or first seen, if nobody said
    stories: dict[str, None]


class StoryIndex:
    """`get`, `holding`, `repeated` and `about` never change anything; `put` and `expire` do."""

    def __init__(self, limit: int = ARTICLES_LIMIT) -> None:
        self._limit = limit  # of articles
        self._stories: dict[str, _Held] = {}  # by their latest change
        self._texts: dict[str, _Text] = {}
        # One holder stands by itself: most hashes have no second one.
        self._holders: dict[int, str | list[str]] = {}
        self._keys: dict[Key, dict[str, None]] = {}  # by their latest change
        self._vocabularies = Vocabularies()

    def __len__(self) -> int:
        return len(self._stories)

    def get(self, story_id: str) -> Story | None:
        held = self._stories.get(story_id)
        return held.story if held else None

    def holding(self, article_id: str) -> list[Story]:
        """The stories that an article is in."""
        text = self._texts.get(article_id)
        return [self._stories[story].story for story in text.stories] if text else []

    def repeated(self, report: Report) -> Copy | None:
        """The article whose text `report` repeats: the one most alike, then the oldest."""
        shared: Counter[str] = Counter()
        for sampled in report.sketch:
            holders = self._holders.get(sampled)
            if holders is not None:
                shared.update((holders,) if isinstance(holders, str) else holders)
        published = report.published or report.seen
        best: tuple[float, datetime, str] | None = None
        found: tuple[_Text, Likeness] | None = None
        for article_id, _ in shared.most_common(CANDIDATES_LIMIT):
            if article_id == report.article_id:
                continue
            other = self._texts[article_id]
            likeness = compare(report.sketch, other.article.sketch)
            if not likeness.near(abs(published - other.published)):
                continue
            rank = (-likeness.containment, other.published, article_id)
            if best is None or rank < best:
                best, found = rank, (other, likeness)
        if found is None:
            return None
        text, likeness = found
        stories = tuple(self._stories[story].story for story in text.stories)
        return Copy(text.article, stories, likeness.containment, likeness.repeated)

    def about(self, mine: Telling, published: datetime) -> Iterator[Candidate]:
        """Stories with a theme of `mine` that had an article within the window of `published`:
        those at its place, at a region of it or within it, and of the country's latest those told
        in words that have something in common."""
        words = self._vocabularies.weighed(mine.words)
        weeks = range(_week(published + FOLLOWS), _week(published - FOLLOWS) - 1, -1)
        seen: set[str] = set()
        for theme in sorted(mine.themes):
            for near, where in (
                *((True, at) for at in sorted(mine.places | mine.regions)),
                *((True, f"{at}/") for at in sorted(mine.places)),
                *((False, country) for country in sorted(mine.countries)),
            ):
                known = (reversed(self._keys.get((theme, where, week), {})) for week in weeks)
                for story_id in islice(chain.from_iterable(known), LOOKED_AT):
                    if story_id in seen:
                        continue
                    seen.add(story_id)
                    held = self._stories[story_id]
                    gap = max(published - held.last, held.first - published, timedelta())
                    if gap > FOLLOWS or published - held.first > LONGEST:
                        continue
                    told = [
                        (other, 0.0)  # of two places, as no place was found that both name
                        if not near and mine.places and other.places
                        else (other, _alike(mine, words, other, norm))
                        for other, norm in held.told
                    ]
                    if near or any(alike is None or alike >= WORTH for _, alike in told):
                        yield Candidate(held.story, held.actors, told, gap)

    def put(self, story: Story) -> None:
        """Take in a story as it is now."""
        before = self._drop(story.id)
        known = (
            {id(a): it for a, (it, _) in zip(before.own, before.told, strict=True)}
            if before
            else {}
        )
        times = [article.published or article.seen for article in story.articles]
        own = [each for each in story.articles if each.copy_of is None and each.flags][-TOLD_BY:]
        tells = [known.get(id(each)) or telling(each, scope(each.flags)) for each in own]
        for it in tells:
            self._vocabularies.add(it.words)
        told = [(it, self._vocabularies.weighed(it.words).norm) for it in tells]
        first, last = min(times), max(times)
        keys = _keys(tells, first, last)
        actors = scope(story.flags).actors
        self._stories[story.id] = _Held(story, actors, first, last, own, told, keys)
        for article in story.articles:
            text = self._texts.get(article.article_id)
            if text is None:
                published = article.published or article.seen
                text = self._texts[article.article_id] = _Text(article, published, {})
                self._hold(article)
            elif text.article.sketch is not article.sketch:
                self._release(text.article)
                self._hold(article)
            text.article = article
            text.stories[story.id] = None
        for key in keys:
            self._keys.setdefault(key, {})[story.id] = None
        if len(self._texts) > self._limit:
            count = max(1, int(FORGOTTEN * len(self._stories)))
            oldest = nsmallest(count, self._stories.values(), key=lambda each: each.last)
            for each in oldest:
                self._forget(each.story.id)

    def expire(self, now: datetime) -> None:
        """Forget stories that had no article for a week before `now`."""
        while self._stories:
            first = next(iter(self._stories.values()))
            if now - first.story.updated <= KEPT:
                break
            self._forget(first.story.id)

    def _drop(self, story_id: str) -> _Held | None:
        """Out of its keys, to come in again as the latest."""
        held = self._stories.pop(story_id, None)
        if held is None:
            return None
        for each, _ in held.told:
            self._vocabularies.remove(each.words)
        for key in held.keys:
            here = self._keys[key]
            here.pop(story_id, None)
            if not here:
                del self._keys[key]
        return held

    def _forget(self, story_id: str) -> None:
        story = self._stories[story_id].story
        self._drop(story_id)
        for article in story.articles:
            text = self._texts[article.article_id]
            text.stories.pop(story_id, None)
            if not text.stories:
                self._release(text.article)
                del self._texts[article.article_id]

    def _hold(self, article: StoryArticle) -> None:
        for sampled in article.sketch:
            holders = self._holders.get(sampled)
            if holders is None:
                self._holders[sampled] = article.article_id
            elif isinstance(holders, str):
                self._holders[sampled] = [holders, article.article_id]
            elif len(holders) < HOLDERS_LIMIT:
                holders.append(article.article_id)

    def _release(self, article: StoryArticle) -> None:
        for sampled in article.sketch:
            holders = self._holders.get(sampled)
            if holders == article.article_id:
                del self._holders[sampled]
            elif isinstance(holders, list) and article.article_id in holders:
                holders.remove(article.article_id)
                if not holders:
                    del self._holders[sampled]


Key = tuple[str, str, int]  # theme, country or place, week


def _week(moment: datetime) -> int:
    return int(moment.timestamp() // WEEK.total_seconds())


def _keys(told: Iterable[Telling], first: datetime, last: datetime) -> dict[Key, None]:
    """What a story is filed under: each theme in each country, at each place, and within each
    region (with a stroke behind it), in each week of its articles."""
    weeks = range(_week(first), _week(last) + 1)
    return {
        (theme, where, week): None
        for each in told
        for week in weeks
        for theme in each.themes
        for where in (
            *each.countries,
            *each.places,
            *(f"{region}/" for region in each.regions),
        )
    }


def _alike(mine: Telling, words: Weighed, other: Telling, norm: float) -> float | None:
    """How alike the words are; None when that cannot be told."""
    if mine.language != other.language or not (mine.words and other.words):
        return None
    return words.alike(other.words, norm)
