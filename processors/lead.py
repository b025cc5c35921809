"""What an article's headline and lead are told in: words, countries and places, to join the
reports of one event by.

Words are hashed to small numbers; a number written in digits is a word. What Arabic writes onto
a word is taken off it (light10: Larkey, Ballesteros and Connell, 2007).

A name that is a word too (الزاوية is also the corner) counts as a place here where what stands
before it says so and the country is told, or none is and it is the outlet's. The rules are more
careful: by a name they tell countries, here it only parts events of one country.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import xxhash

from processors.arabic import fold
from processors.atlas import Atlas
from processors.flagger import Document
from processors.matching import set_scene
from processors.places import Gazette
from processors.rules import Rulebook
from processors.text import Sentence, sentences, words

LEAD: Final = 700  # characters of the text
COUNTRIES: Final = 2  # countries kept, the most spoken of
_BITS: Final = 24
_PLACES: Final = ("town", "named_installation")
_NAMES: Final = (
    "country", "nationality", "capital", "locative", "land", "frontier", "local_force",
    "strike_verb", "strike_noun", *_PLACES,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lead:
    """`words` are hashed, ascending; `countries` the most spoken of; `places` those of headline
    and first sentence, `passing` the others that the lead names, as the atlas writes them."""

    words: tuple[int, ...] = ()
    countries: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()


def read_lead(document: Document, book: Rulebook | None, atlas: Atlas) -> Lead:
    """Headline and lead by the names that the rules of its language know. A capital, which may
    stand for its government, counts only where it is named as a place, and is named in passing
    unless a headline tells of strikes there."""
    title, text = document.title[:LEAD], _lead(document.text)
    parts = (words(title), words(text))
    stems = {_stem(fold(token)) for tokens in parts for token in tokens}
    told = tuple(sorted(_hash(stem) for stem in stems if len(stem) > 2 or stem.isdigit()))
    if book is None:
        return Lead(told)
    names, listed, capital = book.mask(*_NAMES), book.mask(*_PLACES), book.mask("capital")
    town, party = book.mask("town", "capital"), book.mask("local_force")
    strike = book.mask("strike_verb", "strike_noun")
    gazette = Gazette(book)
    places: dict[str, None] = {}
    passing: dict[str, None] = {}
    parties: set[str] = set()  # where those are at home that fight there
    unread: list[tuple[Sentence, set[int]]] = []  # sentences, and tokens that are in names
    for tokens in parts:
        entries = list(map(book.lexicon.__getitem__, tokens))
        for sentence in sentences(tokens, headline=tokens is parts[0]):
            hits = book.lexicon.find(tokens, entries, sentence.first, sentence.last, names)
            unread.append((sentence, {at for hit in hits for at in range(hit.start, hit.end)}))
            if not hits:
                continue
            scene = set_scene(book, sentence, hits, book.context)
            gazette.note(scene)
            parties.update(str(code) for hit in scene.having(party) for code in hit.codes)
            struck = sentence.index < 0 and bool(scene.mask & strike)
            for hit in scene.having(listed | capital):
                if hit.parts or not hit.term.label:
                    continue
                if not hit.mask & listed and not gazette.here(scene, hit.start, hit.end):
                    continue
                way = atlas.place(hit.term.label, hit.codes)
                if hit.mask & town and (site := _site(sentence, hit.start, hit.end)):
                    way = atlas.site(way, site)
                said = struck or (hit.mask & listed and sentence.index <= 0)
                (places if said else passing)[way] = None
    countries = tuple(map(str, gazette.ranked()[:COUNTRIES]))
    if not countries and len(parties) == 1:  # «الدعم السريع تعلن هدنة»
        countries = tuple(parties)
    home = (document.source_country,) if document.source_country else ()
    for sentence, read in unread:
        for way in _named_after(sentence, read, atlas, countries or home, tuple(places)):
            (places if sentence.index <= 0 else passing)[way] = None
    return Lead(
        told,
        countries,
        tuple(filter(None, places)),
        tuple(way for way in passing if way and way not in places),
    )


def _named_after(
    sentence: Sentence, read: set[int], atlas: Atlas, codes: tuple[str, ...], near: Iterable[str]
) -> Iterator[str]:
    """Places of these countries whose name follows a word that announces one, and English ones
    by their capital. A village in no gazetteer is told by the province that is named with it."""
    plain = [fold(token) for token in sentence.tokens[sentence.first : sentence.last]]
    for at, name in enumerate(plain[1:], 1):
        if sentence.first + at in read or not name or name in _ANNOUNCING:
            continue
        raw, before = sentence.tokens[sentence.first + at], plain[at - 1]
        english = raw.isascii() and raw[0].isupper() and len(raw) > 3
        if not english and before not in _ANNOUNCING:
            continue
        two = " ".join(plain[at : at + 2])
        way = atlas.known(two, codes) or atlas.known(name, codes)
        if not way and before in _VILLAGE and (name[:2] == "ال" or name[-2:] not in _ADJECTIVE):
            province = next((other for other in near if other[:2] in codes[:1]), "")
            told = (two if name in _COMPOUND else name).removeprefix("ال")
            way = f"{province}/{told}" if province else ""
        if way:
            site = _site(sentence, sentence.first + at, sentence.first + at + 1)
            yield atlas.site(way, site) if site else way


def _site(sentence: Sentence, start: int, end: int) -> str:
    """What has its town's name: مطار of «مطار أربيل» and Erbil airport; else ""."""
    before = fold(sentence.tokens[start - 1]) if start > sentence.first else ""
    after = fold(sentence.tokens[end]) if end < sentence.last else ""
    return _SITES.get(before) or _SITES.get(before[1:]) or _SITES.get(after) or ""


