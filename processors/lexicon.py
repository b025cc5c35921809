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
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final, NamedTuple

from processors import arabic, latin
from processors.arabic import FIXED, NAME, NOUN, VERB
from processors.text import QUOTES

MAX_CACHED: Final = 150_000
# Hyphens, in a word or between two, are looked across in text (processors.text.joined).
_HYPHEN: Final = re.compile(r"(?<=[^\W_])-(?=[^\W_])| - ")
CLASSES: Final = {"nouns": NOUN, "verbs": VERB, "names": NAME, "words": FIXED}


class Normaliser(NamedTuple):
    """What a script needs: spelling, ways to take a token apart, forms of a verb."""

    fold: Callable[[str], str]
    readings: Callable[[str], Iterator[tuple[str, int, int]]]
    inflect: Callable[[list[str]], set[str]]
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
    next: dict[int, "Node"] = field(default_factory=dict)
    far: dict[int, "Node"] = field(default_factory=dict)  # by how many words may lie between
    terms: list[Term] = field(default_factory=list)
    potential: int = 0  # concepts of all terms from here on


@dataclass(slots=True, eq=False)
class Entry:
    """What a token may be."""

    lemmas: tuple[int, ...]
    flags: int
    terms: tuple[Term, ...]  # one-word terms
    nodes: tuple[Node, ...]  # where phrases go on
    potential: int  # concepts of every term that may begin here
    sign: "Sign | None"  # what it tells of rules


class Beside(NamedTuple):
    """What a token tells if another word stands beside it."""

    step: int  # before it or after it
    gap: int  # past at most so many words
    needs: dict[int, int]  # by the lemma of the other word
    most: int  # all of these


class Sign(NamedTuple):
    """What a token tells of needs of rules (processors.glance): those it fills by itself, and
    with others beside it."""

    needs: int
    beside: tuple[Beside, ...]
    most: int  # all of these


