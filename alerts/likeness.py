"""How alike two texts, or two headlines, are. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from math import log, sqrt
from typing import Final

import regex

from alerts.events import FOLD

WINDOW: Final = timedelta(days=3)  # how far apart two near-identical texts may be published
# Containment from which a text repeats another. Looked at in 4,000 articles of Arabic news:
# of pairs between 0.6 and 0.8, those within half a day are copies edited by hand, those
# further apart mostly an agency's formula for another event (the fifth aid flight, the sixth).
NEAR: Final = 0.6
NEAR_LATER: Final = 0.8
LATER: Final = timedelta(hours=12)
SHARED_LEAST: Final = 4  # hashes in common, below which containment says nothing
SHARED_WHOLE: Final = 2  # enough, soon after, for a short text of which nothing is new
CUT_AT: Final = 256  # a sketch this long was cut, and says nothing above its last hash
TEXT_LIMIT: Final = 700  # characters read of a headline or quote
PRIOR: Final = 500  # articles that no open story has, as if they had been seen
_WORD: Final = regex.compile(r"\w{3,}")


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
        if apart <= LATER and self.shared >= SHARED_WHOLE and self.containment == 1.0:
            return True  # a few sentences cut out of it
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


@lru_cache(maxsize=50_000)
def vocabulary(title: str, quotes: tuple[str, ...]) -> frozenset[str]:
    """The words of a headline and of the sentences quoted, without what Arabic writes onto
    them: what an event is told in."""
    text = " ".join((title[:TEXT_LIMIT], *(quote[:TEXT_LIMIT] for quote in quotes)))
    return frozenset(map(_stem, _WORD.findall(text)))


def _stem(word: str) -> str:
    """The light stemming of Larkey, Ballesteros and Connell (light10, 2007), on letters
    folded."""
    plain = word.casefold().translate(FOLD)
    for prefix in ("وال", "بال", "كال", "فال", "لل", "ال", "و"):
        if plain.startswith(prefix) and len(plain) - len(prefix) >= 3:
            plain = plain[len(prefix) :]
            break
    for suffix in ("ها", "ان", "ات", "ون", "ين", "يه", "ه", "ي"):
        if plain.endswith(suffix) and len(plain) - len(suffix) >= 3:
            return plain.removesuffix(suffix)
    return plain


class Vocabularies:
    """How rare words are among the articles of open stories. With few articles all words are
    about as rare."""

    def __init__(self) -> None:
        self._articles = 0
        self._holders: Counter[str] = Counter()

    def add(self, words: frozenset[str]) -> None:
        self._articles += 1
        self._holders.update(words)

    def remove(self, words: frozenset[str]) -> None:
        self._articles -= 1
        self._holders.subtract(words)

    def norm(self, words: frozenset[str]) -> float:
        return sqrt(sum(map(self._weight, words)))

    def weighed(self, words: frozenset[str]) -> "Weighed":
        return Weighed(words, {word: self._weight(word) for word in words})

    def _weight(self, word: str) -> float:
        """The square of its inverse document frequency."""
        return log((self._articles + PRIOR) / (1 + self._holders[word])) ** 2


@dataclass(frozen=True, slots=True)
class Weighed:
    """A vocabulary with the weight of each word, to be compared with several."""

    words: frozenset[str]
    weights: dict[str, float]

    def alike(self, others: Sequence[tuple[frozenset[str], float]]) -> float | None:
        """The mean cosine with the three of `others` most alike, 0 to 1; each comes with its
        norm. None when all are in another script: then words say nothing."""
        mine = is_latin(self.words)
        others = [each for each in others if is_latin(each[0]) == mine]
        if not others:
            return None
        norm = sqrt(sum(self.weights.values()))
        cosines = sorted(
            (
                sum(map(self.weights.__getitem__, self.words & other)) / (norm * its)
                if norm and its
                else 0.0
                for other, its in others
            ),
            reverse=True,
        )[:3]
        return sum(cosines) / len(cosines)


def is_latin(words: frozenset[str]) -> bool:
    return sum(map(str.isascii, words)) * 2 > len(words)
