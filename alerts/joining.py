"""Which open story an event belongs to: pure.

A story of the same theme in the same country, told of within four days. Each of its articles is
compared with what is told now: by the words of headline and lead, and by where it is. Two places
are two events, however alike the words: short news of one kind is all written alike. Else, the
nearer the places, the less alike the words must be (`LEAST`); it is easier where both leads speak
of the same second country, which has a hand in it, and harder where they speak of two; harder
where a foreign force comes in the one and leaves or strikes in the other, elsewhere; and harder
with each day between, most of all for strikes: the next one is another. The nearest four of a
story's articles decide together; of several stories the nearest is taken, actors break ties. Words
of two languages cannot be compared: there, the place or the second country must do, or the same
thing told to happen in all of the country. Where no country is told, it is the outlet's own: «the
gunmen of the town have agreed» is written at home.

The figures were found with benchmarks/stories.py on tests/alerts/events.jsonl and held against
briefs.jsonl; dispatches.jsonl and bulletins.jsonl were written after and scored before they were
looked at, then prompted what is said of two places and of strikes. docs/benchmarks.md has what each
came to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from alerts.events import Scope, Told
from streams.records import Report, Story, StoryArticle

FOLLOWS: Final = timedelta(days=4)  # from a story's last article to the next


# Where two articles say it is, and how alike their words must be then.
LEAST: Final = {
    "same": 0.02,  # both name one place
    "within": 0.03,  # one names the region of the other's place
    "passing": 0.04,  # one says none, and names in passing one that the other names
    "nowhere": 0.04,  # neither says any: it is of the whole country
    "unsaid": 0.08,  # one says none
}
APART: Final = "apart"  # both name places, and not the same
UNCOMPARED: Final = 0.09  # what words count for that are of two languages, or not known
OTHER_HAND: Final = 0.03  # more, when both speak of a second country and not of the same
SAME_HAND: Final = -0.02
SAME_MOVE: Final = -0.015  # when one and the same foreign force does the same, the place not told
OTHER_MOVE: Final = 0.3  # more, when a foreign force does something else, not at the same place
A_DAY: Final = 0.015  # more for each day between
STRIKE_A_DAY: Final = 0.045  # of strikes not at the same place: the next one is another
FLOOR: Final = -0.03  # how much one article can speak against the others
ELSEWHERE: Final = -0.05  # how much one of another place does
TELLING: Final = 4  # articles of a story that count, the nearest


@dataclass(frozen=True, slots=True)
class Telling:
    """How one article tells of an event. `sure` are the countries it happens in, `countries`
    those and what else the lead speaks of; `places` the narrowest where it is said to be, as ways
    down from the country, `first` the one named first, `regions` those on the way; `passing` what
    else is named."""

    language: str
    words: frozenset[int]
    themes: frozenset[str]
    sure: frozenset[str]
    countries: frozenset[str]
    places: frozenset[str]
    first: str
    regions: frozenset[str]
    passing: frozenset[str]
    moves: frozenset[str]
    tells: frozenset[Told]
    at_home: bool  # no country is told: it is taken to be the outlet's own

    def common(self, other: "Telling") -> frozenset[str]:
        """Countries where it may be one event."""
        return (self.sure & other.countries) | (other.sure & self.countries)


def telling(article: Report | StoryArticle, its: Scope) -> Telling:
    """How an article tells of the event of scope `its`."""
    sure = its.countries.union(article.countries[:1])
    at_home = not sure and isinstance(article, Report)
    if isinstance(article, Report) and at_home:
        sure = frozenset(filter(None, [article.country]))
    countries = sure.union(article.countries)
    named = {way for way in article.places if way[:2] in countries}
    held = {way[:at] for way in named for at, mark in enumerate(way) if mark == "/" and at > 2}
    narrow = named - held
    return Telling(
        article.language,
        frozenset(article.words),
        its.themes,
        sure,
        countries,
        frozenset(narrow),
        next((way for way in article.places if way in narrow), ""),
        frozenset(held),
        frozenset(way for way in article.passing if way[:2] in countries),
        its.moves,
        its.tells,
        at_home,
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open story that may be meant: how its articles tell of it, each with how alike its
    words are to those of the event (None: no telling), and the time between."""

    story: Story
    actors: frozenset[str]
    told: Sequence[tuple[Telling, float | None]]
    gap: timedelta


@dataclass(frozen=True, slots=True)
class Joined:
    """The story found, and why, for a person to read."""

    story: Story
    why: str


