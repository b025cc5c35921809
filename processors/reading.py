"""One document as the rules see it: sentences with their terms, and what the article as a
whole says of itself (places, headline, lead).

Most sentences can match no rule; they are told by the concepts of their words alone, and of
them only what the article as a whole is judged by is looked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from processors.events import Part
from processors.lexicon import Hit, concepts_at
from processors.matching import Scene, matches, set_scene
from processors.modality import Modality
from processors.places import Gazette
from processors.rules import Need, Rule, Rulebook, closed, met
from processors.text import Sentence, joined, sentences, words

LEAD_SENTENCES = 3
CONTEXT_SENTENCES = 8


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
        return self.gazette.theatre(hit, scene) is not None

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
    look = book.lexicon.__getitem__
    as_words = _latin_words if book.script == "latin" else words
    title, text = as_words(document.title), as_words(document.text)
    title_entries, text_entries = list(map(look, title)), list(map(look, text))
    title_concepts = concepts_at(title, title_entries)
    text_concepts = concepts_at(text, text_entries)
    article = 0
    for _, mask in (*title_concepts, *text_concepts):
        article |= mask
    article = closed(article, book.hints)
    needs = [need for need in book.needs if met(article, need[0])]
    if not needs and not whole:
        return None
    parts = (
        Part("title", document.title, title, title_entries, sentences(title, headline=True)),
        Part("text", document.text, text, text_entries, sentences(text)),
    )
    live = [
        (part, sentence, rules)
        for part, concepts in zip(parts, (title_concepts, text_concepts), strict=True)
        for sentence, rules in _possible(book, part, concepts, needs, article)
    ]
    if not whole and not any(_matching(book, *of) for of in live):
        return None
    alive = {id(sentence): rules for _, sentence, rules in live}
    caption, related = book.mask("caption"), book.mask("related")
    reading = Reading(
        book, [], [], Gazette(book),
        Modality(book, document.published, [*title, *text], len(title)),
        max(1, len(parts[1].sentences)), 0, 0,
    )  # fmt: skip
    for part in parts:
        for sentence in part.sentences:
            full = whole or id(sentence) in alive
            scene = _scene(book, part, sentence, None if full else book.context)
            if not scene.hits:
                continue
            if part.name == "text":
                if _begins(scene, related):
                    continue  # «اقرأ أيضا: …» tells of another article
                scene.caption = _begins(scene, caption)
            reading.gazette.note(scene)
            reading.scenes.append((part, scene))
            if id(sentence) in alive:
                reading.live.append((part, scene, alive[id(sentence)]))
            if sentence.index <= 0:
                reading.opening |= scene.mask
            if sentence.index < CONTEXT_SENTENCES:
                reading.lead |= scene.mask
    return reading


def _latin_words(text: str) -> list[str]:
    return words(joined(text))


def _possible(
    book: Rulebook,
    part: Part,
    concepts: list[tuple[int, int]],
    needs: list[Need],
    article: int,
) -> Iterator[tuple[Sentence, tuple[Rule, ...]]]:
    """Sentences whose words have the concepts of rules that the article can meet, and these."""
    rare = 0
    for items, _, _ in needs:
        rare |= items[0]
    hints = [hint for hint in book.hints if met(article, hint[1])]
    at, end = 0, len(concepts)
    for sentence in part.sentences:
        mask = 0
        while at < end and concepts[at][0] < sentence.last:
            if concepts[at][0] >= sentence.first:
                mask |= concepts[at][1]
            at += 1
        if not mask:
            continue
        mask = closed(mask, hints)
        if mask & rare:
            lead = sentence.index < LEAD_SENTENCES
            rules = [
                rule
                for items, in_lead, its in needs
                if (lead or not in_lead) and met(mask, items)
                for rule in its
            ]
            if rules:
                yield sentence, tuple(rules)


def _scene(book: Rulebook, part: Part, sentence: Sentence, wanted: int | None = None) -> Scene:
    """A sentence with its terms; with those of `wanted` concepts only, where they are told."""
    hits = book.lexicon.find(
        part.tokens, part.entries, sentence.first, sentence.last, -1 if wanted is None else wanted
    )
    return set_scene(book, sentence, hits, -1 if wanted is None else wanted)


def _matching(book: Rulebook, part: Part, sentence: Sentence, rules: tuple[Rule, ...]) -> bool:
    """Whether some rule's pieces stand together in a sentence, whoever is foreign."""
    wanted = 0
    for rule in rules:
        wanted |= rule.tried
    scene = _scene(book, part, sentence, wanted)
    return any(matches(rule, scene, None) for rule in rules)


def _begins(scene: Scene, mask: int) -> bool:
    """Whether a line of the text begins with a word of these concepts."""
    first = scene.sentence.first
    return any(hit.start <= first + 1 for hit in scene.having(mask))  # a bracket may precede
