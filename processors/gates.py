"""What text must have for any rule to match, so that most sentences cost next to nothing.

Each rule is filed under one of its pieces that is an anchor of its theme, the one fewest
terms stand for; beside it stand the rule's other pieces. `watched` are the concepts of
single words without any of which no gate can open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from processors.rules import Gates, Rule, Sequence, Theme


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """`counts`: concepts → terms that have just these. `closures`: concept bit → the bits of its
    hits. `everywhere`: concepts too common to wait for (names of places)."""

    sequences: list[Sequence]
    counts: Mapping[int, int]
    closures: Mapping[int, int]
    everywhere: int

    def gates(self, themes: Iterable[Theme], *, lead: bool) -> tuple[Gates, int]:
        """Gates and the concepts to watch for; with `lead`, also those of the rules that
        look at an article's lead only. Raises RuleError for a rule without any anchor."""
        gates: dict[int, list[tuple[int, ...]]] = {}
        watched = 0
        for theme in themes:
            for rule in theme.rules:
                if rule.fallback == "lead" and not lead:
                    continue
                rare, *others = self._by_rarity(rule, theme)
                gates.setdefault(rare, []).append(tuple(others))
                watched |= self._words_of(rare)
        return list(gates.items()), watched

    def _by_rarity(self, rule: Rule, theme: Theme) -> list[int]:
        items = sorted(
            set(rule.items), key=lambda m: (not self._anchored(m, theme), self._terms(m))
        )
        if not self._anchored(items[0], theme):
            raise rule.word.error(
                f"no item of this rule is an anchor of {theme.name}", reason="schema"
            )
        return items

    def _terms(self, mask: int) -> int:
        return sum(count for concepts, count in self.counts.items() if concepts & mask)

    def _anchored(self, mask: int, theme: Theme) -> bool:
        """Whether every hit of these concepts is one of an anchor too."""
        return all(closure & theme.anchors for bit, closure in self.closures.items() if bit & mask)

    def _words_of(self, mask: int) -> int:
        """Concepts of words one of which any text with one of these concepts has: for what
        is made of others, its first part that is not everywhere."""
        found = mask
        for sequence in self.sequences:
            if sequence.mask & mask:
                steps = [step for _, step in sequence.steps]
                first = next((s for s in steps if not s & self.everywhere), steps[0])
                if first & ~found:
                    found |= self._words_of(first)
        return found
