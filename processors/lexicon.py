"""Terms, and finding them in tokens.

A term is a word or a phrase that belongs to concepts (bits of `mask`) and may carry
country codes and a name to show. It is written as words with a space between:

    هدنة|هدن            alternatives (a broken plural) in one place
    خرق/يخرق هدنة       a slash makes a verb: past and present
    وقف ~2 إطلاق نار     up to two other words may stand there
    في!                  exactly so, conjunctions aside

The lexicon turns a raw token into an `Entry` once and keeps it, so that a token costs one
dictionary look-up ever after. Phrases are found in a trie over lemmas, across quotation
marks, never across other punctuation.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress, takewhile
from operator import attrgetter
from typing import Final, NamedTuple

from processors import arabic, latin
from processors.arabic import FIXED, NAME, NOUN, VERB
from processors.text import QUOTES

MAX_CACHED: Final = 150_000
# Hyphens, in a word or between two, are looked across in text (processors.text.joined).
_HYPHEN: Final = re.compile(r"(?<=[^\W_])-(?=[^\W_])| - ")
_START: Final = attrgetter("start")
_MASK: Final = attrgetter("mask")
_MAY_BEGIN: Final = attrgetter("begins")
CLASSES: Final = {"nouns": NOUN, "verbs": VERB, "names": NAME, "words": FIXED}


class Normaliser(NamedTuple):
    """What a script needs: spelling, ways to take a token apart, forms of a verb."""

    fold: Callable[[str], str]
    readings: Callable[[str], Iterator[tuple[str, int, int]]]
    inflect: Callable[[list[str]], dict[str, int]]
    script: re.Pattern[str]  # a term in this script is for this normaliser


NORMALISERS: Final = {
    "arabic": Normaliser(
        arabic.fold, arabic.readings, arabic.inflect, re.compile("[\u0600-\u06ff]")
    ),
    "latin": Normaliser(latin.fold, latin.readings, latin.inflect, re.compile("[A-Za-z]")),
}


@dataclass(slots=True, eq=False)
class Term:
    text: str
    mask: int  # concepts it belongs to
    codes: tuple[str, ...] = ()  # countries: a force's home, a place's country
    label: str = ""  # the name to show
    theatre: tuple[str, ...] = ()  # where a force acts when nothing says where


@dataclass(slots=True, eq=False)
class Hit:
    """A term, or a sequence of hits, at tokens `start` to `end` (exclusive)."""

    start: int
    end: int
    mask: int
    term: Term
    flags: int = 0
    codes: tuple[str, ...] = ()
    parts: tuple["Hit", ...] = ()


@dataclass(slots=True, eq=False)
class Node:
    """Most of more than 100,000 are the last of a name, and have nothing but their term."""

    next: dict[int, "Node"] | None = None
    far: dict[int, "Node"] | None = None  # by how many words may lie between
    terms: Sequence[Term] = ()

    def child(self, lemma: int) -> "Node":
        """The node behind a word, made where there is none."""
        if self.next is None:
            self.next = {}
        return self.next.get(lemma) or self.next.setdefault(lemma, Node())

    def past(self, gap: int) -> "Node":
        """The node behind up to `gap` other words, made where there is none."""
        if self.far is None:
            self.far = {}
        return self.far.get(gap) or self.far.setdefault(gap, Node())


@dataclass(slots=True, eq=False)
class Entry:
    """What a token may be. Tokens that may be the same have one entry."""

    lemmas: tuple[int, ...]
    flags: int = 0
    terms: tuple[Term, ...] = ()  # one-word terms
    mask: int = 0  # their concepts
    tells: int = 0  # what these tell of rules (processors.glance)
    goes_on: bool = False  # whether it may be the second word of a phrase
    begins: bool = False  # whether it may be the first
    near: tuple["Way", ...] = ()  # where phrases go on with the next word
    near_lemmas: frozenset[int] = frozenset()  # what that word may be
    far: tuple["Way", ...] = ()  # or with a later one
    far_lemmas: frozenset[int] = frozenset()
    reach: int = 0  # the most words that may lie between


Way = tuple[Node, int]  # with how many words that may lie before the next


_QUOTE: Final = -1  # no lemma; what a phrase may go on with behind it is seen by walking on
NOTHING: Final = Entry(())
QUOTED: Final = Entry((_QUOTE,), goes_on=True)


class Lexicon(dict[str, Entry]):
    """A mapping from raw tokens to entries, filled as tokens are met."""

    def __init__(self, normaliser: Normaliser) -> None:
        super().__init__()
        self.normaliser = normaliser
        self._root = Node()
        self._second: set[int] = set()  # lemmas that are a phrase's second word
        self._lemmas: dict[tuple[str, int], int] = {}
        self._forms: dict[str, list[tuple[int, int]]] = {}
        self.apart = 0  # concepts whose terms are not made one with others of the same words
        self._plain: dict[int, Term] = {}
        self._entries: dict[tuple[tuple[int, ...], int], Entry] = {}
        self.tells: Callable[[int], int] = lambda mask: 0  # what concepts tell of rules
        self.size = 0  # terms
        self._pieces: dict[tuple[str, int], tuple[int, ...]] = {}

    def add(self, term: Term, kind: int) -> None:
        """Add a term; its words are of class `kind` unless marked. ValueError when empty."""
        text = term.text
        pieces = (_HYPHEN.sub(" ", text) if "-" in text else text).split()
        if not pieces or pieces[0][0] == "~" or pieces[-1][0] == "~":
            raise ValueError(f"no word in {term.text!r}")
        if kind == VERB and len(pieces) > 1:
            kind = NOUN  # the other words of a verb's phrase; the verb itself has its slash
        nodes = [self._root]
        gap = words = 0
        for piece in pieces:
            if piece[0] == "~":
                gap = int(piece[1:] or 1)
                continue
            lemmas = self._lemmas_of(piece, kind)
            if not lemmas:
                raise ValueError(f"no word in {piece!r}")
            words += 1
            if words == 2:
                self._second.update(lemmas)
            if gap:
                nodes = [node.past(gap) for node in nodes]
                gap = 0
            nodes = [node.child(lemma) for node in nodes for lemma in lemmas]
        for node in nodes:
            node.terms = self._merged([*node.terms, term])
        self.size += 1
        if self:
            self.clear()

    def clear(self) -> None:
        """Read every token anew."""
        super().clear()
        self._entries.clear()

    def _lemmas_of(self, piece: str, kind: int) -> tuple[int, ...]:
        """The lemmas of a piece's alternatives; the same pieces come again and again."""
        known = self._pieces.get((piece, kind))
        if known is None:
            known = tuple(lemma for word in piece.split("|") for lemma in self._lemma(word, kind))
            self._pieces[piece, kind] = known
        return known

    def _lemma(self, word: str, kind: int) -> Iterator[int]:
        if word.endswith("!"):
            kind, word = FIXED, word[:-1]
        written = word.split("/")
        parts = list(map(self.normaliser.fold, written))
        if not parts[0]:
            return
        kind = VERB if len(parts) > 1 else kind
        key = ("/".join(parts), kind)
        if key not in self._lemmas:
            lemma = self._lemmas[key] = len(self._lemmas)
            forms = self.normaliser.inflect(written) if kind == VERB else {parts[0]: kind}
            for form, of_form in forms.items():
                self._forms.setdefault(form, []).append((lemma, of_form))
        yield self._lemmas[key]

    def __missing__(self, raw: str) -> Entry:
        if len(self) >= MAX_CACHED:
            self.clear()
        entry = self[raw] = QUOTED if raw in QUOTES else self._read(raw)
        return entry

    def _read(self, raw: str) -> Entry:
        forms = self._forms
        found: dict[int, int] = {}
        for rest, classes, flags in self.normaliser.readings(self.normaliser.fold(raw)):
            if rest in forms:
                for lemma, kind in forms[rest]:
                    if kind & classes and lemma not in found:
                        found[lemma] = flags
        if not found:
            return NOTHING
        flags = 0
        for of_lemma in found.values():
            flags |= of_lemma
        key = tuple(found), flags
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = self._entry(*key)
        return entry

    def _entry(self, lemmas: tuple[int, ...], flags: int) -> Entry:
        begun = self._root.next or {}
        first = [begun[lemma] for lemma in lemmas if lemma in begun]
        terms = tuple(
            self._merged({id(term): term for node in first for term in node.terms}.values())
        )
        mask = 0
        for term in terms:
            mask |= term.mask
        near = tuple((node, 0) for node in first if node.next)
        far = tuple((after, gap) for node in first for gap, after in (node.far or {}).items())
        return Entry(
            lemmas, flags, terms, mask, self.tells(mask),
            not self._second.isdisjoint(lemmas), bool(near or far), near, _next(near),
            far, _next(far), max((gap for _, gap in far), default=0),
        )  # fmt: skip

    def _merged(self, terms: Iterable[Term]) -> list[Term]:
        """Terms of the same words, those that say nothing but their concepts made one."""
        mask = 0
        kept = []
        for term in terms:
            if term.codes or term.label or term.theatre or term.mask & self.apart:
                kept.append(term)
            else:
                mask |= term.mask
        if mask:
            kept.append(self._plain.setdefault(mask, Term("", mask)))
        return kept

    def how(self, raw: str) -> str:
        """For explaining: a token as it is read, what was taken off shown before and after
        the form that a term has: «و+ب+ال+هدن+تهم»."""
        folded = self.normaliser.fold(raw)
        best = (0, 0, folded)
        for rest, classes, _ in self.normaliser.readings(folded):
            if any(kind & classes for _, kind in self._forms.get(rest, ())):
                at = max(0, folded.find(rest[: max(2, len(rest) - 2)]))
                pairs = zip(rest, folded[at:], strict=False)
                common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
                shown = "+".join(p for p in (folded[:at], rest, folded[at + common :]) if p)
                best = max(best, (at, len(rest), shown))
        return best[2]

    def phrases(self, tokens: list[str], entries: list[Entry], first: int, last: int) -> list[Hit]:
        """Every term of several words between two tokens, by start, the longer first."""
        found: list[Hit] = []
        for start in compress(range(first, last - 1), map(_MAY_BEGIN, entries[first:last])):
            # Almost every word that may begin a phrase begins none: no word of one comes next.
            entry, after = entries[start], entries[start + 1]
            ways: tuple[Way, ...] = ()
            if after.goes_on and not entry.near_lemmas.isdisjoint(after.lemmas):
                ways = entry.near
            if entry.far:
                for after in entries[start + 1 : start + 2 + entry.reach]:
                    if after.goes_on and not entry.far_lemmas.isdisjoint(after.lemmas):
                        ways = entry.far + ways
                        break
            if ways:
                ends: list[tuple[Term, int]] = []
                for node, gap in ways:
                    _go_on(ends, node, gap, tokens, entries, start + 1, last)
                if ends:
                    hits = {
                        (id(term), end): Hit(start, end, term.mask, term, entry.flags, term.codes)
                        for term, end in ends
                    }
                    found += sorted(hits.values(), key=_ends_first)
        return found

    @staticmethod
    def hits(
        entries: list[Entry], phrases: list[Hit], first: int, last: int, wanted: int = -1
    ) -> list[Hit]:
        """Every term of `wanted` concepts between two tokens, by start, the longer first."""
        hits = [
            Hit(at, at + 1, term.mask, term, entries[at].flags, term.codes)
            for at in compress(range(first, last), map(_MASK, entries[first:last]))
            if entries[at].mask & wanted
            for term in entries[at].terms
        ]
        longer = [
            hit for hit in within(phrases, first, last)
            if hit.end <= last and hit.mask & wanted
        ]  # fmt: skip
        return sorted(longer + hits, key=as_read) if longer else hits

    def find(
        self, tokens: list[str], entries: list[Entry], first: int, last: int, wanted: int = -1
    ) -> list[Hit]:
        """The same, of tokens whose phrases are not known."""
        return self.hits(entries, self.phrases(tokens, entries, first, last), first, last, wanted)


