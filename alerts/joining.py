"""Which open story an event belongs to: pure.

Same theme, same country, the same place or installation where both name one, within a window;
and told in words that have something in common, the more the longer ago, so that two raids in
one country on one day are two. Of several stories the one most alike is taken; actors break
ties.

The figures were found with benchmarks/stories.py, one at a time, on 278 labelled articles.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from alerts.events import Event, Scope
from streams.records import Story

# How alike headlines and quotes must be (alerts.likeness.Vocabularies):
PLACE_SHARED: Final = 0.05
NO_PLACE: Final = 0.06  # one of them names none
A_DAY: Final = 0.012  # more for each day between


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open story of the same theme and country and no other place, how alike its words are to
    the event's, and the time between."""

    story: Story
    scope: Scope
    alike: float | None  # None: in another script, their words say nothing
    gap: timedelta


@dataclass(frozen=True, slots=True)
class Joined:
    """The story found, and why, for a person to read."""

    story: Story
    why: str


def choose(event: Event, candidates: Iterable[Candidate]) -> Joined | None:
    best: tuple[tuple[float, bool, str], Candidate] | None = None
    for candidate in candidates:
        over = _over(event.scope, candidate)
        if over < 0:
            continue
        actors = bool(event.scope.actors & candidate.scope.actors)
        rank = (round(over, 1), actors, candidate.story.id)
        if best is None or rank > best[0]:
            best = rank, candidate
    return None if best is None else Joined(best[1].story, _why(event.scope, best[1]))


def _over(mine: Scope, candidate: Candidate) -> float:
    """By how much it is more alike than it must be."""
    theirs = candidate.scope
    if candidate.alike is None:
        return 0.0 if mine.places & theirs.places else -1.0
    least = PLACE_SHARED if mine.places & theirs.places else NO_PLACE
    return candidate.alike - least - A_DAY * (candidate.gap / timedelta(days=1))


def _why(mine: Scope, candidate: Candidate) -> str:
    theirs = candidate.scope
    said = []
    for name, a, b in (
        ("theme", mine.themes, theirs.themes),
        ("country", mine.countries, theirs.countries),
        ("place", mine.places, theirs.places),
        ("actor", mine.actors, theirs.actors),
    ):
        if a & b:
            said.append(f"same {name} ({', '.join(sorted(a & b))})")
    alike = "" if candidate.alike is None else f" words {candidate.alike:.2f} alike;"
    hours = candidate.gap / timedelta(hours=1)
    return f"{', '.join(said)};{alike} {hours:.0f} h apart"
