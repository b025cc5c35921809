"""Gazetteers: names in several scripts with their country, shared by all languages.

    gazetteer: countries
    source: general knowledge    # of every entry; one written {names: …, source: …} has its own
    entries: {LY: {names: [ليبيا, Libya], adjectives: [ليبي, Libyan], capital: […], towns: […],
                   leaders: […]}}

    gazetteer: forces            # armed groups known by name: `home` is where they are not foreign
    entries: [{names: […], home: [LB], theatre: [SY], kind: militia}]

    gazetteer: companies         # likewise parties, people: with their home country
    entries: [{names: […], home: [LY]}]

    gazetteer: installations     # by kind and country; a name counts after a head noun of its
    entries: {field: {LY: […]}}  # kind (حقل), with `+` before it also alone

Variants of one name are divided by ` = `.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from processors.lexicon import CLASSES, Term
from processors.source import Word

NAME: Final = CLASSES["names"]
NOUN: Final = CLASSES["nouns"]

_COUNTRY_KEYS: Final = {
    "names": ("country", NAME),
    "adjectives": ("nationality", NOUN),
    "capital": ("capital", NAME),
    "towns": ("town", NAME),
    "leaders": ("leader", NAME),
}
_FORCE_KINDS: Final = {
    "army": "army", "militia": "foreign_militia", "mercenary": "mercenary_group",
    "coalition": "coalition", "mission": "mission", "local": "local_force",
    "operation": "operation", "alliance": "alliance",
}  # fmt: skip
# Gazetteers of bodies and people, and the concept of each; forces have one a kind.
BODIES: Final = {
    "forces": "", "companies": "company", "parties": "party", "people": "official",
}  # fmt: skip
PLACE_NAMES: Final = tuple(name for name, _ in _COUNTRY_KEYS.values())
GAZETTEER_CONCEPTS: Final = (
    *PLACE_NAMES,
    *_FORCE_KINDS.values(),
    *filter(None, BODIES.values()),
    "named_installation",
)


def gazetteer_terms(
    document: Mapping[Any, Any], script: re.Pattern[str], heads: Mapping[Any, Any]
) -> Iterator[tuple[Term, int, str]]:
    """Terms in one script, with word class and concept. Raises RuleError."""
    kind, entries = document["gazetteer"], document["entries"]
    if kind == "countries":
        for code, body in entries.items():
            for key, values in body.items():
                concept, cls = _COUNTRY_KEYS[key]
                for value in values:
                    for name, label in _variants(value, script):
                        yield Term(name, 0, (str(code),), label), cls, concept
    elif kind in BODIES:
        for body in entries:
            home = tuple(map(str, body.get("home") or ()))
            theatre = tuple(map(str, body.get("theatre") or ()))
            concept, cls = BODIES[kind] or _force(body), NAME
            if kind == "forces":
                cls = NOUN
            for value in body["names"]:
                for name, label in _variants(value, script):
                    yield Term(name, 0, home, label, theatre), cls, concept
    else:
        for what, by_country in entries.items():
            for code, values in by_country.items():
                for value in values:
                    yield from _installation(value, str(code), script, heads.get(what))


def _force(body: Mapping[Any, Any]) -> str:
    """The concept of an armed force's kind."""
    kind = body.get("kind")
    if kind not in _FORCE_KINDS:
        place = kind if isinstance(kind, Word) else next(iter(body))
        known = ", ".join(_FORCE_KINDS)
        raise place.error(f"unknown kind of force, one of {known}", reason="schema")
    return _FORCE_KINDS[str(kind)]


def _installation(
    value: Any, code: str, script: re.Pattern[str], head: Any
) -> Iterator[tuple[Term, int, str]]:
    """A name after each head noun of its kind; with `+` before it also alone."""
    for name, label in _variants(value, script):
        alone = name.startswith("+")
        name = name.lstrip("+")
        for form in head if isinstance(head, list) else [head] if head else []:
            text = form.replace("*", name) if "*" in form else f"{form} {name}"
            yield Term(text, 0, (code,), label), NOUN, "named_installation"
        if alone:
            yield Term(name, 0, (code,), label), NAME, "named_installation"


def _variants(value: Any, script: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Each variant in a script, with the first as the label; `+` is the variant's own."""
    text = value["names"] if isinstance(value, dict) else value
    mine = [v for v in (v.strip() for v in text.split("=")) if v and script.search(v)]
    label = mine[0].split("|")[0].lstrip("+").replace("!", "") if mine else ""
    for variant in mine:
        yield variant, label
