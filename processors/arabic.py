"""Arabic spelling and the clitics and endings of Arabic words.

`fold` brings spellings together; ة stays, since before a pronoun it is written ت and a
word is only recognised with it put back. `readings` takes a folded token apart, in every
way it can be: what is left after a conjunction, a preposition, the article, a pronoun, a
dual or a plural ending, and which class of word can carry those. `inflect` writes out the
persons of a verb, so that only conjunctions and pronouns are left to take off.
"""

import re
from collections.abc import Iterator
from typing import Final

from camel_tools.utils.normalize import (
    normalize_alef_ar,
    normalize_alef_maksura_ar,
    normalize_unicode,
)

MAX_WORD: Final = 64  # longer tokens are no words

NOUN: Final = 1
VERB: Final = 2
NAME: Final = 4
FIXED: Final = 8
PRESENT: Final = 16  # of a verb, beside VERB: what س is written before

IN: Final = 1  # written with ب
TO: Final = 2  # written with ل
WILL: Final = 4  # written with س
THE: Final = 8

# What camel-tools leaves: letters of other languages' Arabic script, hamza seats, digits.
_LETTERS: Final = {
    "ک": "ك", "گ": "ك", "ڪ": "ك", "ڭ": "ك", "ی": "ي", "ې": "ي", "ے": "ي", "ۍ": "ي",
    "پ": "ب", "چ": "ج", "ڤ": "ف", "ڥ": "ف", "ژ": "ز", "ہ": "ه", "ھ": "ه", "ۀ": "ه", "ە": "ه",
    "ۃ": "ة", "ؤ": "و", "ئ": "ي", "ٱ": "ا", "ٹ": "ت", "ڈ": "د", "ڑ": "ر", "ۆ": "و", "ۇ": "و",
}  # fmt: skip
_DROPPED: Final = (
    "ـ\u00ad\u061c\ufeff"
    + "".join(map(chr, range(0x0610, 0x061B)))
    + "".join(map(chr, range(0x064B, 0x0660)))
    + "ٰ"
    + "".join(map(chr, range(0x06D6, 0x06DD)))
    + "".join(map(chr, range(0x06DF, 0x06E9)))
    + "".join(map(chr, range(0x06EA, 0x06EE)))
    + "".join(map(chr, range(0x08D3, 0x0900)))
    + "".join(map(chr, range(0x200B, 0x2010)))
    + "".join(map(chr, range(0x202A, 0x202F)))
    + "".join(map(chr, range(0x2060, 0x2070)))
)
_TABLE: Final = {
    **{ord(c): None for c in _DROPPED},
    **{ord(a): b for a, b in _LETTERS.items()},
    **{0x0660 + d: str(d) for d in range(10)},
    **{0x06F0 + d: str(d) for d in range(10)},
}
_PLAIN: Final = re.compile("[\u0621-\u063a\u0641-\u064a0-9]+")


def _normalised(text: str) -> str:
    """camel-tools' normalisers, and once more what they bring to light (ﻻ is لا, ﱠ a mark)."""
    whole: str = normalize_unicode(text).translate(_TABLE)
    return str(normalize_alef_maksura_ar(normalize_alef_ar(whole)))


# Of plain letters each is normalised by itself, so that one table does it, ten times as fast.
_ONE_BY_ONE: Final = {
    code: _normalised(chr(code)) for code in (*range(0x0621, 0x063B), *range(0x0641, 0x064B))
}


def fold(raw: str) -> str:
    """One spelling for all: no marks, no tatweel, one alef, one ya, Western digits, Latin
    letters in lower case. Empty when nothing is left or the token is no word."""
    if len(raw) > MAX_WORD:
        raw = raw.replace("ـ", "")
        if len(raw) > MAX_WORD:
            return ""
    if not raw.isascii():
        raw = raw.translate(_TABLE)
        raw = raw.translate(_ONE_BY_ONE) if _PLAIN.fullmatch(raw) else _normalised(raw)
        raw = raw.replace("يء", "ي") if raw.endswith("يء") else raw
    return raw.lower()


_PRONOUNS: Final = ("ه", "ها", "هم", "هما", "هن", "ك", "كم", "كما", "كن", "نا", "ي")

# Endings of nouns and adjectives: what to take off, what to put back, and whether it is a
# pronoun (which excludes the article).
_NOUN_ENDINGS: Final = tuple(
    [(e, b, False) for e, bs in {
        "ات": ("ة", ""), "ان": ("",), "ين": ("",), "ون": ("",), "تان": ("ة", ""), "تين": ("ة", ""),
        "ة": ("",), "ه": ("ة", ""), "يات": ("ي", "ا"), "وات": ("ا",), "ا": ("",), "اءات": ("اء",),
        "ية": ("ي",),
    }.items() for b in bs]
    + [(e, b, True) for e, bs in {
        "تا": ("ة",), "تي": ("ة",), "و": ("",), "ي": ("",),
    }.items() for b in bs]
    + [(m + p, b, True) for p in _PRONOUNS for m, bs in {
        "": ("",), "ت": ("ة",), "ات": ("ة", ""), "ي": ("",), "ا": ("", "ي"), "و": ("",),
        "تي": ("ة",), "تا": ("ة",), "اي": ("اء", "ا"), "او": ("اء",), "يات": ("ي",),
    }.items() for b in bs]
)  # fmt: skip
_VERB_ENDINGS: Final = tuple((p, "", True) for p in ("ه", "ها", "هم", "هما", "هن", "نا", "ني"))


