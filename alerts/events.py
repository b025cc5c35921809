"""What one Report is about: its flags, gathered by event. Pure.

An article tells of one event in one country: a drone over an oil field is a strike, an attack
and a breach of the truce at once. What the headline says leads, or the strongest flag where
the headline says nothing. An event elsewhere is told in passing, unless it is strong enough
to stand by itself.
"""

import re
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
    places: frozenset[str]  # without whole regions, and capitals, which stand for governments
    installations: frozenset[str]  # of the places, those that are oil and gas installations
    actors: frozenset[str]
    moves: frozenset[str]  # what foreign forces do there: come, leave or strike
    tells: frozenset[Told]  # what is said to happen

    def elsewhere(self, other: "Scope") -> bool:
        """Whether both name countries, and share none."""
        return _apart(self.countries, other.countries)

    def apart(self, other: "Scope") -> bool:
        """Whether both name places, or both installations, and share none."""
        return _apart(self.installations, other.installations) or _apart(self.places, other.places)


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
        frozenset(sound(name) for flag in flags for name in flag.places if _is_spot(name))
        - _CAPITALS,
        frozenset(sound(name) for flag in flags for name in flag.installations),
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


FOLD: Final = str.maketrans("أإآىة", "ااايه", "\u0640" + "".join(map(chr, range(0x64B, 0x653))))


@lru_cache(maxsize=20_000)
def folded(name: str) -> str:
    """A name to compare by: without case, marks and the article before it."""
    plain = name.casefold().strip("! ").translate(FOLD)
    return plain.removeprefix("ال") or plain


@lru_cache(maxsize=20_000)
def _is_spot(place: str) -> bool:
    """Whether it is somewhere; «شرق ليبيا» is half a country."""
    words = folded(place.replace("-", " ")).split()
    return not words or words[0] not in _REGIONAL


_REGIONAL: Final = frozenset(
    folded(word)
    for word in (
        "شرق", "شرقي", "غرب", "غربي", "شمال", "شمالي", "جنوب", "جنوبي", "وسط", "الشرق", "الغرب",
        "الشمال", "الجنوب", "الوسط", "إقليم", "الإقليم", "العاصمة", "أقصى", "الساحل", "المنطقة",
        "north", "northern", "south", "southern", "east", "eastern", "west", "western", "central",
        "northeastern", "northwestern", "southeastern", "southwestern", "region", "kurdistan",
    )
)  # fmt: skip


@lru_cache(maxsize=20_000)
def sound(place: str) -> str:
    """The consonants of a place's name, so that السويداء and Sweida, هجليج and Heglig are one."""
    words = folded(place.replace("-", " ")).split()
    heard = "".join(_heard(word) for word in words if word not in ("al", "el"))
    return heard or folded(place)


def _heard(word: str) -> str:
    for article in ("ال", "al", "el", "as", "ad", "az"):
        if len(word) > 4 and word.startswith(article) and word.isascii() == article.isascii():
            word = word.removeprefix(article)
            break
    if word.isascii():
        for pair, one in (("sh", "s"), ("th", "t"), ("dh", "d"), ("kh", "k"), ("gh", "g")):
            word = word.replace(pair, one)
    word = word.translate(_LETTERS)
    word = "".join(letter for letter in word if letter in _CONSONANTS)
    return _DOUBLED.sub(r"\1", word.rstrip("h"))


_LETTERS: Final = str.maketrans(
    "بتثجحخدذرزسشصضطظغفقكلمنهpqcjvzñ", "bttghkddrssssdtdgfkklmnhbkkgfsn"
)
_CONSONANTS: Final = frozenset("bdfghklmnrst0123456789")
_DOUBLED: Final = re.compile(r"(.)\1+")

_CAPITALS: Final = frozenset(
    sound(name)
    for name in (
        "واشنطن", "البيت الأبيض", "البنتاغون", "موسكو", "الكرملين", "أنقرة", "طهران", "الرياض",
        "أبوظبي", "أبو ظبي", "الدوحة", "مسقط", "الكويت", "المنامة", "القاهرة", "دمشق", "بغداد",
        "صنعاء", "بيروت", "عمان", "الخرطوم", "طرابلس", "تونس", "الجزائر", "الرباط", "باريس",
        "لندن", "برلين", "روما", "بكين", "جنيف", "نيويورك", "بروكسل", "تل أبيب", "جوبا",
        "Washington", "Moscow", "Kremlin", "Ankara", "Tehran", "Riyadh", "Abu Dhabi", "Doha",
        "Cairo", "Damascus", "Baghdad", "Sanaa", "Beirut", "Khartoum", "Tripoli", "Paris",
        "London", "Rome", "Beijing", "Geneva", "New York", "Tel Aviv", "Juba",
    )
)  # fmt: skip


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


def _apart(mine: frozenset[str], other: frozenset[str]) -> bool:
    return bool(mine) and bool(other) and mine.isdisjoint(other)
