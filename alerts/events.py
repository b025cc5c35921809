"""What one Report is about: its flags, gathered by event. Pure.

An article tells of one event in one country: a drone over an oil field is a strike, an attack
and a breach of the truce at once. What the headline says leads, or the strongest flag where
the headline says nothing. An event elsewhere is told in passing, unless it is strong enough
to stand by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from streams.records import Flag, State

STRONG: Final = 0.85  # a score from which an event below the headline is news of its own

Told = tuple[str, str, bool]  # theme, development, whether it is denied


def told(of: Flag | State) -> Told:
    """What it says happened, to compare with what others say."""
    denied = of.status == "denied" if isinstance(of, Flag) else of.denied
    return (of.theme, of.development, denied)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where flags put an event, and who acts in it. Names are folded, to be compared."""

    themes: frozenset[str]
    countries: frozenset[str]
    actors: frozenset[str]
    moves: frozenset[str]  # what foreign forces do there: come, leave or strike
    tells: frozenset[Told]  # what is said to happen

    def elsewhere(self, other: "Scope") -> bool:
        """Whether both name countries, and share none."""
        return bool(
            self.countries and other.countries and self.countries.isdisjoint(other.countries)
        )


@dataclass(frozen=True, slots=True)
class Event:
    """`leads` is what the Report is about, a part of `flags`; empty when it only mentions it."""

    flags: tuple[Flag, ...]
    leads: tuple[Flag, ...]
    scope: Scope

    @property
    def strong(self) -> bool:
        """Whether it is news of its own beside another event."""
        return any(flag.score >= STRONG for flag in self.leads)


def events(flags: Sequence[Flag]) -> list[Event]:
    """The events that a Report's flags tell of, what leads first."""
    groups: list[list[Flag]] = []
    scopes: list[Scope] = []
    for flag in sorted(flags, key=lambda each: -each.score):
        mine = scope([flag])
        for at, group in enumerate(groups):
            if not mine.elsewhere(scopes[at]):
                group.append(flag)
                scopes[at] = scope(group)
                break
        else:
            groups.append([flag])
            scopes.append(mine)
    leads = _leads(flags)
    made = [
        Event(tuple(group), _leads_of(group, leads), its)
        for group, its in zip(groups, scopes, strict=True)
    ]
    return sorted(made, key=lambda event: not event.leads)


def scope(flags: Iterable[Flag]) -> Scope:
    flags = list(flags)
    return Scope(
        frozenset(flag.theme for flag in flags),
        frozenset(code for flag in flags for code in flag.countries),
        frozenset(folded(name) for flag in flags for name in flag.actors),
        frozenset(
            _MOVES[flag.development]
            for flag in flags
            if flag.theme == "foreign_force"
            and flag.development in _MOVES
            and flag.status != "past"
        ),
        frozenset(told(flag) for flag in flags if flag.status != "past"),
    )


_MOVES: Final = {
    "deployed": "come", "support": "come", "withdrawn": "leave",
    "strike": "strike", "casualties": "strike",
}  # fmt: skip


_FOLD: Final = str.maketrans("أإآىة", "ااايه", "\u0640" + "".join(map(chr, range(0x64B, 0x653))))


@lru_cache(maxsize=20_000)
def folded(name: str) -> str:
    """A name to compare by: without case, marks and the article before it."""
    plain = name.casefold().strip("! ").translate(_FOLD)
    return plain.removeprefix("ال") or plain


def _leads(flags: Sequence[Flag]) -> list[Flag]:
    now = [flag for flag in flags if flag.status != "past"]
    headline = [flag for flag in now if any(span.field == "title" for span in flag.spans)]
    if headline:
        return headline
    best = max((flag.score for flag in now), default=0.0)
    return [flag for flag in now if flag.score == best]


def _leads_of(group: Sequence[Flag], leads: Sequence[Flag]) -> tuple[Flag, ...]:
    found = tuple(flag for flag in group if flag in leads)
    first = group[0]
    if not found and first.score >= STRONG and first.status != "past":
        return (first,)
    return found