class Lexicon(dict[str, Entry | None]):
    """A mapping from raw tokens to entries, filled as tokens are met."""

    def __init__(self, normaliser: Normaliser) -> None:
        super().__init__()
        self.normaliser = normaliser
        self._root = Node()
        self._lemmas: dict[tuple[str, int], int] = {}
        self._forms: dict[str, list[tuple[int, int]]] = {}
        self.apart = 0  # concepts whose terms are not made one with others of the same words
        self._plain: dict[int, Term] = {}
        self._entries: dict[tuple[tuple[int, int], ...], Entry] = {}  # many tokens share one
        self.sign: Callable[[tuple[int, ...]], Sign | None] = lambda lemmas: None
        # Of each term: concepts, its words, how many others may stand before each.
        self.phrases: list[tuple[int, list[tuple[int, ...]], list[int]]] = []
        self._pieces: dict[tuple[str, int], tuple[int, ...]] = {}

    def add(self, term: Term, kind: int) -> None:
        """Add a term; its words are of class `kind` unless marked. ValueError when empty."""
        nodes = [self._root]
        slots: list[tuple[int, ...]] = []
        gaps: list[int] = []
        gap = 0
        if kind == VERB and " " in term.text.strip():
            kind = NOUN  # the other words of a verb's phrase; the verb itself has its slash
        for piece in _HYPHEN.sub(" ", term.text).split():
            if piece[0] == "~":
                gap = int(piece[1:] or 1)
                nodes = [node.far.setdefault(gap, Node()) for node in nodes]
                for node in nodes:
                    node.potential |= term.mask
                continue
            lemmas = self._lemmas_of(piece, kind)
            if not lemmas:
                raise ValueError(f"no word in {piece!r}")
            nodes = [_after(node, lemma) for node in nodes for lemma in lemmas]
            slots.append(lemmas)
            gaps.append(gap)
            gap = 0
            for node in nodes:
                node.potential |= term.mask
        if not slots or term.text.split()[-1][0] == "~":
            raise ValueError(f"no word in {term.text!r}")
        for node in nodes:
            node.terms = self._merged([*node.terms, term])
        self.phrases.append((term.mask, slots, gaps))
        if self:
            self.clear()

    def clear(self) -> None:
        super().clear()
        self._entries.clear()

    def met(self, text: list[str]) -> Counter[int]:
        """How often each lemma is met."""
        entries = map(self.__getitem__, text)
        return Counter(lemma for entry in entries if entry for lemma in entry.lemmas)

    def _lemmas_of(self, piece: str, kind: int) -> tuple[int, ...]:
        """The lemmas of a piece's alternatives; the same pieces come again and again."""
        known = self._pieces.get((piece, kind))
        if known is None:
            known = tuple(lemma for word in piece.split("|") for lemma in self._lemma(word, kind))
            self._pieces[piece, kind] = known
        return known

    def _lemma(self, word: str, kind: int) -> Iterator[int]:
        fold = self.normaliser.fold
        if word.endswith("!"):
            kind, word = FIXED, word[:-1]
        parts = [fold(part) for part in word.split("/")]
        if not parts[0]:
            return
        if len(parts) > 1 or kind == VERB:
            kind, forms = VERB, self.normaliser.inflect(parts)
        else:
            forms = {parts[0]}
        key = ("/".join(parts), kind)
        if key not in self._lemmas:
            lemma = self._lemmas[key] = len(self._lemmas)
            for form in forms:
                self._forms.setdefault(form, []).append((lemma, kind))
        yield self._lemmas[key]

    def __missing__(self, raw: str) -> Entry | None:
        if len(self) >= MAX_CACHED:
            self.clear()
        entry = self._read(raw)
        self[raw] = entry
        return entry

    def _read(self, raw: str) -> Entry | None:
        forms = self._forms
        found: dict[int, int] = {}
        for rest, classes, flags in self.normaliser.readings(self.normaliser.fold(raw)):
            if rest in forms:
                for lemma, kind in forms[rest]:
                    if kind & classes and lemma not in found:
                        found[lemma] = flags
        if not found:
            return None
        key = tuple(found.items())
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = self._entry(found)
        return entry

    def _entry(self, found: dict[int, int]) -> Entry:
        """What a token of these lemmas may be, each with the flags of its clitics."""
        terms: dict[int, Term] = {}
        nodes = []
        all_flags = potential = 0
        for lemma, flags in found.items():
            all_flags |= flags
            node = self._root.next.get(lemma)
            if node is not None:
                potential |= node.potential
                terms.update((id(term), term) for term in node.terms)
                if node.next or node.far:
                    nodes.append(node)
        lemmas = tuple(found)
        of_one_word = tuple(self._merged(terms.values()))
        return Entry(lemmas, all_flags, of_one_word, tuple(nodes), potential, self.sign(lemmas))

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

    def find(
        self,
        tokens: list[str],
        entries: list[Entry | None],
        first: int,
        last: int,
        wanted: int = -1,
    ) -> list[Hit]:
        """Every term between two tokens, by start, the longer first; of `wanted` concepts at
        least all."""
        hits: list[Hit] = []
        present: set[int] = set()  # lemmas of these tokens, once asked for
        for i in range(first, last):
            entry = entries[i]
            if entry is None or not entry.potential & wanted:
                continue
            if entry.nodes:
                at = i + 1
                while at < last and tokens[at] in QUOTES:
                    at += 1
                after = entries[at] if at < last else None
                lemmas = () if after is None else after.lemmas
                walk: _Walk | None = None
                for node in entry.nodes:
                    if not node.potential & wanted:
                        continue
                    # Most phrases end here: the next word is none of theirs.
                    if node.next.keys().isdisjoint(lemmas):
                        if not node.far:
                            continue
                        if not present:
                            here = entries[first:last]
                            present.update(*[e.lemmas for e in here if e is not None])
                        for far in node.far.values():
                            if far.far or not far.next.keys().isdisjoint(present):
                                break
                        else:
                            continue
                    walk = walk or _Walk(tokens, entries, last, wanted, i, entry.flags, {})
                    walk.on(node, 0, at)
                if walk and walk.found:
                    hits.extend(sorted(walk.found.values(), key=_ends_first))
            for term in entry.terms:
                hits.append(Hit(i, i + 1, term.mask, term, entry.flags, term.codes))
        return hits


class _Walk(NamedTuple):
    """From one token on through the trie."""

    tokens: list[str]
    entries: list[Entry | None]
    last: int
    wanted: int
    start: int
    flags: int
    found: dict[tuple[int, int], Hit]

    def on(self, node: Node, left: int, at: int) -> None:
        """Go on from `node` at token `at`; `left` other words may be passed over."""
        tokens, entries, last, wanted, start, flags, found = self
        for gap, far in node.far.items():
            if far.potential & wanted:
                self.on(far, gap, at)
        while at < last:
            token = tokens[at]
            entry = entries[at]
            if entry is None and token in QUOTES:
                at += 1
                continue
            if entry is not None and not node.next.keys().isdisjoint(entry.lemmas):
                for lemma in entry.lemmas:
                    after = node.next.get(lemma)
                    if after is None or not after.potential & wanted:
                        continue
                    for term in after.terms:
                        if (id(term), at) not in found:
                            found[id(term), at] = Hit(
                                start, at + 1, term.mask, term, flags, term.codes
                            )
                    if after.next or after.far:
                        self.on(after, 0, at + 1)
            if not left or (len(token) == 1 and not token.isalnum()):
                return
            left -= 1
            at += 1


def _ends_first(hit: Hit) -> int:
    return -hit.end


def _after(node: Node, lemma: int) -> Node:
    after = node.next.get(lemma)
    if after is None:
        after = node.next[lemma] = Node()
    return after


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
