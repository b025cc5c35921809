"""What an article's headline and lead are told in: words, countries and places, to join the
reports of one event by.

Words are hashed to small numbers; a number written in digits is a word. What Arabic writes onto
a word is taken off it (light10: Larkey, Ballesteros and Connell, 2007).
"""

from dataclasses import dataclass
from typing import Final

import xxhash

from processors.arabic import fold
from processors.atlas import Atlas
from processors.flagger import Document
from processors.matching import set_scene
from processors.places import Gazette
from processors.rules import Rulebook
from processors.text import sentences, words

LEAD: Final = 700  # characters of the text
COUNTRIES: Final = 2  # countries kept, the most spoken of
_BITS: Final = 24
_PLACES: Final = ("town", "named_installation")
_NAMES: Final = ("country", "nationality", "capital", "locative", "land", "frontier", *_PLACES)


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
    stand for its government, is named in passing, and only where it is named as a place."""
    title, text = document.title[:LEAD], _lead(document.text)
    parts = (words(title), words(text))
    stems = {_stem(fold(token)) for tokens in parts for token in tokens}
    told = tuple(sorted(_hash(stem) for stem in stems if len(stem) > 2 or stem.isdigit()))
    if book is None:
        return Lead(told)
    towns, capital, names = book.mask(*_PLACES), book.mask("capital"), book.mask(*_NAMES)
    gazette = Gazette(book)
    places: dict[str, None] = {}
    passing: dict[str, None] = {}
    for tokens in parts:
        entries = list(map(book.lexicon.__getitem__, tokens))
        for sentence in sentences(tokens, headline=tokens is parts[0]):
            hits = book.lexicon.find(tokens, entries, sentence.first, sentence.last, names)
            if not hits:
                continue
            scene = set_scene(book, sentence, hits, book.context)
            gazette.note(scene)
            for hit in scene.having(towns | capital):
                if hit.parts or not hit.term.label:
                    continue
                town = bool(hit.mask & towns)
                if town or gazette.here(scene, hit.start, hit.end):
                    to = places if town and sentence.index <= 0 else passing
                    to[atlas.place(hit.term.label, hit.codes)] = None
    return Lead(
        told,
        tuple(map(str, gazette.ranked()[:COUNTRIES])),
        tuple(filter(None, places)),
        tuple(way for way in passing if way and way not in places),
    )


def _lead(text: str) -> str:
    """The text's first characters, up to the last whole word."""
    if len(text) <= LEAD:
        return text
    return text[:LEAD].rpartition(" ")[0] or text[:LEAD]


def _hash(word: str) -> int:
    return xxhash.xxh3_64_intdigest(word.encode("utf-8", "replace")) >> (64 - _BITS)


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
