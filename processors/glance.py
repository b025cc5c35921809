"""Which rules may match a sentence, told by the concepts of its terms, wherever they stand.

Most sentences can match no rule. A rule has needs: masks of concepts of each of which a
sentence must have one. A term gives a whole number with a bit for each need that it fills,
a sentence the union of its terms' numbers; what has all its needs filled is then a matter of
a few shifts. A sequence, which makes a concept of others, has needs likewise and fills
those that the concept does. What is told is never too little: every rule tried on every
sentence gives the same flags (tests/processors/test_articles.py).
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import attrgetter, or_
from typing import Final

from processors.lexicon import Entry, Hit
from processors.text import Sentence

_TELLS: Final = attrgetter("tells")


class Glance:
    """`rules`: the needs of each; `sequences`: of each, the concepts it makes and its needs."""

    def __init__(
        self, rules: Sequence[tuple[int, ...]], sequences: Sequence[tuple[int, tuple[int, ...]]]
    ) -> None:
        rows = [*rules, *(needs for _, needs in sequences)]
        self._row = (1 << len(rows)) - 1
        self._rules = (1 << len(rules)) - 1
        self._shifts = [len(rows) * i for i in range(max(map(len, rows), default=0))]
        # Bit `row + shift`: a need of a rule or sequence; the last again where it has fewer.
        self._fills: dict[int, int] = {}  # of each concept
        for row, needs in enumerate(rows):
            for i, shift in enumerate(self._shifts):
                for concept in _bits(needs[min(i, len(needs) - 1)]):
                    self._fills[concept] = self._fills.get(concept, 0) | 1 << row + shift
        self._makes = {1 << len(rules) + i: made for i, (made, _) in enumerate(sequences)}
        self._told: dict[int, int] = {}

    def tells(self, mask: int) -> int:
        """The needs that these concepts fill."""
        told = self._told.get(mask)
        if told is None:
            told = reduce(or_, (self._fills.get(bit, 0) for bit in _bits(mask)), 0)
            self._told[mask] = told
        return told

    def live(
        self, entries: list[Entry], phrases: list[Hit], sentences: Iterable[Sentence]
    ) -> Iterator[tuple[Sentence, int]]:
        """Sentences that some rules may match, with a bit for each of these rules."""
        told = list(map(_TELLS, entries))
        for hit in phrases:
            told[hit.start] |= self.tells(hit.mask)
        for sentence in sentences:
            filled = reduce(or_, filter(None, told[sentence.first : sentence.last]), 0)
            rules = filled and self._met(filled)
            if rules:
                yield sentence, rules

    def _met(self, filled: int) -> int:
        """The rules all of whose needs are filled, by what sequences make too."""
        known = 0
        while True:
            rows = self._row
            for shift in self._shifts:
                rows &= filled >> shift
                if not rows:
                    return 0
            made = rows & ~self._rules & ~known
            if not made:
                return rows & self._rules
            known |= made
            for bit in _bits(made):
                filled |= self.tells(self._makes[bit])


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield mask & -mask
        mask &= mask - 1
