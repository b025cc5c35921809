"""Finds the story a Report belongs to, by its article or by its text, without a scan.

In memory only, rebuilt from the stories' table: ids and sketches, not the stories
themselves. Each sampled hash points to the articles that have it, so that only articles
that share something are compared.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from streams.records import Report, StoryArticle

WINDOW: Final = timedelta(days=3)  # how far apart two near-identical texts may be seen
KEPT: Final = timedelta(days=7)  # how long an article is known by its id
NEAR: Final = 0.6  # containment from which a text repeats another
SHARED_LEAST: Final = 4  # hashes in common, below which containment says nothing
HOLDERS_LIMIT: Final = 48  # articles remembered for one hash: what more have is boilerplate
CANDIDATES_LIMIT: Final = 32  # articles compared, those with most hashes in common first
ARTICLES_LIMIT: Final = 50_000


def containment(a: Sequence[int], b: Sequence[int]) -> float:
    """The share of the smaller sketch that the other holds too, 0 to 1; near 1 for a copy,
    also for one that was shortened. Sketches are hashes sampled alike, without repeats."""
    if not a or not b:
        return 0.0
    return len(set(a).intersection(b)) / min(len(a), len(b))


def near_identical(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether one text repeats the other, as far as their sketches can tell."""
    if not a or not b:
        return False
    shared = len(set(a).intersection(b))
    return _near(shared, len(a), len(b))


def _near(shared: int, a: int, b: int) -> bool:
    # A very short text has few hashes: then all of both must agree.
    return (shared >= SHARED_LEAST and shared >= NEAR * min(a, b)) or shared == a == b


@dataclass(slots=True)
class _Known:
    article_id: str
    story_id: str
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

    def find(self, report: Report) -> tuple[str, str | None] | None:
        """The story's id, and the article whose text is repeated (None: the article itself
        is known). Of several, the text most alike, then the one seen first."""
        known = self._articles.get(report.article_id)
        if known is not None:
            return known.story_id, None
        shared: Counter[str] = Counter()
        for sampled in report.sketch:
            holders = self._holders.get(sampled)
            if holders is not None:
                shared.update((holders,) if isinstance(holders, str) else holders)
        best: tuple[float, datetime, str] | None = None
        found: _Known | None = None
        hashes = set(report.sketch)
        for article_id, _ in shared.most_common(CANDIDATES_LIMIT):
            other = self._articles[article_id]
            if abs(report.seen - other.seen) > WINDOW:
                continue
            count = len(hashes.intersection(other.sketch))
            if not _near(count, len(hashes), len(other.sketch)):
                continue
            share = count / min(len(hashes), len(other.sketch))
            rank = (-share, other.seen, article_id)
            if best is None or rank < best:
                best, found = rank, other
        return (found.story_id, found.article_id) if found else None

    def add(self, story_id: str, article: StoryArticle) -> None:
        """Take in an article of a story, as it is now."""
        known = self._articles.get(article.article_id)
        if known is not None:
            self._forget(known)
        else:
            self._order.append((article.seen, article.article_id))
        self._articles[article.article_id] = _Known(
            article.article_id, story_id, article.seen, article.sketch
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
