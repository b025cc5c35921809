"""One document as the rules see it: sentences with their terms, and what the article as a
whole says of itself (places, headline, lead).

Most sentences can match no rule; they are told by the concepts of their words alone (see
processors.gates), and of them only what the article as a whole is judged by is looked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from processors.events import Part
from processors.lexicon import Hit, concepts_between
from processors.matching import Scene, matches, set_scene
from processors.modality import Modality
from processors.places import Gazette
from processors.rules import Rule, Rulebook
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
    """`scenes` are the sentences that say something, `live` those that a rule may match."""

    book: Rulebook
    scenes: list[tuple[Part, Scene]]
    live: list[tuple[Part, Scene]]
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
    anchors = book.lexicon.anchors
    if not whole and anchors.isdisjoint(text_entries) and anchors.isdisjoint(title_entries):
        return None
    parts = (
        Part("title", document.title, title, title_entries, sentences(title, headline=True)),
        Part("text", document.text, text, text_entries, sentences(text)),
    )
    made = {id(sentence): scene for sentence, scene in _possible(book, parts)}
    if not whole and not any(_matching(book, scene) for scene in made.values()):
        return None
    caption, related = book.mask("caption"), book.mask("related")
    reading = Reading(
        book, [], [], Gazette(book),
        Modality(book, document.published, [*title, *text], len(title)),
        max(1, len(parts[1].sentences)), 0, 0,
    )  # fmt: skip
    for part in parts:
        for sentence in part.sentences:
            scene = made.get(id(sentence)) or _scene(book, part, sentence, whole=whole)
            if not scene.hits:
                continue
            if part.name == "text":
                if _begins(scene, related):
                    continue  # «اقرأ أيضا: …» tells of another article
                scene.caption = _begins(scene, caption)
            reading.gazette.note(scene)
            reading.scenes.append((part, scene))
            if id(sentence) in made:
                reading.live.append((part, scene))
            if sentence.index <= 0:
                reading.opening |= scene.mask
            if sentence.index < CONTEXT_SENTENCES:
                reading.lead |= scene.mask
    return reading


def _latin_words(text: str) -> list[str]:
    return words(joined(text))


def _possible(book: Rulebook, parts: tuple[Part, ...]) -> Iterator[tuple[Sentence, Scene]]:
    """Sentences whose words have the concepts of some rule, as scenes."""
    anchors = book.lexicon.anchors
    for part in parts:
        tokens, entries = part.tokens, part.entries
        for sentence in part.sentences:
            first, last = sentence.first, sentence.last
            if anchors.isdisjoint(entries[first:last]):
                continue
            concepts = concepts_between(tokens, entries, first, last)
            if book.possible(concepts, lead=sentence.index < LEAD_SENTENCES):
                yield sentence, _scene(book, part, sentence, whole=True)


def _scene(book: Rulebook, part: Part, sentence: Sentence, *, whole: bool) -> Scene:
    """A sentence with its terms; unless `whole`, with those that tell of the article only."""
    wanted = -1 if whole else book.context
    hits = book.lexicon.find(part.tokens, part.entries, sentence.first, sentence.last, wanted)
    return set_scene(book, sentence, hits, whole=whole)


def _matching(book: Rulebook, scene: Scene) -> bool:
    """Whether some rule's pieces stand together in a sentence, whoever is foreign."""
    lead = scene.sentence.index < LEAD_SENTENCES
    for theme in book.themes:
        if scene.mask & theme.anchors:
            for rule in theme.rules:
                if (lead or rule.fallback != "lead") and matches(rule, scene, None):
                    return True
    return False


def _begins(scene: Scene, mask: int) -> bool:
    """Whether a line of the text begins with a word of these concepts."""
    first = scene.sentence.first
    return any(hit.start <= first + 1 for hit in scene.having(mask))  # a bracket may precede