def _by_length(
    endings: tuple[tuple[str, str, bool], ...],
) -> dict[str, tuple[tuple[str, bool], ...]]:
    table: dict[str, dict[tuple[str, bool], None]] = {}
    for ending, back, pronoun in endings:
        table.setdefault(ending, {})[back, pronoun] = None
    return {ending: tuple(ways) for ending, ways in table.items()}


_NOUN_TABLE: Final = _by_length(_NOUN_ENDINGS)
_VERB_TABLE: Final = _by_length(_VERB_ENDINGS)
_MAX_ENDING: Final = max(map(len, _NOUN_TABLE))

_ANY: Final = NOUN | VERB | NAME | FIXED

# Proclitics after the conjunction, the flags they give, the classes that take them.
_PROCLITICS: Final = (
    ("", 0, _ANY),
    ("ب", IN, NOUN | NAME),
    ("ك", 0, NOUN | NAME),
    ("ل", TO, NOUN | NAME | VERB),
    ("ال", THE, NOUN | NAME),
    ("بال", THE | IN, NOUN | NAME),
    ("كال", THE, NOUN | NAME),
    ("لل", THE | TO, NOUN | NAME),
    ("س", WILL, PRESENT),
)


# Words too common to be read as others, with what is left without their pronoun: إليه is no
# آلية, بينهم no «made clear to them».
_WHOLE: Final = {
    **{
        word + pronoun: word
        for word in ("الي", "بين", "بعد", "قبل", "لدي")
        for pronoun in ("ه", "ها", "هم", "هما", "نا")
    },
    **{
        word: word
        for word in (
            "فيصل",
            "فخامة",
            "وحيد",
            "وحيدة",
            "فساد",
            "فرد",
            "فينا",
            "وهما",
            "وطن",
            "وطني",
            "وطنه",
            "وطنها",
            "وطنهم",
            "وطننا",
        )
    },
    "الاهم": "اهم",
    "فنية": "فني",
    "مدته": "مدة",
    "مدتها": "مدة",
}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# No ك + بئر, ك + مئة, ك + بري.
_NOT_LIKE: Final = _set("كبير كبيرا كبيره كبيرة كبيرين كبيري كبري كمية كميات")
# No س + أحل, س + أري.
_NOT_TO_COME: Final = _set("ساحل ساري سينا سيرجي سيرجيو سيدهم")
# No أسر + ة, تسع + ي, درع + ا, معامل + ة, وحدة, وقف + ة, عطل + ة, حي + اته, أهل + ه, عائد + ات,
# موقع + ة, قطع + ة, طريق + ة, طلب + ة, رحل + ته, أدار + ته, تلة + ها, ظهر + ة, أفريقي + ا.
_ENDLESS: Final = _set(
    """
    اسرة اسرته اسرتها اسرتهم تسعي مدي درعا معاملة معاملات وحده وقفة وقفات عطلة حياة حياته حياتها
    حياتهم حياتنا حياتي اهله اهلها اهلهم عايدات عايداته عايداتها عايداتهم تصفيات موقعة قطعة
    طريقة طريقته طريقتها طريقتهم طلبة رحلته رحلتها رحلتهم ادارته ادارتها ادارتهم تلته تلتها
    ظهرة افريقيا الزمني
    """
)


def readings(folded: str) -> Iterator[tuple[str, int, int]]:
    """Every (rest, classes, flags) the token may be: the rest is to be looked up, `classes`
    says which classes of word may be so written."""
    if not folded:
        return
    endings = [
        ending
        for length in range(1, min(_MAX_ENDING, len(folded) - 2) + 1)
        if (ending := folded[-length:]) in _NOUN_TABLE or ending in _VERB_TABLE
    ]
    starts = [folded]
    if len(folded) > 2 and folded[0] in "وف":
        starts.append(folded[1:])
    for start in starts:
        if start in _WHOLE:
            yield start, _ANY, 0
            yield _WHOLE[start], NOUN, 0
            if start == folded:
                return
            continue
        for clitic, flags, classes in _PROCLITICS:
            if clitic and not (start.startswith(clitic) and len(start) > len(clitic) + 1):
                continue
            if (clitic == "ك" and start in _NOT_LIKE) or (clitic == "س" and start in _NOT_TO_COME):
                continue
            bare = clitic in ("ب", "ك", "ل")
            yield from _endless(start[len(clitic) :], classes, flags, bare, endings)


