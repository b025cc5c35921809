"""What rules are once they are read: pieces to find, and what must or must not be near.

Written in YAML (see processors.compiler), compiled to bit masks: each concept has a bit, a
hit has the bits of all concepts it belongs to, a piece of a rule is a mask of alternatives.
"""

from dataclasses import dataclass, field

from processors.glance import Glance
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
    unplaced: bool = False  # `foreign` also where nothing says where, nor that it is at home
    companion: bool = False  # counts only where a rule of the theme that is none has fired
    fire: tuple[Word, ...] = ()
    quiet: tuple[Word, ...] = ()
    word: Word = field(default_factory=lambda: Word(""), compare=False)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A concept made of hits of others, one after the other."""

    mask: int
    steps: tuple[tuple[int, int], ...]  # (most words before it, concept mask)
    parts: tuple[int, ...] = ()  # the concept masks alone


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
    # where others' affairs are settled: told only where no other country is
    hosts: set[str] = field(default_factory=set)
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class Rulebook:
    """All of one language."""

    language: str
    lexicon: Lexicon
    glance: Glance
    bits: dict[str, int]
    sequences: list[Sequence]
    themes: list[Theme]
    rules: list[Rule]  # of all themes; the glance's
    masking: dict[int, int] = field(default_factory=dict)  # see processors.lexicon.unmasked
    script: str = "arabic"
    context: int = 0  # concepts that the article as a whole is judged by
    tail: int = 0  # and those of them that count behind its lead
    _masks: dict[tuple[str, ...], int] = field(default_factory=dict, repr=False)
    _making: dict[int, list[Sequence]] = field(default_factory=dict, repr=False)

    def mask(self, *names: str) -> int:
        """Bits of concepts, 0 for those this language lacks."""
        mask = self._masks.get(names)
        if mask is None:
            mask = self._masks[names] = sum(self.bits.get(name, 0) for name in names)
        return mask

    def making(self, wanted: int) -> list[Sequence]:
        """The sequences that make some of these concepts."""
        making = self._making.get(wanted)
        if making is None:
            making = self._making[wanted] = [of for of in self.sequences if of.mask & wanted]
        return making


def met(mask: int, items: tuple[int, ...]) -> bool:
    """Whether these concepts have one of each piece."""
    for item in items:  # noqa: SIM110 - a generator would take twice the time
        if not mask & item:
            return False
    return True
