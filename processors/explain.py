"""Why a text was flagged, and why it was not: for people, beside the flagger, not in its way.

Three answers for a document: which tokens matched which terms and what was taken off them,
which rules fired with each of their pieces, and which nearly did and what they lacked. A
rule nearly fires in a sentence that has all of its pieces but one, or all of them in a way
that does not count.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from processors.events import Found, Part
from processors.flagger import Document, Flagger, needed
from processors.lexicon import Hit
from processors.matching import Scene, lacking, matches
from processors.reading import Reading
from processors.rules import Rule, Rulebook, Theme
from streams.records import Flag


@dataclass(frozen=True, slots=True)
class Word:
    """A term found: the raw words, how each was read, the concepts it stands for."""

    written: str
    read_as: tuple[str, ...]  # a word each: «وبالهدنة» as «و + ب + ال + هدنة»
    concepts: tuple[str, ...]
    country: str  # ISO codes, for names


@dataclass(frozen=True, slots=True)
class Fired:
    """A match: the rule's pieces as written, in the order of its `match`."""

    rule: Rule
    pieces: tuple[tuple[str, str], ...]  # (as the rule names it, as written)
    development: str
    status: str
    score: float
    quote: str
    counts: bool  # false: below the score that the theme needs here


@dataclass(frozen=True, slots=True)
class Near:
    """What nearly fired, and what was missing."""

    rule: Rule
    lacks: str
    quote: str


@dataclass(frozen=True, slots=True)
class Explanation:
    flags: tuple[Flag, ...]
    words: tuple[Word, ...]
    fired: tuple[Fired, ...]
    near: tuple[Near, ...]


def explain(flagger: Flagger, document: Document) -> Explanation:
    """Everything there is to tell of one document."""
    reading = flagger.read(document)
    if reading is None:
        return Explanation((), (), (), ())
    names = {bit: name for name, bit in reading.book.bits.items()}
    fired: list[Fired] = []
    near: list[Near] = []
    for theme in reading.book.themes:
        found = flagger.found(reading, theme)
        score = needed(theme, found)
        fired += [_fired(item, score) for item in found]
        did = {(item.match.rule.id, id(item.match.scene)) for item in found}
        near += _nearly(reading, theme, did, bool(found))
    return Explanation(
        flags=tuple(flagger.flag(document)),
        words=tuple(_words(reading, names)),
        fired=tuple(sorted(fired, key=lambda f: (f.rule.theme, -f.score))),
        near=tuple(near),
    )


def _written(part: Part, hit: Hit) -> str:
    last = hit.end - 1
    return part.raw[part.starts[hit.start] : part.starts[last] + len(part.tokens[last])]


def _quote(part: Part, scene: Scene) -> str:
    sentence = scene.sentence
    last = min(sentence.last, len(part.tokens)) - 1
    return part.raw[part.starts[sentence.first] : part.starts[last] + len(part.tokens[last])]


def _words(reading: Reading, names: dict[int, str]) -> Iterator[Word]:
    seen: set[tuple[str, tuple[str, ...]]] = set()
    lexicon = reading.book.lexicon
    for part, scene in reading.scenes:
        for hit in scene.hits:
            concepts = tuple(sorted(name for bit, name in names.items() if bit & hit.mask))
            written = _written(part, hit)
            if hit.parts or (written, concepts) in seen:
                continue
            seen.add((written, concepts))
            read_as = tuple(lexicon.how(token) for token in part.tokens[hit.start : hit.end])
            yield Word(written, read_as, concepts, ", ".join(hit.codes))


def _fired(item: Found, needed: float) -> Fired:
    rule, part = item.match.rule, item.field
    pieces = tuple(
        (name, _written(part, hit)) for name, hit in zip(rule.names, item.match.pieces, strict=True)
    )
    return Fired(
        rule, pieces, item.development, item.status, round(item.score, 3),
        _quote(part, item.match.scene), item.score >= needed,
    )  # fmt: skip


def _nearly(
    reading: Reading, theme: Theme, did: set[tuple[str, int]], found: bool
) -> Iterator[Near]:
    for part, scene in reading.scenes:
        if not scene.mask & theme.anchors:
            continue
        for rule in theme.rules:
            if (rule.id, id(scene)) in did or (rule.fallback and found):
                continue
            if rule.companion and not found:
                continue
            lacks = _lacks(reading, theme, rule, part, scene)
            if lacks:
                yield Near(rule, lacks, _quote(part, scene))


def _lacks(reading: Reading, theme: Theme, rule: Rule, part: Part, scene: Scene) -> str:
    """What keeps a rule from firing in a sentence; empty when it is not near."""
    missing = lacking(rule, scene, reading.is_away)
    if missing is not None:
        return missing
    barred = reading.bars(rule, scene)
    if barred:
        return barred
    if theme.quiet and _quiet_words(reading.book, theme, reading):
        return f"the article is of another world: {_quiet_words(reading.book, theme, reading)}"
    for match in matches(rule, scene, reading.is_away):
        status, _ = reading.modality.judge(match, part.tokens)
        if status is None:
            return "it is negated"
        return f"it is {status}, of which this theme makes nothing, or the headline takes it back"
    return ""


def _quiet_words(book: Rulebook, theme: Theme, reading: Reading) -> str:
    return ", ".join(
        sorted(
            name
            for name, bit in book.bits.items()
            if bit & theme.quiet and any(scene.mask & bit for _, scene in reading.scenes)
        )
    )