def _endless(
    rest: str, classes: int, flags: int, preposition: bool, endings: list[str]
) -> Iterator[tuple[str, int, int]]:
    """A word after its clitics, with and without each of its possible endings."""
    definite = bool(flags & THE)
    yield rest, classes, flags
    if definite:
        yield "ال" + rest, classes, flags
    if rest in _ENDLESS:
        return
    for ending in endings:
        stem = rest[: -len(ending)]
        if len(stem) < 2:
            return
        if classes & NOUN:
            if ending == "ة" and len(stem) < (4 if preposition else 3):
                continue  # بسمة is no ب + سم + ة, خطة no خط + ة
            for back, pronoun in _NOUN_TABLE.get(ending, ()):
                if not (definite and pronoun):
                    yield stem + back, NOUN, flags
                    if definite:
                        yield "ال" + stem + back, NOUN, flags
        if classes & (VERB | PRESENT):
            for back, _ in _VERB_TABLE.get(ending, ()):
                yield stem + back, classes & (VERB | PRESENT), flags


_PAST_ENDS: Final = ("", "ت", "تا", "وا", "و", "ا", "ن", "نا")
_PRESENT_ENDS: Final = ("ون", "وا", "و", "ان", "ا", "ن", "ين")
_ON_WEAK: Final = ("ه", "ها", "هم", "هما")
_HAMZA: Final = frozenset("أإؤئء")
_WEAK: Final = frozenset("اىي")
# Too common to be of the verbs that they could be of: آل, أزال, جاب, أقر, عاد («يعد الأكبر»).
_OTHERS: Final = frozenset(("الا", "يزال", "تزال", "يجب", "تجب", "يقرا", "تقرا", "يعد", "تعد"))
_UNMARKED: Final = dict.fromkeys(map(ord, _DROPPED))


def inflect(parts: list[str]) -> dict[str, int]:
    """Persons of a verb given as past and present (خرق, يخرق), folded, with their classes. What
    is no letter of the root is told before folding: وأد is no hollow verb, بدأ no defective."""
    past, *presents = (part.translate(_UNMARKED) for part in parts)
    forms = dict.fromkeys(_past(past), VERB)
    for present in presents:
        hollow = past[-2:-1] == "ا"
        forms |= dict.fromkeys(_present(present, hollow=hollow), VERB | PRESENT)
    return forms


def _past(past: str) -> set[str]:
    whole = fold(past)
    forms = {whole}
    stem = whole[:-1]
    if past[-2:-1] == "ا" and len(past) > 2:  # انهرنا; no «سرت» of سار, which is a town
        forms |= {whole[:-2] + whole[-1] + e for e in ("نا", "تم")}
        if len(past) > 3:  # أعيد
            forms |= _ended(f"{whole[:-2]}ي{whole[-1]}", _PAST_ENDS)
    if past[1:2] == "ا" and len(past) == 4 and past[0] != "و":  # هوجم, نودي
        last = "ي" if past[3] in "ىا" else whole[3]
        forms |= _ended(f"{whole[0]}و{whole[2]}{last}", _PAST_ENDS)
    if past[:4] in ("استأ", "إستأ"):  # استؤنف
        forms |= _ended("استو" + whole[4:], _PAST_ENDS)
    if past[-1:] in _HAMZA:
        forms |= _ended(whole, _PAST_ENDS) | {stem + "ووا", stem + "ءوا"}  # بدأوا, بدؤوا, بدءوا
        if len(past) > 3:  # أنشئت
            forms |= _ended(stem + "ي", _PAST_ENDS)
    elif past[-1:] in _WEAK and len(past) > 2:
        forms |= _ended(stem, ("ت", "تا", "وا", "و", "يا", "ي", "ين", "ينا", "يت", "يتا"))
        # ى is written ا before a pronoun (أنهاه); never alone, where it would be أنها
        forms |= {f"{stem}ا{pronoun}" for pronoun in _ON_WEAK}
    else:
        forms |= _ended(whole, _PAST_ENDS)
        if len(whole) == 2 or (len(whole) == 3 and whole[0] == "ا"):  # شننا, أقررنا
            forms |= _ended(whole + whole[-1], ("نا", "تم", "ن"))
    return forms - _OTHERS


def _present(present: str, *, hollow: bool) -> set[str]:
    body = fold(present)[1:]
    forms = {person + body for person in "يتنا"} | _persons(body, _PRESENT_ENDS)
    if present[-1:] in _HAMZA:
        forms |= _persons(body[:-1], ("وون", "ووا", "ان", "ءون", "ءوا"))  # يبدؤون, يبدآن
    elif present[-1:] in "ويىا" and len(body) > 2:
        forms |= _persons(body[:-1], ("ون", "وا", ""))
        if present[-1] in "ىا":  # يلقاها
            forms |= _persons(body[:-1], tuple("ا" + pronoun for pronoun in _ON_WEAK))
    if hollow and body[-2:-1] and body[-2] in "اوي":
        forms |= _persons(body[:-2] + body[-1], ("",))  # لم ينهر, لم تعد; no «نقل» of قال
        forms |= _persons(f"{body[:-2]}ا{body[-1]}", ("", "ون", "وا", "ان"))  # يعاد
    return forms - _OTHERS


def _ended(stem: str, ends: tuple[str, ...]) -> set[str]:
    return {stem + end for end in ends}


def _persons(body: str, ends: tuple[str, ...]) -> set[str]:
    return {person + body + end for person in "يت" for end in ends}
