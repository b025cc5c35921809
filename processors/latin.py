"""Languages in Latin letters: accents folded, regular endings written out.

A capital is kept where it tells words apart: a term written with one (Turkey, Polish, US) is
found only where the text has one too; a term without is found in either case. So a whole
headline in capitals reads like one in small letters.
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

from processors.arabic import FIXED, MAX_WORD, NAME, NOUN, VERB

_VOWELS: Final = "aeiou"
# What a noun or adjective may end in, and what stands there in the form a term has: plurals of
# English and French, French feminines (aérienne, française, américaine, étrangère).
_ENDINGS: Final = (
    *((ending + plural, back) for plural in ("", "s") for ending, back in (
        ("enne", "en"), ("onne", "on"), ("aise", "ais"), ("oise", "ois"), ("aine", "ain"),
        ("ale", "al"), ("ere", "er"), ("uelle", "uel"), ("ee", "e"),
    )),
    ("s", ""), ("x", ""), ("es", ""), ("ies", "y"), ("aux", "al"),
)  # fmt: skip
# Persons, tenses and participles of French verbs in -er and -ir, put on their stem.
_FRENCH: Final = {
    "er": ("e", "es", "ons", "ent", "ee", "ees", "ant", "ait", "aient", "a", "erent", "era",
           "eront", "erait", "eraient"),
    "ir": ("i", "is", "it", "ie", "ies", "issent", "issant", "issait", "irent", "ira", "iront",
           "irait"),
}  # fmt: skip


def fold(raw: str) -> str:
    """Without accents or invisible marks, in lower case but for a first capital; two capitals
    stay (US, UN). Empty when the token is no word."""
    if len(raw) > MAX_WORD:
        return ""
    if not raw.isascii():
        apart = unicodedata.normalize("NFKD", raw)
        raw = "".join(c for c in apart if unicodedata.category(c) not in ("Mn", "Cf"))
    if len(raw) == 2 and raw.isupper():
        return raw
    return raw[:1] + raw[1:].lower() if raw[:1].isupper() else raw.lower()


def readings(folded: str) -> Iterator[tuple[str, int, int]]:
    """The token, and as a noun without its endings; also as if it had no capital."""
    if not folded:
        return
    lower = folded.lower()
    for form in (folded,) if lower == folded else (folded, lower):
        yield form, NOUN | VERB | NAME | FIXED, 0
        for ending, back in _ENDINGS:
            if form.endswith(ending) and len(form) > len(ending) + 1 and len(form) > 3:
                yield form[: -len(ending)] + back, NOUN, 0


def inflect(parts: list[str]) -> dict[str, int]:
    """Forms of a verb given as base and, where irregular, past forms (strike, struck)."""
    base, *pasts = map(fold, parts)
    forms = {base, base + "s", base + "es", *(p for p in pasts if p)}
    if base.endswith("e"):
        forms |= {base + "d", base[:-1] + "ing"}
    elif base.endswith("y") and base[-2:-1] not in _VOWELS:
        forms |= {base[:-1] + "ied", base[:-1] + "ies", base + "ing"}
    else:
        forms |= {base + "ed", base + "ing"}
        if base[-1] not in "wxy" and base[-1] not in _VOWELS and base[-2:-1] in _VOWELS:
            forms |= {base + base[-1] + "ed", base + base[-1] + "ing"}
    for ending, endings in _FRENCH.items():
        if base.endswith(ending) and len(base) > 4:
            forms |= {base[:-2] + e for e in endings}
    return dict.fromkeys(forms, VERB)