def _go_on(
    found: list[tuple[Term, int]],
    node: Node,
    gap: int,
    tokens: list[str],
    entries: list[Entry],
    at: int,
    last: int,
) -> None:
    """Add terms, with their ends, that go on from a node at token `at`, or behind it, past as
    many other words as `gap`."""
    following = node.next
    while at < last and following:
        entry = entries[at]
        if entry is QUOTED:
            at += 1
            continue
        for lemma in entry.lemmas:
            after = following.get(lemma)
            if after is not None:
                for term in after.terms:
                    found.append((term, at + 1))
                if after.far:
                    for width, far in after.far.items():
                        _go_on(found, far, width, tokens, entries, at + 1, last)
                if after.next:
                    _go_on(found, after, 0, tokens, entries, at + 1, last)
        if not gap or (len(tokens[at]) == 1 and not tokens[at].isalnum()):
            return
        gap -= 1
        at += 1


def within(phrases: list[Hit], first: int, last: int) -> list[Hit]:
    """Those that begin between two tokens."""
    return phrases[bisect_left(phrases, first, key=_START) : bisect_left(phrases, last, key=_START)]


def _ends_first(hit: Hit) -> int:
    return -hit.end


def as_read(hit: Hit) -> tuple[int, int]:
    return hit.start, -hit.end


