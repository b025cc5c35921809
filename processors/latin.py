"""Languages in Latin letters: case and accents folded; regular endings written out."""

import unicodedata
from collections.abc import Iterator
from typing import Final

from processors.arabic import FIXED, MAX_WORD, NAME, NOUN, VERB

_VOWELS: Final = "aeiou"


def fold(raw: str) -> str:
    """Lower case without accents or invisible marks; empty when the token is no word."""
    if len(raw) > MAX_WORD:
        return ""
    if raw.isascii():
        return raw.lower()
    apart = unicodedata.normalize("NFKD", raw)
    return "".join(c for c in apart if unicodedata.category(c) not in ("Mn", "Cf")).lower()


def readings(folded: str) -> Iterator[tuple[str, int, int]]:
    """The token, and as a noun without its plural ending."""
    if not folded:
        return
    yield folded, NOUN | VERB | NAME | FIXED, 0
    if len(folded) > 3 and folded[-1] in "sx":
        yield folded[:-1], NOUN, 0
        if folded.endswith("es"):
            yield folded[:-2], NOUN, 0
        if folded.endswith("ies"):
            yield folded[:-3] + "y", NOUN, 0


def inflect(parts: list[str]) -> set[str]:
    """Forms of a verb given as base and, where irregular, past forms (strike, struck)."""
    base, *pasts = parts
    forms = {base, base + "s", base + "es", *(p for p in pasts if p)}
    if base.endswith("e"):
        forms |= {base + "d", base[:-1] + "ing"}
    elif base.endswith("y") and base[-2:-1] not in _VOWELS:
        forms |= {base[:-1] + "ied", base[:-1] + "ies", base + "ing"}
    else:
        forms |= {base + "ed", base + "ing"}
        if base[-1] not in "wxy" and base[-1] not in _VOWELS and base[-2:-1] in _VOWELS:
            forms |= {base + base[-1] + "ed", base + base[-1] + "ing"}
    return forms
