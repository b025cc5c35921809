"""What rules are once they are read: pieces to find, and what must or must not be near.

Written in YAML (see processors.compiler), compiled to bit masks: each concept has a bit, a
hit has the bits of all concepts it belongs to, a piece of a rule is a mask of alternatives.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from processors.lexicon import Lexicon
from processors.source import Word
from streams.records import Status


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    theme: str
    development: str
    title: str
    status: str  # stable, or test
    weight: float  # 0–1: how sure this pattern alone makes one
    items: tuple[int, ...]  # concept masks, one a piece
    names: tuple[str, ...]  # as written, for explaining
    trigger: int = 0  # the item that negation and modality bear on
    gap: int | None = None  # most words between a piece and the next (or the trigger)
    ordered: bool = False
    scope: str = "sentence"
    without: int = 0  # concepts that must not be in the scope
    between_not: int = 0  # concepts that must not lie between two pieces
    with_lead: int = 0  # concepts one of which the headline or the first sentences must have
    unless: int = 0  # concepts that must not be in the headline or the lead
    foreign: int = -1  # the item that must be a force away from home
    negated: str = "drop"
    reads_as: Status | None = None
    fallback: str = ""  # counts only where the theme has nothing else: `lead` or `anywhere`
    tried: int = 0  # concepts that decide whether it matches by its words alone
    fire: tuple[Word, ...] = ()
    quiet: tuple[Word, ...] = ()
    word: Word = field(default_factory=lambda: Word(""), compare=False)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A concept made of hits of others, one after the other."""

    mask: int
    steps: tuple[tuple[int, int], ...]  # (most words before it, concept mask)
    parts: tuple[int, ...] = ()  # the concept masks alone


Need = tuple[tuple[int, ...], bool, tuple[Rule, ...]]


@dataclass(slots=True)
class Theme:
    name: str
    threshold: float = 0.5
    anchors: int = 0  # a sentence without any of these is not looked at
    quiet: int = 0  # a headline with one of these silences the theme
    # by status, what a development becomes with it (denied: {agreed: rejected})
    turns: dict[str, dict[str, str]] = field(default_factory=dict)
    # what a development in the headline takes from the text below (denied: [deployed])
    overrides: dict[str, frozenset[str]] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class Rulebook:
    """All of one language."""

    language: str
    lexicon: Lexicon
    bits: dict[str, int]
    sequences: list[Sequence]
    themes: list[Theme]
    masking: dict[int, int] = field(default_factory=dict)  # see processors.lexicon.unmasked
    script: str = "arabic"
    # What a sentence must have for some rules to match: the two of their pieces that ordinary
    # news has least, whether it is for the lead only, and the rules.
    needs: list["Need"] = field(default_factory=list)
    # Likewise of each sequence: the concepts it makes, and the two rarest of its steps.
    hints: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    context: int = 0  # concepts that the article as a whole is judged by

    def mask(self, *names: str) -> int:
        """Bits of concepts, 0 for those this language lacks."""
        return sum(self.bits.get(name, 0) for name in names)


def closed(mask: int, hints: Iterable[tuple[int, tuple[int, ...]]]) -> int:
    """Concepts, with those that sequences may make of them."""
    for made, steps in hints:
        if met(mask, steps):
            mask |= made
    return mask


def met(mask: int, items: tuple[int, ...]) -> bool:
    """Whether these concepts have one of each piece."""
    for item in items:  # noqa: SIM110 - a generator would take twice the time
        if not mask & item:
            return False
    return True
