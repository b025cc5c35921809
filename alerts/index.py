"""Finds the story a Report belongs to, by its article or by its text, without a scan.

In memory only, rebuilt from the stories' table: ids and sketches, not the stories
themselves. Each sampled hash points to the articles that have it, so that only articles
that share something are compared.
"""

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from streams.records import Report, StoryArticle

WINDOW: Final = timedelta(days=3)  # how far apart two near-identical texts may be published
KEPT: Final = timedelta(days=7)  # how long an article is known by its id
# Containment from which a text repeats another. Looked at in 4,000 articles of Arabic news:
# of pairs between 0.6 and 0.8, those within half a day are copies edited by hand, those
# further apart mostly an agency's formula for another event (the fifth aid flight, the sixth).
NEAR: Final = 0.6
NEAR_LATER: Final = 0.8
LATER: Final = timedelta(hours=12)
SHARED_LEAST: Final = 4  # hashes in common, below which containment says nothing
CUT_AT: Final = 256  # a sketch this long was cut, and says nothing above its last hash
HOLDERS_LIMIT: Final = 48  # articles remembered for one hash: what more have is boilerplate
CANDIDATES_LIMIT: Final = 32  # articles compared, those with most hashes in common first
ARTICLES_LIMIT: Final = 50_000


@dataclass(frozen=True, slots=True)
class Likeness:
    """Of two sketches: hashes in common, and hashes of each, as far as both reach."""

    shared: int
    mine: int
    other: int

    @property
    def containment(self) -> float:
        """The share of the smaller that the larger holds too, 0 to 1; near 1 for a copy, also
        for one that was shortened."""
        smaller = min(self.mine, self.other)
        return self.shared / smaller if smaller else 0.0

    @property
    def repeated(self) -> float:
        """The share of mine that the other holds."""
        return self.shared / self.mine if self.mine else 0.0

    def near(self, apart: timedelta) -> bool:
        """Whether one text repeats the other, published so far `apart`."""
        if self.shared and self.shared == self.mine == self.other:
            return apart <= WINDOW
        return (
            self.shared >= SHARED_LEAST
            and self.containment >= (NEAR if apart <= LATER else NEAR_LATER)
            and apart <= WINDOW
        )


def compare(mine: Sequence[int], other: Sequence[int]) -> Likeness:
    """Two sketches: hashes sampled alike, ascending, without repeats."""
    if len(mine) >= CUT_AT or len(other) >= CUT_AT:
        reach = min(each[-1] for each in (mine, other) if len(each) >= CUT_AT)
        mine, other = mine[: bisect_right(mine, reach)], other[: bisect_right(other, reach)]
    return Likeness(len(set(mine).intersection(other)), len(mine), len(other))


@dataclass(frozen=True, slots=True)
class Found:
    """The story a Report belongs to. `copy_of` is the article whose text it repeats, None when
    it is itself in the story; `repeated` the share of its own text that this makes up."""

    story_id: str
    copy_of: str | None = None
    repeated: float = 1.0


@dataclass(slots=True)
class _Known:
    article_id: str
    story_id: str
    published: datetime  # or first seen, if nobody said
    seen: datetime
    sketch: tuple[int, ...]


class StoryIndex:
    """Articles of the last days. `find` never changes anything; `add` and `expire` do."""

    def __init__(self) -> None:
        self._articles: dict[str, _Known] = {}
        # One holder stands by itself: most hashes have no second one.
        self._holders: dict[int, str | list[str]] = {}
        self._order: deque[tuple[datetime, str]] = deque()

    def __len__(self) -> int:
        return len(self._articles)

    def find(self, report: Report) -> Found | None:
        """By its id, else by its text: of several, the one most alike, then the oldest."""
        known = self._articles.get(report.article_id)
        if known is not None:
            return Found(known.story_id)
        shared: Counter[str] = Counter()
        for sampled in report.sketch:
            holders = self._holders.get(sampled)
            if holders is not None:
                shared.update((holders,) if isinstance(holders, str) else holders)
        published = report.published or report.seen
        best: tuple[float, datetime, str] | None = None
        found: Found | None = None
        for article_id, _ in shared.most_common(CANDIDATES_LIMIT):
            other = self._articles[article_id]
            likeness = compare(report.sketch, other.sketch)
            if not likeness.near(abs(published - other.published)):
                continue
            rank = (-likeness.containment, other.published, article_id)
            if best is None or rank < best:
                best = rank
                found = Found(other.story_id, article_id, likeness.repeated)
        return found

    def add(self, story_id: str, article: StoryArticle) -> None:
        """Take in an article of a story, as it is now."""
        known = self._articles.get(article.article_id)
        if known is not None:
            self._forget(known)
        else:
            self._order.append((article.seen, article.article_id))
        self._articles[article.article_id] = _Known(
            article.article_id,
            story_id,
            article.published or article.seen,
            article.seen,
            article.sketch,
        )
        for sampled in article.sketch:
            self._hold(sampled, article.article_id)
        while len(self._articles) > ARTICLES_LIMIT:
            self._drop_first()

    def expire(self, now: datetime) -> None:
        """Forget articles first seen longer than a week before `now`."""
        while self._order and now - self._order[0][0] > KEPT:
            self._drop_first()

    def _hold(self, sampled: int, article_id: str) -> None:
        holders = self._holders.get(sampled)
        if holders is None:
            self._holders[sampled] = article_id
        elif isinstance(holders, str):
            self._holders[sampled] = [holders, article_id]
        elif len(holders) < HOLDERS_LIMIT:
            holders.append(article_id)

    def _drop_first(self) -> None:
        _, article_id = self._order.popleft()
        known = self._articles.pop(article_id, None)
        if known is not None:
            self._forget(known)

    def _forget(self, known: _Known) -> None:
        for sampled in known.sketch:
            holders = self._holders.get(sampled)
            if holders == known.article_id:
                del self._holders[sampled]
            elif isinstance(holders, list) and known.article_id in holders:
                holders.remove(known.article_id)
                if not holders:
                    del self._holders[sampled]
