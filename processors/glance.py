"""Which rules may match a sentence, told by its tokens alone.

Most sentences can match no rule, and a look at their tokens tells it. A rule needs words of
several concepts in one sentence; of each rule the rarest needs are watched. A token gives a
whole number with a bit for each need that it may fill, a sentence the union of its tokens'
numbers, and the rules all of whose needs are filled may match there. What is told is never
too little: every rule tried on every sentence gives the same flags (tests/processors/
test_articles.py).

Of a term, the word that ordinary news has least is waited for; of a phrase, with the word
beside it.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress
from typing import Final

from processors.lexicon import Beside, Entry, Lexicon, Sign
from processors.text import QUOTES, Sentence

WATCHED: Final = 3  # needs of a rule; more tell little more and cost a look at common words


class Glance:
    """Has a lexicon's entries tell of rules. `needs`: of each rule, concepts one of which each
    of its sentences must have; `met`: how often ordinary text has each lemma."""

    def __init__(self, lexicon: Lexicon, needs: list[list[int]], met: Mapping[int, int]) -> None:
        self._rules = len(needs)
        self._every = (1 << len(needs)) - 1  # all rules
        by_concept: dict[int, int] = {}  # concept → needs that it fills
        for rule, masks in enumerate(needs):
            for i in range(WATCHED):
                need = 1 << (i * len(needs) + rule)
                for concept in _bits(masks[min(i, len(masks) - 1)]):
                    by_concept[concept] = by_concept.get(concept, 0) | need
        self._alone: dict[int, int] = {}
        self._beside: dict[int, dict[tuple[int, int], dict[int, int]]] = {}
        filled: dict[int, int] = {}  # by the concepts of a term
        for mask, slots, gaps in lexicon.phrases:
            if mask not in filled:
                filled[mask] = _union(by_concept.get(bit, 0) for bit in _bits(mask))
            if filled[mask]:
                self._watch(filled[mask], slots, gaps, met)
        lexicon.sign = self.sign
        lexicon.clear()

    def _watch(
        self, needs: int, slots: list[tuple[int, ...]], gaps: list[int], met: Mapping[int, int]
    ) -> None:
        """Let the tokens of a term's words tell of these needs."""
        often = [sum(met.get(lemma, 0) for lemma in slot) for slot in slots]
        at = often.index(min(often))
        if len(slots) == 1:
            for lemma in slots[0]:
                self._alone[lemma] = self._alone.get(lemma, 0) | needs
            return
        step = 1 if at + 1 < len(slots) else -1
        place = (step, gaps[max(at, at + step)])
        for lemma in slots[at]:
            pairs = self._beside.setdefault(lemma, {}).setdefault(place, {})
            for other in slots[at + step]:
                pairs[other] = pairs.get(other, 0) | needs

    def sign(self, lemmas: tuple[int, ...]) -> Sign | None:
        """What a token tells that may be of these lemmas."""
        needs = _union(self._alone.get(lemma, 0) for lemma in lemmas)
        beside = tuple(
            Beside(step, gap, pairs, _union(pairs.values()))
            for lemma in lemmas
            for (step, gap), pairs in self._beside.get(lemma, {}).items()
        )
        if not needs and not beside:
            return None
        return Sign(needs, beside, needs | _union(of.most for of in beside))

    def live(
        self, tokens: list[str], entries: list[Entry | None], sentences: Iterable[Sentence]
    ) -> Iterator[tuple[Sentence, int]]:
        """Sentences that some rules may match, with a bit for each of these rules."""
        telling = [
            i for i in compress(range(len(entries)), entries)
            if entries[i].sign is not None  # type: ignore[union-attr]
        ]  # fmt: skip
        count, every = self._rules, self._every
        after = 0
        for sentence in sentences:
            before, after = after, bisect_left(telling, sentence.last, after)
            needs = most = 0
            ways = []
            for at in telling[before:after]:
                alone, beside, with_others = entries[at].sign  # type: ignore[union-attr,misc]
                needs |= alone
                most |= with_others
                if beside:
                    ways.append((at, beside))
            rules = every
            for i in range(WATCHED):
                rules &= most >> i * count
            if not rules:
                continue
            for i in range(WATCHED):  # the rarest first: most rules end with it
                open_needs = rules << i * count & ~needs
                if open_needs:
                    for at, beside in ways:
                        for way in beside:
                            if way.most & open_needs:
                                needs |= _besides(way, at, tokens, entries)
                    rules &= needs >> i * count
                    if not rules:
                        break
            if rules:
                yield sentence, rules


def _besides(way: Beside, start: int, tokens: list[str], entries: list[Entry | None]) -> int:
    """Needs that a token fills with a word beside it."""
    step, left, by_lemma, _ = way
    last = len(tokens)
    needs = 0
    at = start + step
    while 0 <= at < last:
        other = entries[at]
        if other is not None:
            for lemma in other.lemmas:
                if lemma in by_lemma:
                    needs |= by_lemma[lemma]
        elif tokens[at] in QUOTES:
            at += step
            continue
        if not left:
            break
        left -= 1
        at += step
    return needs


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low
        mask ^= low


def _union(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union
