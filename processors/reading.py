"""One document as the rules see it: sentences with their terms, and what the article as a
whole says of itself (places, headline, lead).

Most sentences can match no rule; they are told by the concepts of their words alone, and of
them only what the article as a whole is judged by is looked for.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import attrgetter, or_
from typing import Final, Literal

from processors.events import Part
from processors.lexicon import Hit, within
from processors.matching import Scene, may_match, set_scene
from processors.modality import Modality
from processors.places import Gazette
from processors.rules import Rule, Rulebook
from processors.text import Sentence, dateline, joined, sentences, words

LEAD_SENTENCES = 3
CONTEXT_SENTENCES = 8
_MASK: Final = attrgetter("mask")


@dataclass(frozen=True, slots=True)
class Document:
    """What flagging needs of an article."""

    title: str
    text: str
    language: str | None = None
    source: str | None = None
    source_country: str | None = None
    published: datetime | None = None


@dataclass(slots=True)
class Reading:
    """`scenes` are the sentences that say something, `live` those that rules may match, with
    these."""

    book: Rulebook
    scenes: list[tuple[Part, Scene]]
    live: list[tuple[Part, Scene, tuple[Rule, ...]]]
    gazette: Gazette
    modality: Modality
    sentences: int  # of the text
    opening: int  # concepts of headline and first sentence
    lead: int  # of the whole lead

    def is_away(self, rule: Rule, hit: Hit, scene: Scene) -> bool:
        """Whether a force acts away from its home."""
        return self.gazette.is_away(rule, hit, scene)

    def bars(self, rule: Rule, scene: Scene) -> str:
        """Why the article as a whole does not let a rule count here; empty when it does."""
        if rule.unless & self.opening:
            return "its headline or first sentence speaks of what the rule must not have there"
        if rule.fallback == "lead" and scene.sentence.index >= LEAD_SENTENCES:
            return "it counts in the lead only"
        if rule.with_lead and not rule.with_lead & self.lead:
            return "its lead lacks what the rule must have there"
        return ""


def read(book: Rulebook, document: Document, *, whole: bool = False) -> Reading | None:
    """Take a document apart. None when no rule can match it, unless the `whole` of it is
    wanted, every sentence in full (for explaining)."""
    parts = [_part(book, "title", document.title), _part(book, "text", document.text)]
    live = _live(book, parts)
    if not live and not whole:
        return None
    caption, related = book.mask("caption"), book.mask("related")
    title, text = parts
    modality = Modality(book, document.published, [*title.tokens, *text.tokens], len(title.tokens))
    count = max(1, len(text.sentences))
    reading = Reading(book, [], [], Gazette(book), modality, count, 0, 0)
    ahead = not whole  # whether headline and lead are still to be read
    for part in parts:
        for sentence in part.sentences:
            scene, rules = live.get(id(sentence), (None, ()))
            if sentence.index >= CONTEXT_SENTENCES:
                if ahead and not _counts(reading, live):
                    return None
                ahead = False
                if scene is None and not whole and not _tells(book, part, sentence):
                    continue
            if scene is None:
                scene = _scene(book, part, sentence, -1 if whole else book.context)
            if not scene.hits:
                continue
            if part.name == "text":
                if _begins(scene, related):
                    continue  # «اقرأ أيضا: …» tells of another article
                scene.caption = _begins(scene, caption)
                if sentence.index == 0:
                    scene.dateline = _dateline(book, part, scene)
            reading.gazette.note(scene)
            reading.scenes.append((part, scene))
            if rules:
                reading.live.append((part, scene, rules))
            if sentence.index <= 0:
                reading.opening |= scene.mask
            if sentence.index < CONTEXT_SENTENCES:
                reading.lead |= scene.mask
    return reading


def _counts(reading: Reading, live: Mapping[int, tuple[Scene, tuple[Rule, ...]]]) -> bool:
    """Whether headline and lead, read by now, let any rule count: most articles end here."""
    return any(not reading.bars(rule, scene) for scene, rules in live.values() for rule in rules)


def _tells(book: Rulebook, part: Part, sentence: Sentence) -> bool:
    """Whether a sentence names a place, or what silences a theme."""
    told = reduce(or_, map(_MASK, part.entries[sentence.first : sentence.last]))
    return bool(told & book.tail) or any(
        hit.mask & book.tail for hit in within(part.phrases, sentence.first, sentence.last)
    )


def _part(book: Rulebook, name: Literal["title", "text"], raw: str) -> Part:
    tokens = words(joined(raw))
    entries = list(map(book.lexicon.__getitem__, tokens))
    phrases = book.lexicon.phrases(tokens, entries, 0, len(tokens))
    return Part(name, raw, tokens, entries, phrases, sentences(tokens, headline=name == "title"))


def _live(book: Rulebook, parts: Iterable[Part]) -> dict[int, tuple[Scene, tuple[Rule, ...]]]:
    """By sentence, with its terms, the rules whose pieces stand together in it, whoever is
    foreign; companions where those of others of their theme do somewhere."""
    glances = [
        (part, sentence, tuple(_possible(book, sentence, told)))
        for part in parts
        for sentence, told in book.glance.live(part.entries, part.phrases, part.sentences)
    ]
    live: dict[int, tuple[Scene, tuple[Rule, ...]]] = {}
    themes: set[str] = set()
    for companion in (False, True):
        for part, sentence, possible in glances:
            asked = [
                rule for rule in possible
                if rule.companion == companion and (not companion or rule.theme in themes)
            ]  # fmt: skip
            if asked:
                scene, others = live.get(id(sentence)) or (_scene(book, part, sentence), ())
                rules = tuple(rule for rule in asked if may_match(rule, scene))
                if rules:
                    live[id(sentence)] = scene, others + rules
        if not live:
            break
        themes = {rule.theme for _, rules in live.values() for rule in rules}
    return live


def _possible(book: Rulebook, sentence: Sentence, told: int) -> Iterator[Rule]:
    """The rules of a glance that may count in a sentence."""
    while told:
        rule = book.rules[(told & -told).bit_length() - 1]
        if rule.fallback != "lead" or sentence.index < LEAD_SENTENCES:
            yield rule
        told &= told - 1


def _scene(book: Rulebook, part: Part, sentence: Sentence, wanted: int = -1) -> Scene:
    """A sentence with its terms, and what sequences make of `wanted` concepts."""
    hits = book.lexicon.hits(part.entries, part.phrases, sentence.first, sentence.last)
    return set_scene(book, sentence, hits, wanted)


def _dateline(book: Rulebook, part: Part, scene: Scene) -> int:
    """Where the dateline of a sentence ends, 0 when it has none."""
    sentence = scene.sentence
    place = max(
        (
            hit.end for hit in scene.having(book.mask("country", "town", "capital"))
            if hit.start == sentence.first
        ),
        default=sentence.last,
    )  # fmt: skip
    return dateline(part.tokens, sentence.first, place, sentence.last)


def _begins(scene: Scene, mask: int) -> bool:
    """Whether a line of the text begins with a word of these concepts."""
    first = scene.sentence.first
    return any(hit.start <= first + 1 for hit in scene.having(mask))  # a bracket may precede