def choose(
    mine: Telling, actors: frozenset[str], candidates: Iterable[Candidate], *, aside: bool = False
) -> Joined | None:
    """The story that an event belongs to. What an article tells `aside` of the event it is
    about belongs to a story only by its place."""
    best: tuple[float, bool, str] | None = None
    found: Joined | None = None
    for candidate in candidates:
        scored = [
            (over, at)
            for at, (other, alike) in enumerate(candidate.told)
            if mine.common(other) and mine.themes & other.themes
            if (over := _over(mine, other, alike)) is not None
        ]
        if aside:
            scored = [s for s in scored if nearness(mine, candidate.told[s[1]][0]) == "same"]
        if not scored:
            continue
        nearest = sorted(scored, reverse=True)[:TELLING]
        over = sum(each for each, _ in nearest) / len(nearest)
        over -= _a_day(mine, candidate.told[nearest[0][1]][0]) * (candidate.gap / timedelta(days=1))
        rank = (round(over, 2), bool(actors & candidate.actors), candidate.story.id)
        if over >= 0 and (best is None or rank > best):
            other, alike = candidate.told[nearest[0][1]]
            best = rank
            found = Joined(candidate.story, _why(mine, actors, other, alike, candidate))
    return found


def nearness(mine: Telling, other: Telling) -> str:
    """A key of `LEAST`, or APART. What both name besides (the town that two fields lie near) makes
    no one place of two."""
    if mine.places & other.places:
        here, there = mine.places | mine.regions, other.places | other.regions
        apart = mine.first and other.first and not (mine.first in there or other.first in here)
        return APART if apart else "same"
    if mine.places & other.regions or mine.regions & other.places:
        return "within"
    common = mine.common(other)
    said = [_in(each.places, common | each.sure) for each in (mine, other)]
    if not all(said):
        here, there = mine.places | mine.passing, other.places | other.passing
        if here & (there | other.regions) or mine.regions & there:
            return "passing"
        return "unsaid" if any(said) else "nowhere"
    return APART


def _over(mine: Telling, other: Telling, alike: float | None) -> float | None:
    """By how much two articles are more alike than they must be. None when nothing tells."""
    where = nearness(mine, other)
    hands = len(mine.countries & other.countries) > 1
    foreign = mine.language != other.language
    one_news = where == "nowhere" and not mine.tells.isdisjoint(other.tells)
    if foreign and not (where in ("same", "within") or hands or one_news):
        return None
    if where == APART:
        return ELSEWHERE
    least = LEAST[where]
    if hands:
        least += SAME_HAND
    elif len(mine.countries) > 1 and len(other.countries) > 1:
        least += OTHER_HAND
    if mine.moves & other.moves:
        least += SAME_MOVE if hands and where in ("passing", "nowhere", "unsaid") else 0.0
    elif mine.moves and other.moves and where != "same":
        least += OTHER_MOVE
    return max(FLOOR, (UNCOMPARED if alike is None else alike) - least)


def _a_day(mine: Telling, other: Telling) -> float:
    strikes = "strike" in mine.moves and nearness(mine, other) != "same"
    return STRIKE_A_DAY if strikes else A_DAY


def _in(places: frozenset[str], countries: frozenset[str]) -> bool:
    return any(way[:2] in countries for way in places)


def _why(
    mine: Telling,
    actors: frozenset[str],
    other: Telling,
    alike: float | None,
    candidate: Candidate,
) -> str:
    """What the event has in common with the nearest article of the story."""
    said = []
    for name, shared in (
        ("theme", mine.themes & other.themes),
        ("country", mine.common(other)),
        ("place", {way.rpartition("/")[2] for way in mine.places & other.places}),
        ("actor", actors & candidate.actors),
    ):
        if shared:
            home = ", as the outlet's: none is told" if name == "country" and mine.at_home else ""
            said.append(f"same {name} ({', '.join(sorted(shared))}{home})")
    where = nearness(mine, other)
    if where == "within":
        said.append("a place and its region")
    elif where != "same":
        said.append(
            {
                "nowhere": "no place told",
                "unsaid": "one tells no place",
                "passing": "a place named in passing",
            }[where]
        )
    hours = candidate.gap / timedelta(hours=1)
    words = "words not compared" if alike is None else f"words {alike:.2f} alike"
    return f"{', '.join(said)}; {words}; {hours:.0f} h apart"
