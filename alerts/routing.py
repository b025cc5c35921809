"""Which receivers are told of a change: a tree of routes, with Alertmanager's semantics.

The root matches everything. What matches a route is offered to its children in order; the
first that matches takes it, and the ones after it are looked at only when that one says
`continue`. When no child matches, the route's own receiver gets it.

A route matches when one flag meets all of its conditions together; children are offered
only the flags that matched their parent. `wait` and `mute` hold for the routes below, too,
unless those say otherwise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from alerts.events import folded
from streams.records import Flag


@dataclass(frozen=True, slots=True)
class Subject:
    """What is routed: flags of one Report on one story, by whom, and how many independent
    sources the story has."""

    flags: tuple[Flag, ...]
    source: str = ""
    language: str = ""
    sources: int = 1


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions; an empty one is met by anything, a list by any of its values."""

    theme: tuple[str, ...] = ()
    development: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    place: tuple[str, ...] = ()
    actor: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    min_score: float | None = None
    min_sources: int | None = None

    def flags(self, subject: Subject) -> tuple[Flag, ...]:
        """Those flags of `subject` that meet all conditions."""
        return () if self.missed(subject) else self._left(subject)[0]

    def missed(self, subject: Subject) -> str | None:
        """The first condition that nothing meets, with what there is instead; None when all
        are met."""
        for name, wanted, there in (
            ("source", self.source, subject.source),
            ("language", self.language, subject.language),
        ):
            if wanted and folded(there) not in map(folded, wanted):
                return f"{name} is {there or 'unknown'}, not {_either(wanted)}"
        if self.min_sources is not None and subject.sources < self.min_sources:
            return f"min_sources is {self.min_sources}, the story has {subject.sources}"
        return self._left(subject)[1]

    def _left(self, subject: Subject) -> tuple[tuple[Flag, ...], str | None]:
        left = subject.flags
        for name, wanted, of in (
            ("theme", self.theme, lambda flag: (flag.theme,)),
            ("development", self.development, lambda flag: (flag.development,)),
            ("status", self.status, lambda flag: (flag.status,)),
            ("country", self.country, lambda flag: flag.countries),
            ("place", self.place, lambda flag: flag.places),
            ("actor", self.actor, lambda flag: flag.actors),
        ):
            if not wanted:
                continue
            accepted = {folded(word) for word in wanted}
            kept = tuple(f for f in left if not accepted.isdisjoint(map(folded, of(f))))
            if not kept:
                there = dict.fromkeys(word for flag in left for word in of(flag))
                return (), f"{name} is {_either(there) or 'unknown'}, not {_either(wanted)}"
            left = kept
        if self.min_score is not None:
            kept = tuple(flag for flag in left if flag.score >= self.min_score)
            if not kept:
                best = max((flag.score for flag in left), default=0.0)
                return (), f"min_score is {self.min_score:g}, the best is {best:g}"
            left = kept
        return left, None


@dataclass(frozen=True, slots=True)
class Route:
    """`wait_s` holds a story's first message for more to come; `mute` names times at which
    nothing is sent. None: as the route above says."""

    receiver: str
    match: Match = Match()
    routes: tuple["Route", ...] = ()
    continue_: bool = False
    wait_s: float | None = None
    mute: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver to tell, and the route that says so."""

    receiver: str
    path: str
    flags: tuple[Flag, ...]
    wait_s: float = 0.0
    mute: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One route looked at: `missed` says why it did not match."""

    path: str
    receiver: str
    missed: str | None = None
    target: Target | None = None  # it is the last that matched: its receiver is told


def targets(route: Route, subject: Subject) -> list[Target]:
    """Receivers to tell, in the order of the tree, each once."""
    found: dict[str, Target] = {}
    for step in walk(route, subject):
        if step.target is not None:
            found.setdefault(step.target.receiver, step.target)
    return list(found.values())


def walk(route: Route, subject: Subject, path: str = "route") -> Iterator[Step]:
    """Every route looked at, in order, and what came of it."""
    taken = False
    for at, child in enumerate(route.routes):
        child_path = f"{path}.routes[{at}]"
        missed = child.match.missed(subject)
        if missed is not None:
            yield Step(child_path, child.receiver, missed)
            continue
        taken = True
        inherited = replace(
            child,
            wait_s=route.wait_s if child.wait_s is None else child.wait_s,
            mute=route.mute if child.mute is None else child.mute,
        )
        yield from walk(inherited, replace(subject, flags=child.match.flags(subject)), child_path)
        if not child.continue_:
            break
    if not taken:
        target = Target(route.receiver, path, subject.flags, route.wait_s or 0.0, route.mute or ())
        yield Step(path, route.receiver, target=target)


def _either(words: Sequence[str] | dict[str, None]) -> str:
    return " or ".join(words)
