"""Gazetteers: names in several scripts with their country, shared by all languages.

    gazetteer: countries
    entries: {LY: {names: [ليبيا, Libya], adjectives: [ليبي, Libyan], capital: […], towns: […],
                   leaders: […]}}

    gazetteer: forces            # armed groups known by name: `home` is where they are not foreign
    entries: [{names: […], home: [LB], theatre: [SY], kind: militia}]

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
PLACE_NAMES: Final = tuple(name for name, _ in _COUNTRY_KEYS.values())
GAZETTEER_CONCEPTS: Final = (
    *PLACE_NAMES,
    *_FORCE_KINDS.values(),
    "named_installation",
)


def gazetteer_terms(
    document: Mapping[Word, Any], script: re.Pattern[str], heads: Mapping[str, Any]
) -> Iterator[tuple[Term, int, str]]:
    """Terms in one script, with word class and concept. Raises RuleError."""
    kind = document.get(Word("gazetteer"))
    entries: Any = document.get(Word("entries")) or {}
    if kind == "countries":
        for code, body in entries.items():
            for key, values in body.items():
                if key not in _COUNTRY_KEYS:
                    raise key.error("unknown key of a country", reason="schema")
                concept, cls = _COUNTRY_KEYS[key]
                for value in values:
                    for name, label in _variants(value, script):
                        yield Term(name, 0, (str(code),), label), cls, concept
    elif kind == "forces":
        for body in entries:
            home = tuple(map(str, body.get("home") or ()))
            theatre = tuple(map(str, body.get("theatre") or ()))
            force = body.get("kind")
            if force not in _FORCE_KINDS:
                raise force.error("unknown kind of force", reason="schema")
            for value in body["names"]:
                for name, label in _variants(value, script):
                    yield Term(name, 0, home, label, theatre), NOUN, _FORCE_KINDS[force]
    elif kind == "installations":
        for what, by_country in entries.items():
            for code, values in by_country.items():
                for value in values:
                    alone = value.startswith("+")
                    for name, label in _variants(value.lstrip("+"), script):
                        head = heads.get(what)
                        if head:
                            for form in head if isinstance(head, list) else [head]:
                                text = form.replace("*", name) if "*" in form else f"{form} {name}"
                                yield Term(text, 0, (str(code),), label), NOUN, "named_installation"
                        if alone:
                            yield Term(name, 0, (str(code),), label), NAME, "named_installation"
    else:
        raise next(iter(document)).error("unknown gazetteer", reason="schema")


def _variants(value: Word, script: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    variants = [v.strip() for v in value.split("=")]
    mine = [v for v in variants if v and script.search(v)]
    label = mine[0].split("|")[0] if mine else ""
    for variant in mine:
        yield variant, label