def _next(ways: tuple[Way, ...]) -> frozenset[int]:
    """Lemmas that these ways go on with. What they go on with behind a quotation mark is seen
    by going on."""
    return (
        frozenset(chain((_QUOTE,), *(node.next or () for node, _ in ways))) if ways else frozenset()
    )


def unmasked(hits: list[Hit], masking: Mapping[int, int]) -> list[Hit]:
    """Hits without those that lie inside a hit of a masking concept (حقل in حقل ألغام).

    `masking`: concepts that mask → concepts they leave alone (those of other themes' own)."""
    every = 0
    for masks in masking:
        every |= masks
    covers = [
        (hit, masks, spared)
        for hit in hits
        if hit.mask & every
        for masks, spared in masking.items()
        if hit.mask & masks
    ]
    if not covers:
        return hits
    shown = []
    for hit in hits:
        mask = hit.mask
        for cover, masks, spared in covers:
            if cover.start <= hit.start and hit.end <= cover.end:
                longer = cover.end - cover.start > hit.end - hit.start
                if longer or not hit.mask & masks:
                    mask &= spared
        if mask == hit.mask:
            shown.append(hit)
        elif mask:
            shown.append(replace(hit, mask=mask))
    return shown


def outermost(hits: list[Hit]) -> list[Hit]:
    """Without names that are part of a longer name (السودان in جنوب السودان)."""
    long = [hit for hit in hits if hit.codes and hit.end - hit.start > 1]
    if not long:
        return hits
    return [
        hit
        for hit in hits
        if not hit.codes
        or not any(
            c.start <= hit.start and hit.end <= c.end and c.end - c.start > hit.end - hit.start
            for c in long
        )
    ]