def _lead(text: str) -> str:
    """The text's first characters, up to the last whole word."""
    if len(text) <= LEAD:
        return text
    return text[:LEAD].rpartition(" ")[0] or text[:LEAD]


def _hash(word: str) -> int:
    return xxhash.xxh3_64_intdigest(word.encode("utf-8", "replace")) >> (64 - _BITS)


_VILLAGE: Final = frozenset(
    fold(word) for word in ("قرية", "بقرية", "لقرية", "قريتي", "بلدة", "ببلدة", "لبلدة", "بلدتي")
)
_ANNOUNCING: Final = _VILLAGE | frozenset(
    fold(word)
    for word in (
        "في", "من", "إلى", "على", "نحو", "باتجاه", "داخل", "خارج", "بين", "قرب", "محيط", "أطراف",
        "مشارف", "ضواحي", "ريف", "وسط", "شرق", "غرب", "شمال", "جنوب", "شرقي", "غربي", "شمالي",
        "جنوبي", "مدينة", "مدينتي", "منطقة", "محافظة", "ولاية", "مديرية", "قضاء", "ناحية", "أهالي",
        "سكان", "أعيان", "حقل", "حقلي", "ميناء", "مطار", "قاعدة", "معسكر", "معبر", "مصفاة", "محطة",
    )
)  # fmt: skip
_SITES: Final = {
    fold(word): words.split()[0]
    for words in ("مطار قاعدة airport airbase", "ميناء مرفأ port", "مصفاة refinery")
    for word in words.split()
}
# What the name of a village begins with and is no name alone; and what only describes one.
_COMPOUND: Final = frozenset(
    fold(word)
    for word in ("خان", "كفر", "بيت", "عين", "تل", "دير", "أم", "أبو", "بني", "رأس", "وادي", "برج")
)
_ADJECTIVE: Final = frozenset(("ية", "ين"))

_PREFIXES: Final = ("وال", "بال", "كال", "فال", "لل", "ال", "و")
_SUFFIXES: Final = ("ها", "ان", "ات", "ون", "ين", "ية", "يه", "ة", "ه", "ي")


def _stem(plain: str) -> str:
    for prefix in _PREFIXES:
        if plain.startswith(prefix) and len(plain) - len(prefix) >= 3:
            plain = plain[len(prefix) :]
            break
    for suffix in _SUFFIXES:
        if plain.endswith(suffix) and len(plain) - len(suffix) >= 3:
            return plain.removesuffix(suffix)
    return plain
