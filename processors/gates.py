"""What text must have for any rule to match, so that most sentences cost next to nothing.

Each rule is filed under the piece of it that is cheapest to wait for; beside it stand its
other pieces. `watched` are the concepts of single words without any of which no gate can
open. What is ordinary is measured on each language's `ordinary.txt`, news of no theme.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from processors.lexicon import Lexicon
from processors.rules import Gates, Rule, Sequence, Theme
from processors.text import words


def with_sequences(mask: int, sequences: Iterable[Sequence]) -> int:
    """Concepts, and those that sequences may make of them."""
    for sequence in sequences:
        for _, step in sequence.steps:
            if not mask & step:
                break
        else:
            mask |= sequence.mask
    return mask


def lemmas_met(text: str, lexicon: Lexicon) -> Counter[int]:
    """How often each lemma is met in a text."""
    entries = map(lexicon.__getitem__, words(text))
    return Counter(lemma for entry in entries if entry for lemma in entry.lemmas)


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """`costs`: concept bit → what it costs to wait for it (Lexicon.costs). `closures`: concept
    bit → the bits of its hits."""

    sequences: list[Sequence]
    costs: Mapping[int, float]
    closures: Mapping[int, int]

    def gates(self, themes: Iterable[Theme], *, lead: bool) -> tuple[Gates, int]:
        """Gates and the concepts to watch for; with `lead`, also those of the rules that
        look at an article's lead only. Raises RuleError for a rule without any anchor."""
        gates: dict[int, list[tuple[int, ...]]] = {}
        watched = 0
        for theme in themes:
            for rule in theme.rules:
                self._check(rule, theme)
                if rule.fallback == "lead" and not lead:
                    continue
                rare, *others = sorted(set(rule.items), key=self._cost)
                gates.setdefault(rare, []).append(tuple(others))
                watched |= self._words_of(rare)
        return list(gates.items()), watched

    def _cost(self, mask: int) -> float:
        """What it costs to wait for one of these concepts."""
        cost = sum(cost for bit, cost in self.costs.items() if bit & mask)
        for sequence in self.sequences:
            if sequence.mask & mask:
                cost += min(self._cost(step) for _, step in sequence.steps)
        return cost

    def _check(self, rule: Rule, theme: Theme) -> None:
        """A sentence is only looked at when it has an anchor: a rule needs one."""
        for item in rule.items:
            hits = (of for bit, of in self.closures.items() if bit & item)
            if all(closure & theme.anchors for closure in hits):
                return
        raise rule.word.error(f"no item of this rule is an anchor of {theme.name}", reason="schema")

    def _words_of(self, mask: int) -> int:
        """Concepts of words one of which any text with one of these concepts has: for what
        is made of others, the rarest of its parts."""
        found = mask
        for sequence in self.sequences:
            if sequence.mask & mask:
                rarest = min((step for _, step in sequence.steps), key=self._cost)
                if rarest & ~found:
                    found |= self._words_of(rarest)
        return found
